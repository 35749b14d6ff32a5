import { type Catalog, createBuilder, createManifestCache, type FileIO } from "../../table-format/index.ts";
import { type ChangeBatch, type ChangeColumn, Op, offsetPoints } from "../../src/core/change-batch.ts";
import { jobConsumerName } from "../../src/core/consumer-state.ts";
import { must } from "../../src/core/errors.ts";
import type { Position } from "../../src/core/position.ts";
import type { Source } from "../../src/core/source.ts";
import type { TableRouter } from "../../src/core/table-binding.ts";
import type { TableRule } from "../../src/core/table-rule.ts";
import { runCompaction } from "../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../src/maintenance/compact/plan.ts";
import { planExpiry, runExpiry } from "../../src/maintenance/expire/expire.ts";
import type { JobRun, JobSummary } from "../../src/pipeline/job-run.ts";
import { runJob } from "../../src/pipeline/run-job.ts";
import type { TableSettings } from "../../src/sources/table/config.ts";
import { createTableSource } from "../../src/sources/table/source.ts";
import { upsertRule } from "./checkpoints.ts";
import { plainJob } from "./plain-job.ts";
import { virtualRuntime } from "./virtual-runtime.ts";

/** A store and a catalog that several jobs share. */
export interface Place {
  readonly io: FileIO;
  readonly catalog: Catalog;
}

/** One change of a made-up table: `values` beside the columns of its era, the key first. */
export interface EraChange {
  readonly op: "insert" | "update" | "delete" | "truncate";
  readonly columns: readonly ChangeColumn[];
  readonly values: readonly (bigint | number | string | null)[];
}

/** A crash that a test has asked for. */
export class Crash extends Error {}

/** What one run of a job gets. */
export interface RunGiven {
  readonly seed: number;
  /** The step at which it crashes; null: it does not. */
  readonly crashAfter?: number | null;
  /** Rows after which it ends; null: when it has caught up. */
  readonly maxRows?: number | null;
  readonly checkpointRows?: number;
}

/** Runs a job over a source until it has caught up, or as it is told. */
export async function runOver(
  { io, catalog }: Place,
  pipeline: string,
  rules: readonly TableRule[],
  createSource: (runtime: ReturnType<typeof virtualRuntime>) => JobRun["createSource"],
  { seed, crashAfter = null, maxRows = null, checkpointRows = 12 }: RunGiven,
): Promise<JobSummary & { readonly lines: readonly string[] }> {
  const runtime = virtualRuntime(seed);
  let left = crashAfter;
  runtime.onStep = (name) => {
    if (left !== null && left-- <= 0) throw new Crash(`at ${name}`);
  };
  const summary = await runJob({
    ...plainJob({ catalog, io }, checkpointRows),
    pipeline,
    rules,
    runtime,
    createSource: createSource(runtime),
    end: { caughtUp: true, afterMs: null, maxRows },
  });
  return { ...summary, lines: runtime.lines };
}

/** The source `table` over a place in memory. @param consumer as which it holds what it has yet to read */
export function tableSource(
  { io, catalog }: Place,
  table: string,
  given: Partial<TableSettings> = {},
  consumer: string | null = null,
): (runtime: ReturnType<typeof virtualRuntime>) => JobRun["createSource"] {
  const settings: TableSettings = {
    type: "table",
    table,
    warehouse: null,
    from: "earliest",
    onLostOffsets: "stop",
    pollMs: 1_000,
    ...given,
  };
  const open = async () => ({ io, catalog, location: "mem://w" });
  return (runtime) => (router, notices) =>
    createTableSource(settings, { open, isOwn: true, consumer, router, notices, runtime, startLimitMs: 0 });
}

/** A job that copies a table to another one. */
export async function copyTable(
  place: Place,
  from: string,
  to: string,
  given: RunGiven & {
    readonly rule?: Partial<TableRule>;
    readonly source?: Partial<TableSettings>;
    /** Whether expiry is to keep what the job has yet to read. */
    readonly holds?: boolean;
  },
) {
  const rule = upsertRule(from, { from, to, key: null, ...given.rule });
  const pipeline = to.replace(".", "-");
  const consumer = given.holds === true ? jobConsumerName(pipeline, null) : null;
  return runOver(place, pipeline, [rule], tableSource(place, from, given.source, consumer), given);
}

