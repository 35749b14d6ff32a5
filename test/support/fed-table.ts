import { runCompaction } from "../../src/maintenance/compact/compact.ts";
import { type CompactPlan, planCompaction } from "../../src/maintenance/compact/plan.ts";
import type { JobObserver } from "../../src/pipeline/job-run.ts";
import { runJob } from "../../src/pipeline/run-job.ts";
import type { QueryWarehouse } from "../../src/query/query-warehouse.ts";
import { type Catalog, createManifestCache, FrazilError } from "../../table-format/index.ts";
import { upsertRule } from "./checkpoints.ts";
import { type ScriptedChange, scriptSource } from "./script-source.ts";
import { virtualRuntime } from "./virtual-runtime.ts";

/** The table that `feedTable` writes. */
export const FED_TABLE = { namespace: ["shop"], name: "t" };
const silent: JobObserver = { started() {}, progress() {}, committed() {}, notice() {} };

/** Inserts, updates that move rows between partitions, deletes of present and absent keys, keys that come back, and truncates. */
export function randomScript(random: { uint32(): number }, count: number): ScriptedChange[] {
  const ops = ["insert", "insert", "insert", "update", "update", "update", "delete", "delete"] as const;
  return Array.from({ length: count }, () => ({
    stream: "t",
    op: random.uint32() % 100 === 0 ? "truncate" : (ops[random.uint32() % ops.length] as (typeof ops)[number]),
    id: BigInt(random.uint32() % 24),
    part: `p${random.uint32() % 3}`,
    value: random.uint32() % 8 === 0 ? null : BigInt(random.uint32() % 3),
  }));
}

/** Rows by key, each as text. */
export type FedRows = ReadonlyMap<number, string>;

/** The table after the first `count` changes, by a plain map. */
export function tableAfter(changes: readonly ScriptedChange[], count: number): FedRows {
  const rows = new Map<number, string>();
  for (const { op, id, part, value } of changes.slice(0, count)) {
    if (op === "truncate") rows.clear();
    else if (op === "delete") rows.delete(Number(id));
    else rows.set(Number(id), rowText({ id: Number(id), part, value: value === null ? null : Number(value) }));
  }
  return rows;
}

/** A row as text. */
export function rowText({ id, part, value }: { id: number; part: string; value: number | null }): string {
  return `${id}|${part}|${value}`;
}

/** Runs the whole script, a checkpoint a pull, over several processes of the job. */
export async function feedTable(
  warehouse: QueryWarehouse,
  changes: readonly ScriptedChange[],
  seed: number,
  formatVersion: 2 | 3,
): Promise<void> {
  const catalog = withCompactions(warehouse, seed);
  for (let run = 0; ; run++) {
    const runtime = virtualRuntime(seed * 100 + run);
    const { reason } = await runJob({
      pipeline: "feed",
      rules: [upsertRule("t", { partitionBy: ["part"], formatVersion })],
      checkpoint: { intervalMs: 3_600_000, maxRows: 1, maxSizeBytes: 1 << 20, idleCommitMs: 3_600_000 },
      memoryBytes: 1 << 26,
      warehouseLocation: warehouse.location,
      catalog,
      io: warehouse.io,
      runtime,
      createSource: (router) => scriptSource(new Map([["t/0", changes]]), router, runtime.random),
      end: { caughtUp: true, afterMs: null, maxRows: 300 },
      stop: new AbortController().signal,
      observer: silent,
    });
    if (reason === "caught-up") return;
  }
}

/** The catalog of a job; ahead of every fourth commit somebody else compacts, by a plan that is some commits old every other time. */
function withCompactions(warehouse: QueryWarehouse, seed: number): Catalog {
  const { io, catalog } = warehouse;
  const context = { io, catalog, runtime: virtualRuntime(seed + 7_000), manifests: createManifestCache(1_000) };
  let commits = 0;
  let plan: CompactPlan | null = null;
  const commit: Catalog["commit"] = async (...given) => {
    const turn = commits++ % 8;
    const table = turn === 1 || turn === 3 ? await catalog.loadTable(FED_TABLE) : null;
    if (table !== null) plan = await planCompaction(context, table, { targetSizeBytes: 1 << 20, minFiles: 2 });
    if (plan !== null && (turn === 1 || turn === 6)) {
      const due = plan;
      plan = null;
      // A job of a newer epoch has begun since the plan.
      await Array.fromAsync(runCompaction(context, due)).catch((error: unknown) => {
        if (!(error instanceof FrazilError && error.code === "EPOCH_CHANGED")) throw error;
      });
    }
    return catalog.commit(...given);
  };
  return new Proxy(catalog, {
    get(target, property) {
      if (property === "commit") return commit;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
