import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "../../src/core/errors.ts";
import { openWarehouse } from "../../src/index.ts";
import type { Figure } from "./bench.ts";
import { type CommitLine, quantile, runJobFile } from "./job-lines.ts";
import { numberOption } from "./options.ts";
import { checkShop } from "./shop-outcome.ts";

const RATE = 20_000;
const SECONDS = 100;
/** The first seconds load code and open tables. */
const WARM_UP_MS = 5_000;
const SEED = 7;
const TABLES = ["customers", "orders", "order_events"] as const;
const COMPACT = "maintenance: { compact: { every: 5s, min_files: 4 } }\n";
/** One in so many events is looked at. */
const EVENTS_A_SAMPLE = 100;
/** A job that falls further behind measures the machine, not the maintenance. */
const PACE_KEPT = 0.95;

interface Run {
  /** Milliseconds from when an event was due to when it was committed, of some events. */
  readonly freshnessMs: readonly number[];
  readonly eventsPerSecond: number;
  readonly compactions: number;
}

/**
 * Event-to-commit freshness of 20,000 events a second, checkpoints every second, in a local warehouse: a job that compacts its tables every
 * five seconds against one that does not, in turns (without, with, with, without), so that what else the machine does weighs on both. An event
 * counts from when it was due, not from when the job got round to it.
 */
export async function* freshness(progress: (line: string) => void): AsyncIterable<Figure> {
  const seconds = numberOption("seconds", SECONDS);
  const runs: Record<"without" | "with", Run[]> = { without: [], with: [] };
  for (const kind of ["without", "with", "with", "without"] as const) {
    progress(`${seconds} s ${kind} compaction`);
    runs[kind].push(await oneRun(seconds, kind === "with" ? COMPACT : ""));
  }
  const p99 = { without: 0, with: 0 };
  for (const kind of ["without", "with"] as const) {
    const of = `${kind} compaction`;
    const all = runs[kind].flatMap(({ freshnessMs }) => freshnessMs);
    p99[kind] = quantile(all, 0.99);
    yield { case: of, figure: "freshness_p50", value: Math.round(quantile(all, 0.5)), unit: "ms" };
    yield { case: of, figure: "freshness_p99", value: Math.round(p99[kind]), unit: "ms" };
    const rates = runs[kind].map(({ eventsPerSecond }) => eventsPerSecond);
    yield { case: of, figure: "events_per_second", value: Math.round(Math.min(...rates)), unit: "events/s" };
    const compactions = runs[kind].reduce((sum, run) => sum + run.compactions, 0);
    yield { case: of, figure: "compactions", value: compactions, unit: "" };
    if (kind === "with" && compactions === 0) throw new Error("nothing was compacted; make it longer with --seconds");
  }
  const ratio = Math.round((p99.with / p99.without) * 1000) / 1000;
  yield { case: "with to without", figure: "freshness_p99_ratio", value: ratio, unit: "" };
  const slowest = Math.min(...runs.without.map(({ eventsPerSecond }) => eventsPerSecond));
  if (slowest < RATE * PACE_KEPT) throw new Error(`the machine does not keep up: ${Math.round(slowest)} events/s`);
}

async function oneRun(seconds: number, maintenance: string): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), "frazil-bench-"));
  try {
    const warehouse = join(folder, "warehouse");
    const job = join(folder, "job.yaml");
    writeFileSync(
      job,
      `name: bench
source: { type: generator, seed: ${SEED}, events: 2000000000, rate: ${RATE}, splits: 2 }
warehouse: { location: "${warehouse}" }
tables:
  - { from: shop.customers, to: shop.customers, mode: upsert }
  - { from: shop.orders, to: shop.orders, mode: upsert }
  - { from: shop.order_events, to: shop.order_events, mode: append }
checkpoint: { interval: 1s }
${maintenance}`,
    );
    const commits: CommitLine[] = [];
    const args = [job, "--for", `${seconds}s`];
    const end = await runJobFile(args, (line) => {
      if (line.table === "shop.order_events") commits.push(line);
    });
    if (end.maintenanceFailures > 0) throw new Error(`${end.maintenanceFailures} runs of maintenance failed`);
    const { takenAt, compactions } = await snapshotsOf(warehouse);
    await checkShop(warehouse, SEED, end.position, TABLES);
    const cuts = commits.map((line) => ({ ...line, taken: takenAt.get(String(line.snapshotId)) ?? Number.NaN }));
    const [first, last] = [must(cuts[0], "a commit"), must(cuts.at(-1), "a commit")];
    const eventsPerSecond = ((last.taken - first.taken) * 1000) / (last.atMs - first.atMs);
    return { freshnessMs: freshnessOf(cuts), eventsPerSecond, compactions };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Events taken by each snapshot of the table of order events, and the compactions of all tables. */
async function snapshotsOf(location: string): Promise<{ takenAt: Map<string, number>; compactions: number }> {
  await using warehouse = await openWarehouse(location);
  const takenAt = new Map<string, number>();
  let compactions = 0;
  for (const name of TABLES) {
    const table = await warehouse.table(`shop.${name}`);
    for (const { snapshotId, operation, summary } of table.snapshots()) {
      if (operation === "replace") compactions++;
      const position = summary.get("ingest.position");
      if (name !== "order_events" || operation === "replace" || position === undefined) continue;
      const points = Object.values(JSON.parse(position) as Record<string, string>);
      takenAt.set(
        String(Number(snapshotId)),
        points.reduce((sum, point) => sum + Number(point), 0),
      );
    }
  }
  return { takenAt, compactions };
}

/** Milliseconds from due to committed. The schedule begins where the least late checkpoint says. */
function freshnessOf(commits: readonly (CommitLine & { readonly taken: number })[]): number[] {
  const dueMs = (event: number, startMs: number): number => startMs + (event * 1000) / RATE;
  const startMs = Math.min(...commits.map(({ atMs, freshnessMs, taken }) => atMs - freshnessMs - dueMs(taken, 0)));
  const found: number[] = [];
  let event = (WARM_UP_MS * RATE) / 1000;
  for (const { atMs, taken } of commits) {
    for (; event < taken; event += EVENTS_A_SAMPLE) found.push(atMs - dueMs(event, startMs));
  }
  return found;
}
