import { describe, expect, it } from "vitest";
import { branchCatalog } from "../../../src/commit/branch-view.ts";
import { pipelineCut } from "../../../src/commit/publish-cut.ts";
import { checkForward, fastForward } from "../../../src/commit/ref-commit.ts";
import { readStamp } from "../../../src/commit/stamp.ts";
import { writersCatalog } from "../../../src/commit/writer-branch.ts";
import { ancestors, type Catalog, identText, type TableChange } from "../../../table-format/index.ts";
import { memoryWarehouse, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { type ScriptedChange, scriptSource } from "../../support/script-source.ts";
import { compactTable, Crash, expireTable, identOf, runOver } from "../../support/table-chain.ts";
import { tableRows } from "../../support/table-rows.ts";
import { seededRandom, virtualRuntime } from "../../support/virtual-runtime.ts";

const TABLES = ["shop.a", "shop.b"];
const IDENTS = TABLES.map(identOf);
const RULES = [upsertRule("a"), upsertRule("b", { partitionBy: ["part"] })];
type Random = ReturnType<typeof seededRandom>;

/** Changes of both tables, one split. */
function script(random: Random, count: number): ScriptedChange[] {
  return Array.from({ length: count }, (): ScriptedChange => {
    const op = (["insert", "update", "update", "delete"] as const)[random.uint32() % 4] ?? "insert";
    const [stream, part] = [random.uint32() % 2 === 0 ? "a" : "b", `p${random.uint32() % 3}`];
    return { stream, op, id: BigInt(random.uint32() % 15), part, value: BigInt(random.uint32() % 1000) };
  });
}

/** What a table holds after the first changes. */
function expected(changes: readonly ScriptedChange[], table: string): string[] {
  const rows = new Map<bigint, string>();
  for (const { stream, op, id, part, value } of changes) {
    if (`shop.${stream}` !== table) continue;
    if (op === "delete") rows.delete(id);
    else rows.set(id, `${id}|${part}|${value}`);
  }
  return [...rows.values()].sort();
}

/** How far the source is in `main` of each table; none of those that were never published. */
type Published = ReadonlyMap<string, number>;

async function publishedUpTo({ catalog }: Warehouse, table: string, last: Published): Promise<number | null> {
  const metadata = (await catalog.loadTable(identOf(table)))?.metadata;
  if (metadata === undefined || metadata.currentSnapshotId === null) return null;
  for (const snapshot of ancestors(metadata, metadata.currentSnapshotId)) {
    const stamp = readStamp(snapshot);
    if (stamp !== null) return Number(stamp.position.get("t/0") ?? 0);
  }
  // Only rewrites are left of what was published: their rows are those of the last time.
  return last.get(table) ?? null;
}

/** Whoever reads `main` sees each table as a checkpoint left it. */
async function checkMain(
  warehouse: Warehouse,
  changes: readonly ScriptedChange[],
  last: Published,
): Promise<Map<string, number>> {
  const at = new Map<string, number>();
  for (const table of TABLES) {
    const position = await publishedUpTo(warehouse, table, last);
    const rows = await tableRows(warehouse.io, warehouse.catalog, identOf(table));
    expect(rows, `${table} at ${position}`).toEqual(expected(changes.slice(0, position ?? 0), table));
    if (position !== null) at.set(table, position);
  }
  return at;
}

/** All tables are as one checkpoint left them: none lacks what another one has of it. */
async function checkCut({ io, catalog }: Warehouse, changes: readonly ScriptedChange[], at: Published): Promise<void> {
  const cut = changes.slice(0, Math.max(0, ...at.values()));
  for (const table of at.keys()) {
    expect(await tableRows(io, catalog, identOf(table)), table).toEqual(expected(cut, table));
  }
}

/** A catalog that sometimes loses answers, before or after the effect. */
function lossy(catalog: Catalog, random: Random): Catalog {
  return branchless(catalog, async (changes, claim) => {
    const fate = random.uint32() % 8;
    if (fate === 0) return { outcome: "unknown", cause: new Error("lost before the effect") };
    const outcome = await catalog.commit(changes, claim);
    return fate === 1 ? { outcome: "unknown", cause: new Error("lost after the effect") } : outcome;
  });
}

function branchless(
  catalog: Catalog,
  commit: (changes: readonly TableChange[], claim?: never) => ReturnType<Catalog["commit"]>,
): Catalog {
  return new Proxy(catalog, {
    get(target, property) {
      if (property === "commit") return commit;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Publishes what there is, dying at a step or not. */
async function publishOnce(warehouse: Warehouse, seed: number, crashAfter: number | null): Promise<void> {
  const runtime = virtualRuntime(seed);
  let left = crashAfter;
  runtime.onStep = (name) => {
    if (left !== null && left-- <= 0) throw new Crash(`at ${name}`);
  };
  const { io } = warehouse;
  const catalog = lossy(warehouse.catalog, runtime.random);
  const cut = await pipelineCut({ pipeline: "test", catalog, io, warehouseLocation: "mem://w" }, "audit", () => IDENTS);
  for (const { table, snapshot } of cut) checkForward(table, "main", "audit", snapshot.snapshotId);
  const advances = cut.map(({ table, snapshot }) => ({ table, snapshotId: snapshot.snapshotId }));
  await fastForward({ catalog, runtime }, advances, "main", "audit");
}

async function survive(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof Crash)) throw error;
  });
}

describe.each(["memory", "object-store"] as const)("a job on a branch, on a catalog of kind %s", (kind) => {
  it.each(Array.from({ length: 5 }, (_, index) => index))(
    "is in main exactly once up to each publication, whatever dies (seed %i)",
    async (seed) => {
      const random = seededRandom(seed * 7919 + (kind === "memory" ? 1 : 2));
      const warehouse = memoryWarehouse(kind);
      const changes = script(random, 240);
      const job = (crashAfter: number | null, maxRows: number | null) => {
        const own = random.uint32();
        const catalog = branchCatalog(lossy(warehouse.catalog, seededRandom(own)), "audit");
        const place = { io: warehouse.io, catalog };
        const source = (runtime: ReturnType<typeof virtualRuntime>) => (router: Parameters<typeof scriptSource>[1]) =>
          scriptSource(new Map([["t/0", changes]]), router, runtime.random);
        return runOver(place, "test", RULES, source, { seed: own, crashAfter, maxRows });
      };
      let published: Published = new Map();
      for (let round = 0; round < 14; round++) {
        await survive(job(random.uint32() % 3 === 0 ? random.uint32() % 60 : null, 15 + (random.uint32() % 20)));
        expect(await checkMain(warehouse, changes, published)).toEqual(published);
        const table = TABLES[random.uint32() % 2] as string;
        const loaded = await warehouse.catalog.loadTable(identOf(table));
        const what = random.uint32() % 5;
        if (loaded !== null && what < 2) {
          // Where the job writes, or beside it: then main gives its rewrites up for what is published.
          const catalog = what === 0 ? writersCatalog(warehouse.catalog, loaded) : warehouse.catalog;
          await compactTable({ io: warehouse.io, catalog }, table, random.uint32());
        }
        if (loaded !== null && what === 2) await expireTable(warehouse, table, 1, random.uint32());
        expect(await checkMain(warehouse, changes, published)).toEqual(published);
        if (random.uint32() % 3 < 2) {
          const crashAfter = random.uint32() % 4 === 0 ? random.uint32() % 4 : null;
          await survive(publishOnce(warehouse, random.uint32(), crashAfter));
          const now = await checkMain(warehouse, changes, published);
          for (const [name, before] of published) expect(now.get(name)).toBeGreaterThanOrEqual(before);
          published = now;
          if (crashAfter === null) await checkCut(warehouse, changes, published);
        }
      }
      await job(null, null);
      await publishOnce(warehouse, random.uint32(), null);
      const end = await checkMain(warehouse, changes, published);
      expect(Math.max(...end.values())).toBe(changes.length);
      for (const ident of IDENTS) {
        const table = await warehouse.catalog.loadTable(ident);
        expect(table?.metadata.refs.get("audit")?.snapshotId, identText(ident)).toBe(table?.metadata.currentSnapshotId);
      }
    },
  );
});
