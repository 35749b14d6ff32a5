import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { frazil } from "../it/job/job-process.ts";
import { startKafka } from "../services/kafka.ts";
import type { Figure } from "./bench.ts";
import { type OrdersOutcome, produceOrders } from "./orders-workload.ts";

const WORKLOAD = { keys: 1_000_000, updates: 2_000_000, partitions: 4 };
const CHECKPOINTS = ["10s", "1s"];

/**
 * Real Kafka into a local warehouse, broker and job on the same machine: 3 million Debezium events of about 600 bytes, 1 million inserts, then
 * updates and deletes by a power law with full before images.
 */
export async function* ingest(progress: (line: string) => void): AsyncIterable<Figure> {
  await using kafka = await startKafka({ config: { "log.retention.bytes": "-1" } });
  const outcome = await produceOrders(kafka.brokers, "bench.orders", WORKLOAD, progress);
  yield { case: "workload", figure: "event_bytes", value: Math.round(outcome.bytes / outcome.events), unit: "bytes" };
  for (const interval of CHECKPOINTS) {
    const folder = mkdtempSync(join(tmpdir(), "frazil-bench-"));
    try {
      yield* oneRun(kafka.brokers, folder, interval, outcome);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

async function* oneRun(
  brokers: readonly string[],
  folder: string,
  interval: string,
  outcome: OrdersOutcome,
): AsyncIterable<Figure> {
  const job = join(folder, "job.yaml");
  const warehouse = join(folder, "warehouse");
  writeFileSync(
    job,
    `name: bench
source: { type: kafka, brokers: ["${brokers[0]}"], topics: [bench.orders], format: debezium-json }
warehouse: { location: "${warehouse}" }
tables:
  - from: bench.orders
    to: bench.orders
    mode: upsert
    key: [id]
    columns: { amount: "decimal(18,2)", quantity: int }
checkpoint: { interval: ${interval} }
`,
  );
  const run = frazil(["run", job, "--until", "caught-up", "--json"]);
  let peakKib = 0;
  const sampling = setInterval(() => (peakKib = Math.max(peakKib, peakMemoryKib(run.child.pid) ?? 0)), 50);
  const code = await run.ended;
  clearInterval(sampling);
  if (code !== 0) throw new Error(`the job ended with ${code}: ${run.stderr()}`);
  const end = JSON.parse(run.stdout().trim().split("\n").at(-1) ?? "{}") as Record<string, number>;
  await checkTable(warehouse, outcome);
  const of = `checkpoints every ${interval}`;
  const durationMs = end["durationMs"] ?? Number.NaN;
  const share = (figure: string) => Math.round(((end[figure] ?? Number.NaN) / durationMs) * 1000) / 10;
  yield {
    case: of,
    figure: "events_per_second",
    value: Math.round((outcome.events / durationMs) * 1000),
    unit: "events/s",
  };
  yield { case: of, figure: "peak_rss_mib", value: Math.round(peakKib / 1024), unit: "MiB" };
  yield { case: of, figure: "checkpoints", value: end["checkpoints"] ?? Number.NaN, unit: "" };
  yield { case: of, figure: "share_fetch_and_decode", value: share("readMs"), unit: "%" };
  yield { case: of, figure: "share_prepare", value: share("prepareMs"), unit: "%" };
  yield { case: of, figure: "share_commit", value: share("commitMs"), unit: "%" };
}

/** The high-water mark of a process's resident memory. */
function peakMemoryKib(pid: number | undefined): number | null {
  try {
    const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return match === null ? null : Number(match[1]);
  } catch {
    return null;
  }
}

/** A figure of a wrong table is worth nothing. */
async function checkTable(warehouse: string, outcome: OrdersOutcome): Promise<void> {
  const sql =
    "SELECT count(*) AS rows, count(DISTINCT id) AS keys, sum(id)::VARCHAR AS ids, (sum(amount) * 100)::DECIMAL(38,0)::VARCHAR AS cents, sum(quantity)::VARCHAR AS quantity FROM bench.orders";
  const query = frazil(["query", sql, "--warehouse", warehouse, "--json"]);
  if ((await query.ended) !== 0) throw new Error(query.stderr());
  const seen = JSON.parse(query.stdout()) as Record<string, unknown>;
  const expected = {
    rows: outcome.rows,
    keys: outcome.rows,
    ids: String(outcome.idSum),
    cents: String(outcome.centsSum),
    quantity: String(outcome.quantitySum),
  };
  for (const [name, value] of Object.entries(expected)) {
    if (String(seen[name]) !== String(value)) {
      throw new Error(`wrong result: ${name} is ${String(seen[name])}, expected ${String(value)}`);
    }
  }
}
