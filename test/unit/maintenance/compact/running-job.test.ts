import { expect, it } from "vitest";
import type { TableRule } from "../../../../src/core/table-rule.ts";
import { runCompaction } from "../../../../src/maintenance/compact/compact.ts";
import { type CompactPlan, planCompaction } from "../../../../src/maintenance/compact/plan.ts";
import { runJob } from "../../../../src/pipeline/run-job.ts";
import {
  type Catalog,
  type CommitOutcome,
  createManifestCache,
  deletedPositions,
  type LoadedTable,
  planSnapshot,
  readDataFile,
  type Snapshot,
  snapshotById,
  valueAt,
} from "../../../../table-format/index.ts";
import {
  change,
  memoryWarehouse,
  Process,
  storeGone,
  upsertRule,
  type Warehouse,
} from "../../../support/checkpoints.ts";
import { plainJob } from "../../../support/plain-job.ts";
import { type ScriptedChange, scriptSource } from "../../../support/script-source.ts";
import { tableRows } from "../../../support/table-rows.ts";
import { seededRandom, virtualRuntime } from "../../../support/virtual-runtime.ts";

class Crash extends Error {}
type Random = { uint32(): number };

const ident = (name: string) => ({ namespace: ["shop"], name });
const settings = { targetSizeBytes: 1 << 20, minFiles: 2 };
const TABLES = ["a", "b", "log"] as const;

function rulesOf(formatVersion: 2 | 3): TableRule[] {
  return [
    upsertRule("a", { formatVersion }),
    upsertRule("b", { formatVersion, partitionBy: ["part"] }),
    upsertRule("log", { formatVersion, mode: "append", key: null }),
  ];
}

/** Changes of keyed tables, with truncates and deletes of every key in a row, and inserts of the other. */
function script(random: Random, count: number): ScriptedChange[] {
  const changes: ScriptedChange[] = [];
  while (changes.length < count) {
    const stream = TABLES[random.uint32() % 3] as string;
    const base = { stream, part: `p${random.uint32() % 3}`, value: BigInt(random.uint32() % 100) };
    if (stream === "log") changes.push({ ...base, op: "insert", id: BigInt(changes.length) });
    else if (random.uint32() % 60 === 0) changes.push({ ...base, op: "truncate", id: 0n });
    else if (random.uint32() % 40 === 0) for (let id = 0n; id < 12n; id++) changes.push({ ...base, op: "delete", id });
    else {
      const op = (["insert", "update", "update", "delete"] as const)[random.uint32() % 4] as "insert";
      changes.push({ ...base, op, id: BigInt(random.uint32() % 12) });
    }
  }
  return changes;
}

function expected(changes: readonly ScriptedChange[], stream: string): string[] {
  const rows = new Map<bigint, string>();
  for (const { stream: of, op, id, part, value } of changes) {
    if (of !== stream) continue;
    if (op === "truncate") rows.clear();
    else if (op === "delete") rows.delete(id);
    else rows.set(id, `${id}|${part}|${value}`);
  }
  return [...rows.values()].sort();
}