/** A job that writes changes to `shop.a`, up to a number of them. */
export async function writeChanges(place: Place, changes: readonly EraChange[], given: RunGiven) {
  return runOver(place, "first", [upsertRule("a")], () => (router) => eraSource(changes, router), given);
}

/** Serves changes whose columns may change from one to the next, each era of three rows at most a batch; one split. */
function eraSource(changes: readonly EraChange[], router: TableRouter): Source {
  const end: Position = new Map([["a/0", String(changes.length)]]);
  return {
    open: async () => undefined,
    startPosition: async () => new Map([["a/0", "0"]]),
    endPosition: async () => end,
    comparePoints: (a, b) => Number(a) - Number(b),
    acknowledge: async () => undefined,
    close: async () => undefined,
    async *read(from, signal) {
      let next = Number(from.get("a/0") ?? 0);
      while (!signal.aborted) {
        const run = changes.slice(next, next + 3);
        const [first] = run;
        const same = run.findIndex(({ columns }) => columns !== first?.columns);
        const taken = same < 0 ? run : run.slice(0, same);
        const batches = first === undefined ? [] : [eraBatch(taken, next, router)];
        next += taken.length;
        yield { changes: batches, ends: new Map([["a/0", String(next)]]), records: taken.length };
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

function eraBatch(changes: readonly EraChange[], first: number, router: TableRouter): ChangeBatch {
  const fields = must(changes[0], "a change").columns;
  const builders = fields.map(({ type }) => createBuilder(type));
  for (const { op, values } of changes) {
    for (const [index, builder] of builders.entries()) {
      const value = op === "truncate" || (op === "delete" && index > 0) ? null : (values[index] ?? null);
      if (value === null) builder.appendNull();
      else if (typeof value === "bigint") builder.appendI64(value);
      else if (typeof value === "number") builder.appendI32(value);
      else builder.appendString(value);
    }
  }
  return {
    table: must(router.byStream("a"), "a rule").table,
    split: "a/0",
    length: changes.length,
    ops: Uint8Array.from(changes, ({ op }) => Op[op]),
    fields,
    columns: builders.map((builder) => builder.finish()),
    absent: fields.map(() => null),
    key: ["id"],
    points: offsetPoints(BigInt64Array.from(changes, (_, index) => BigInt(first + index + 1))),
    sizeBytes: changes.length * 40,
  };
}

/** Joins all small files of a table. */
export async function compactTable(place: Place, table: string, seed: number): Promise<void> {
  const context = maintaining(place, seed);
  const loaded = must(await place.catalog.loadTable(identOf(table)), table);
  const plan = await planCompaction(context, loaded, { targetSizeBytes: 1 << 20, minFiles: 2 });
  for await (const _ of runCompaction(context, plan)) continue;
}

/**
 * Lets all snapshots of a table go but for its newest `keep` and those that somebody needs.
 * @param consumersHold how long consumers may hold theirs. @returns how many went
 */
export async function expireTable(
  place: Place,
  table: string,
  keep: number,
  seed: number,
  consumersHold: "always" | "never" = "never",
): Promise<number> {
  const context = maintaining(place, seed);
  const loaded = must(await place.catalog.loadTable(identOf(table)), table);
  const consumerHoldsMs = consumersHold === "always" ? 10n ** 15n : 0n;
  // Compactions have a clock that is ahead.
  const policy = { minSnapshotsToKeep: keep, maxSnapshotAgeMs: -(10n ** 15n), consumerHoldsMs };
  return (await runExpiry(context, await planExpiry(context, loaded, policy)))?.snapshots ?? 0;
}

function maintaining(place: Place, seed: number) {
  const runtime = virtualRuntime(seed);
  // Behind all commits of the virtual past.
  const nowMs = () => runtime.clock.nowMs() + 10 * 365 * 86_400_000;
  const clock = { ...runtime.clock, nowMs };
  return {
    ...place,
    runtime: { ...runtime, clock },
    manifests: createManifestCache(100),
    warehouseLocation: "mem://w",
  };
}

export function identOf(table: string) {
  const [namespace = "", name = ""] = table.split(".");
  return { namespace: [namespace], name };
}
