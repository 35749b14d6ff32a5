import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { must } from "../../table-format/index.ts";
import { frazil } from "../it/job/job-process.ts";
import { startMinio } from "../services/minio.ts";
import { change, Process, upsertRule } from "../support/checkpoints.ts";
import { seededRandom } from "../support/virtual-runtime.ts";
import { testWarehouse } from "../unit/query/local-warehouse.ts";
import type { Figure } from "./bench.ts";
import { quantile } from "./job-lines.ts";
import { numberOption } from "./options.ts";

const COMMITS = 60;
const ROWS_A_COMMIT = 100;
/** Commits come at random times, so that they do not fall into step with the reader's looks. */
const PAUSE_MS = 1_500;
const READY_MS = 60_000;

/** From the moment at which a commit has returned to its writer until its rows stand on the stdout of `frazil read --follow`. */
export async function* latencies(progress: (line: string) => void): AsyncIterable<Figure> {
  const commits = numberOption("commits", COMMITS);
  const folder = mkdtempSync(join(tmpdir(), "frazil-bench-"));
  try {
    yield* followed("local", join(folder, "warehouse"), {}, commits, progress);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const store = await startMinio();
  try {
    const env = {
      AWS_ENDPOINT_URL: store.endpoint,
      AWS_REGION: store.region,
      AWS_ACCESS_KEY_ID: store.accessKeyId,
      AWS_SECRET_ACCESS_KEY: store.secretAccessKey,
    };
    // The SDK's own chain looks for keys in the process's environment.
    Object.assign(process.env, env);
    yield* followed("MinIO", `s3://${store.bucket}/warehouse`, env, commits, progress);
  } finally {
    await store.stop();
  }
}

async function* followed(
  name: string,
  location: string,
  env: Readonly<Record<string, string>>,
  commits: number,
  progress: (line: string) => void,
): AsyncIterable<Figure> {
  progress(`${name}: ${commits} commits of ${ROWS_A_COMMIT} rows to a reader that follows`);
  const warehouse = await testWarehouse(location, env);
  const writer = await Process.start({ ...warehouse, fault: () => undefined }, [upsertRule("a")]);
  const random = seededRandom(9);
  const write = async (): Promise<string> => {
    const ids = Array.from({ length: ROWS_A_COMMIT }, () => random.uint32() % 10_000);
    await writer.checkpoint([...new Set(ids)].map((id) => change("a", `~${id}:p:${random.uint32() % 1_000_000}`)));
    return String(must(writer.events.at(-1), "a commit").snapshotId);
  };
  await write();
  const args = ["read", "shop.a", "--follow", "--from", "latest", "--json", "--warehouse", location];
  const reader = frazil(args, env);
  const told = new Map<string, number>();
  let rest = "";
  reader.child.stdout?.on("data", (text: string) => {
    const atMs = performance.now();
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const id = /"_snapshot_id":"?(\d+)/.exec(line)?.[1] ?? "";
      if (!told.has(id)) told.set(id, atMs);
    }
  });
  const seen = async (id: string): Promise<number> => {
    for (const untilMs = performance.now() + READY_MS; performance.now() < untilMs; await sleep(2)) {
      const atMs = told.get(id);
      if (atMs !== undefined) return atMs;
    }
    throw new Error(`wrong result: the reader was not told of snapshot ${id}: ${reader.stderr()}`);
  };
  // It has begun once it tells of a commit.
  while (told.size === 0) {
    await write();
    await sleep(500);
  }
  const ms: number[] = [];
  for (let commit = 0; commit < commits; commit++) {
    await sleep((random.uint32() / 2 ** 32) * PAUSE_MS);
    const id = await write();
    const committedMs = performance.now();
    ms.push((await seen(id)) - committedMs);
  }
  reader.child.kill("SIGINT");
  const code = await reader.ended;
  await warehouse.catalog.close();
  if (code !== 0) throw new Error(`the reader ended with ${code}: ${reader.stderr()}`);
  for (const [figure, share] of [
    ["latency_p50_ms", 0.5],
    ["latency_p99_ms", 0.99],
  ] as const) {
    yield { case: name, figure, value: Math.round(quantile(ms, share)), unit: "ms" };
  }
}