/** Calls `before` ahead of every load and commit, loses answers, and crashes the caller around commits. */
function faulty(catalog: Catalog, random: Random, crashes: boolean, before: () => Promise<void>): Catalog {
  const commit = async (...given: Parameters<Catalog["commit"]>): Promise<CommitOutcome> => {
    await before();
    const fate = random.uint32() % 16;
    if (fate === 0) return { outcome: "unknown", cause: new Error("lost before the effect") };
    if (fate === 1 && crashes) throw new Crash("before the swap");
    const outcome = await catalog.commit(...given);
    if (fate === 2) return { outcome: "unknown", cause: new Error("lost after the effect") };
    if (fate === 3 && crashes) throw new Crash("after the swap");
    return outcome;
  };
  const loadTable = async (...given: Parameters<Catalog["loadTable"]>) => {
    await before();
    return catalog.loadTable(...given);
  };
  return new Proxy(catalog, {
    get(target, property) {
      if (property === "commit") return commit;
      if (property === "loadTable") return loadTable;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Another process that plans and commits compactions whenever it is asked to, with any number of commits in between. */
function compactor(warehouse: Warehouse, random: Random, seed: number) {
  const plans: CompactPlan[] = [];
  const catalog = faulty(warehouse.catalog, random, true, async () => undefined);
  const context = { io: warehouse.io, catalog, runtime: virtualRuntime(seed), manifests: createManifestCache(1_000) };
  return async (): Promise<void> => {
    if (random.uint32() % 3 !== 0) return;
    const table = await warehouse.catalog.loadTable(ident(TABLES[random.uint32() % 3] as string));
    if (table !== null) plans.push(await planCompaction(context, table, settings));
    if (random.uint32() % 2 === 0) return;
    const [plan] = plans.splice(random.uint32() % Math.max(1, plans.length), 1);
    if (plan === undefined) return;
    try {
      for await (const _ of runCompaction(context, plan));
    } catch (error) {
      if (!(error instanceof Crash)) expect(error).toMatchObject({ kind: "conflict", code: "EPOCH_CHANGED" });
    }
  };
}

/** Rows at a snapshot as text, sorted. */
async function rowsAt({ io }: Warehouse, { metadata }: LoadedTable, snapshot: Snapshot): Promise<string[]> {
  const schema = metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId)!;
  const plan = await planSnapshot(io, metadata, snapshot);
  const reader = deletedPositions(io);
  const rows: string[] = [];
  for (const { file } of plan.dataFiles) {
    const dead = await reader.of(file, plan.deletes.get(file.filePath) ?? []);
    let start = 0;
    for await (const batch of readDataFile(
      io,
      file,
      schema,
      schema.fields.map(({ id }) => id),
    )) {
      for (let row = 0; row < batch.length; row++) {
        if (!dead.has(start + row)) rows.push(batch.columns.map((column) => String(valueAt(column, row))).join("|"));
      }
      start += batch.length;
    }
  }
  return rows.toSorted();
}

it.each([
  ["memory", 3],
  ["object-store", 3],
  ["memory", 2],
] as const)(
  "compactions between any two steps of a job, on %s, version %i",
  { timeout: 120_000 },
  async (kind, version) => {
    let replaces = 0;
    for (let seed = 0; seed < 6; seed++) {
      const random = seededRandom(seed);
      const warehouse = memoryWarehouse(kind);
      const changes = script(random, 120);
      const compact = compactor(warehouse, random, seed + 9_000);
      for (let run = 0; ; run++) {
        const runtime = virtualRuntime(seed * 100 + run);
        try {
          await runJob({
            ...plainJob({ catalog: faulty(warehouse.catalog, random, run < 4, compact), io: warehouse.io }, 6),
            rules: rulesOf(version),
            runtime,
            createSource: (router) => scriptSource(new Map([["t/0", changes]]), router, runtime.random),
          });
          break;
        } catch (error) {
          if (!(error instanceof Crash)) throw new Error(`seed ${seed}, run ${run}`, { cause: error });
        }
      }
      for (const name of TABLES) {
        expect(await tableRows(warehouse.io, warehouse.catalog, ident(name)), `${seed} ${name}`).toEqual(
          expected(changes, name),
        );
        const table = (await warehouse.catalog.loadTable(ident(name)))!;
        for (const snapshot of table.metadata.snapshots) {
          if (snapshot.summary.get("operation") !== "replace") continue;
          replaces++;
          const parent = snapshotById(table.metadata, snapshot.parentSnapshotId as bigint)!;
          expect(await rowsAt(warehouse, table, snapshot)).toEqual(await rowsAt(warehouse, table, parent));
        }
      }
    }
    expect(replaces).toBeGreaterThan(25);
  },
);

it("waits for a catalog and a store that are gone while it commits", async () => {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  await process.checkpoint([change("a", "+2:x:2")]);
  const runtime = virtualRuntime(77);
  let loads = 0;
  const catalog: Catalog = new Proxy(warehouse.catalog, {
    get(target, property) {
      if (property === "loadTable")
        return async (...given: Parameters<Catalog["loadTable"]>) => {
          if (loads++ < 4) throw storeGone();
          return target.loadTable(...given);
        };
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const table = (await warehouse.catalog.loadTable(ident("a")))!;
  const place = { io: warehouse.io, catalog, runtime, manifests: createManifestCache(100) };
  const plan = await planCompaction(place, table, settings);
  let failures = 0;
  runtime.onStep = (name) => {
    if (name !== "compact.write") return;
    warehouse.fault = (operation, location) => {
      if (operation === "write" && location.endsWith(".avro") && failures++ < 3) throw storeGone();
    };
  };
  const startedMs = runtime.clock.monotonicMs();
  for await (const done of runCompaction(place, plan)) expect(done.snapshotId).not.toBeNull();
  expect([loads > 5, failures > 3]).toEqual([true, true]);
  expect(runtime.clock.monotonicMs() - startedMs).toBeGreaterThan(500);
  expect(await tableRows(warehouse.io, warehouse.catalog, ident("a"))).toEqual(["1|x|1", "2|x|2"]);
});

it.each([
  [19, "committed"],
  [21, "TOO_LATE"],
] as const)("a compaction that was suspended for %i hours: %s", async (hours, outcome) => {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  await process.checkpoint([change("a", "+2:x:2")]);
  const runtime = virtualRuntime(78);
  let sleptMs = 0;
  const clock = { ...runtime.clock, nowMs: () => runtime.clock.nowMs() + sleptMs };
  const place = { ...warehouse, runtime: { ...runtime, clock }, manifests: createManifestCache(100) };
  const plan = await planCompaction(place, (await warehouse.catalog.loadTable(ident("a")))!, settings);
  warehouse.fault = (operation, location) => {
    if (operation === "openWrite" && location.endsWith(".parquet")) sleptMs = hours * 3_600_000;
  };
  const done = Array.fromAsync(runCompaction(place, plan), ({ snapshotId }) => snapshotId !== null);
  if (outcome === "committed") expect(await done).toEqual([true]);
  else await expect(done).rejects.toMatchObject({ kind: "conflict", code: outcome });
  expect(await tableRows(warehouse.io, warehouse.catalog, ident("a"))).toEqual(["1|x|1", "2|x|2"]);
});
