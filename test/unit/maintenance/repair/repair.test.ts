import { describe, expect, it } from "vitest";
import { commitReplace, soleOwner } from "../../../../src/commit/maintenance-commit.ts";
import { maintenanceNames } from "../../../../src/commit/names.ts";
import { NO_FILES } from "../../../../src/commit/snapshot-change.ts";
import { comparePlainPoints } from "../../../../src/core/compare-points.ts";
import { planHintRepair } from "../../../../src/maintenance/repair/hint.ts";
import { planLedgerRepair } from "../../../../src/maintenance/repair/ledger.ts";
import type { RepairPlan } from "../../../../src/maintenance/repair/repair.ts";
import { planDoubledRows, planDropMissing } from "../../../../src/maintenance/repair/rows.ts";
import { planStatisticsRepair } from "../../../../src/maintenance/repair/statistics.ts";
import { planTagRepair } from "../../../../src/maintenance/repair/tag.ts";
import { verifyHistory } from "../../../../src/maintenance/verify/history.ts";
import { verifyObjects } from "../../../../src/maintenance/verify/objects.ts";
import { verifyPipeline } from "../../../../src/maintenance/verify/pipeline.ts";
import { tableReferences } from "../../../../src/maintenance/verify/references.ts";
import { verifyHint } from "../../../../src/maintenance/verify/version-hint.ts";
import { countKeys } from "../../../../src/query/duplicate-keys.ts";
import { tableNow } from "../../../../src/query/as-of.ts";
import { openScratchFolder } from "../../../../src/storage/local-scratch.ts";
import {
  createManifestCache,
  currentSnapshot,
  type LoadedTable,
  planSnapshot,
} from "../../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../../support/checkpoints.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { tableRows } from "../../../support/table-rows.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";

const RULES = [upsertRule("a"), upsertRule("b")];
const LEDGER = "mem://w/_ingest/test/ledger.json";
const HINT = "mem://w/shop/a/metadata/version-hint.text";
const a = (text: string) => change("a", text);

let seeds = 500;
const contextOf = ({ io, catalog }: Warehouse) => ({
  io,
  catalog,
  warehouseLocation: "mem://w",
  runtime: virtualRuntime(++seeds),
  manifests: createManifestCache(0),
});
const ident = { namespace: ["shop"], name: "a" };
const load = async ({ catalog }: Warehouse): Promise<LoadedTable> => (await catalog.loadTable(ident))!;
const rowsOf = ({ io, catalog }: Warehouse, name = "a") => tableRows(io, catalog, { namespace: ["shop"], name });
const runAll = async ({ repairs }: RepairPlan): Promise<void> => {
  for (const { run } of repairs) await run();
};

async function keysOf(warehouse: Warehouse) {
  const { io, catalog } = warehouse;
  const at = tableNow(await load(warehouse));
  return (await countKeys({ io, catalog, location: "mem://w", localPath: null, scratch: openScratchFolder }, at, 100))!;
}

/** Three checkpoints over two tables. */
async function warehouseOf(kind: "memory" | "object-store"): Promise<Warehouse> {
  const warehouse = memoryWarehouse(kind);
  const process = await Process.start(warehouse, RULES);
  await process.checkpoint([a("+1:x:1"), change("b", "+1:y:1")]);
  await process.checkpoint([a("~1:x:2"), a("+2:x:2")]);
  await process.checkpoint([a("+3:x:3")]);
  return warehouse;
}

describe.each(["memory", "object-store"] as const)("a lost tag on a catalog of kind %s", (kind) => {
  it.each(["gone", "moved back"])("%s: comes back where main proves it, and the job goes on", async (how) => {
    const warehouse = await warehouseOf(kind);
    const foreign = new ForeignWriter(warehouse, "a");
    const before = currentSnapshot((await load(warehouse)).metadata)!;
    // Somebody else's commit on top, as a compaction is.
    await foreign.append([]).catch(() => undefined);
    if (how === "gone") await foreign.update([{ action: "remove-snapshot-ref", name: "ingest.test" }]);
    else {
      const ref = { type: "tag" as const, snapshotId: before.parentSnapshotId! };
      await foreign.update([{ action: "set-snapshot-ref", name: "ingest.test", ref }]);
    }
    expect(verifyHistory(await load(warehouse), comparePlainPoints)).toHaveLength(1);
    const plan = await planTagRepair(contextOf(warehouse), await load(warehouse));
    expect(plan).toMatchObject({ refusals: [], repairs: [{ repair: "tag", table: "shop.a" }] });
    await runAll(plan);
    expect(verifyHistory(await load(warehouse), comparePlainPoints)).toEqual([]);
    const next = await Process.start(warehouse, RULES);
    expect(next.reached.get("t/0")).toBe("5");
    await next.checkpoint([a("-1")]);
    expect(await rowsOf(warehouse)).toEqual(["2|x|2", "3|x|3"]);
  });

  it("beside main is left alone: somebody rolled the table back, and who is right is not to be guessed", async () => {
    const warehouse = await warehouseOf(kind);
    const head = currentSnapshot((await load(warehouse)).metadata)!;
    await new ForeignWriter(warehouse, "a").rollback(head.parentSnapshotId!);
    const plan = await planTagRepair(contextOf(warehouse), await load(warehouse));
    expect(plan.repairs).toEqual([]);
    expect(plan.refusals[0]?.hint).toContain("frazil rollback");
  });

  it("that is gone where main was set back, too, is left alone: the pipeline is ahead of these rows", async () => {
    const warehouse = await warehouseOf(kind);
    const { parentSnapshotId } = currentSnapshot((await load(warehouse)).metadata)!;
    await new ForeignWriter(warehouse, "a").update([
      { action: "set-snapshot-ref", name: "main", ref: { type: "branch", snapshotId: parentSnapshotId! } },
      { action: "remove-snapshot-ref", name: "ingest.test" },
    ]);
    const { repairs, refusals } = await planTagRepair(contextOf(warehouse), await load(warehouse));
    expect([repairs, refusals.length]).toEqual([[], 1]);
  });
});

describe("a lost ledger", () => {
  const place = (warehouse: Warehouse) => ({ ...contextOf(warehouse), pipeline: "test" });

  it.each(["gone", "broken", "of a higher position"])(
    "%s: is written anew, and no row is lost or doubled",
    async (how) => {
      const warehouse = await warehouseOf("object-store");
      const text = Buffer.from(await warehouse.io.read(LEDGER)).toString("utf8");
      if (how === "gone") await warehouse.io.delete(LEDGER);
      else if (how === "broken") await warehouse.io.write(LEDGER, new TextEncoder().encode(text.slice(0, 50)));
      else {
        const ahead = { ...(JSON.parse(text) as object), position: '{"t/0":"99"}' };
        await warehouse.io.write(LEDGER, new TextEncoder().encode(JSON.stringify(ahead)));
      }
      expect((await verifyPipeline(place(warehouse), comparePlainPoints)).length).toBeGreaterThan(0);
      const plan = await planLedgerRepair(place(warehouse), comparePlainPoints);
      expect(plan).toMatchObject({ refusals: [], repairs: [{ repair: "ledger", table: "test" }] });
      await runAll(plan);
      expect(await verifyPipeline(place(warehouse), comparePlainPoints)).toEqual([]);
      const next = await Process.start(warehouse, RULES);
      // Table b was idle: from its own stamp on the log is read again.
      const log = [a("+1:x:1"), change("b", "+1:y:1"), a("~1:x:2"), a("+2:x:2"), a("+3:x:3"), change("b", "+2:y:2")];
      await next.checkpoint(log.slice(Number(next.reached.get("t/0"))));
      expect(await rowsOf(warehouse)).toEqual(["1|x|2", "2|x|2", "3|x|3"]);
      expect(await rowsOf(warehouse, "b")).toEqual(["1|y|1", "2|y|2"]);
    },
  );

  it("keeps the job from starting, and from writing another one", async () => {
    const warehouse = await warehouseOf("object-store");
    await warehouse.io.delete(LEDGER);
    await expect(Process.start(warehouse, RULES)).rejects.toMatchObject({ kind: "data", code: "LEDGER_LOST" });
    expect(await warehouse.io.stat(LEDGER)).toBeNull();
  });

  it("that is right is left alone", async () => {
    expect(await planLedgerRepair(place(await warehouseOf("object-store")), comparePlainPoints)).toEqual({
      repairs: [],
      refusals: [],
    });
  });
});

describe("a wrong hint", () => {
  const plan = ({ io }: Warehouse) => planHintRepair(io, ident, "mem://w/shop/a");
  const text = async ({ io }: Warehouse) => Buffer.from(await io.read(HINT)).toString("utf8");
  const put = ({ io }: Warehouse, content: string) => io.write(HINT, new TextEncoder().encode(content));

  it.each(["gone", "nonsense", "put back"])("%s: names the newest metadata again", async (how) => {
    const warehouse = await warehouseOf("object-store");
    const right = await text(warehouse);
    const rows = await rowsOf(warehouse);
    const names: string[] = [];
    for await (const { location } of warehouse.io.list("mem://w/shop/a/metadata")) {
      if (/\/\d{5}-[^/]*\.metadata\.json$/.test(location)) names.push(location.split("/").at(-1)!.slice(0, -14));
    }
    const old = names.sort().at(-3)!;
    if (how === "gone") await warehouse.io.delete(HINT);
    else await put(warehouse, how === "nonsense" ? "7" : old);
    if (how === "put back") expect(await verifyHint(warehouse, await load(warehouse))).toHaveLength(1);
    await runAll(await plan(warehouse));
    expect(await text(warehouse)).toBe(right);
    expect(await rowsOf(warehouse)).toEqual(rows);
  });

  it("one version behind may be a commit under way, and two files of one version prove nothing", async () => {
    const warehouse = await warehouseOf("object-store");
    const { metadata, metadataLocation } = await load(warehouse);
    const before = metadata.metadataLog.at(-1)!.metadataFile;
    await put(warehouse, before.split("/").at(-1)!.slice(0, -14));
    expect(await verifyHint(warehouse, await load(warehouse))).toEqual([]);
    expect(await plan(warehouse)).toEqual({ repairs: [], refusals: [] });
    const rival = metadataLocation.replace(/-[0-9a-f-]{36}/, "-00000000-0000-4000-8000-000000000000");
    await warehouse.io.write(rival, await warehouse.io.read(metadataLocation));
    await warehouse.io.delete(HINT);
    const { repairs, refusals } = await plan(warehouse);
    expect([repairs, refusals.length]).toEqual([[], 1]);
  });
});

it("leaves the hint of a table that was made anew where another one was", async () => {
  const warehouse = await warehouseOf("object-store");
  const foreign = new ForeignWriter(warehouse, "a");
  // A log that does not reach back to the first versions.
  for (const owner of ["x", "y", "z"]) {
    const updates = new Map([
      ["write.metadata.previous-versions-max", "1"],
      ["owner", owner],
    ]);
    await foreign.update([{ action: "set-properties", updates }]);
  }
  await warehouse.io.delete(HINT);
  await warehouse.io.delete(LEDGER);
  await warehouse.io.delete("mem://w/shop/b/metadata/version-hint.text");
  await (await Process.start(warehouse, RULES)).checkpoint([a("+7:x:7")]);
  const plan = await planHintRepair(warehouse.io, ident, "mem://w/shop/a");
  expect([plan.repairs, plan.refusals.length]).toEqual([[], 1]);
  expect(await rowsOf(warehouse)).toEqual(["7|x|7"]);
});

describe("rows of one key", () => {
  it.each([3, 2] as const)("version %i: the older one goes, by sequence number", async (formatVersion) => {
    const warehouse = memoryWarehouse("memory");
    const rules = [upsertRule("a", { formatVersion })];
    const process = await Process.start(warehouse, rules);
    await process.checkpoint([a("+1:x:1"), a("+2:x:2")]);
    await new ForeignWriter(warehouse, "a").append([{ id: 2n, part: "x", value: 22n }]);
    await new ForeignWriter(warehouse, "a").append([{ id: 2n, part: "x", value: 222n }]);
    const keys = await keysOf(warehouse);
    expect([keys.rows, keys.doubledKeys, keys.doubled.length]).toEqual([4n, 1n, 3]);
    const plan = await planDoubledRows(contextOf(warehouse), await load(warehouse), keys.doubled);
    expect(plan).toMatchObject({ refusals: [], repairs: [{ repair: "duplicates", rows: 2n }] });
    await runAll(plan);
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|222"]);
    expect((await keysOf(warehouse)).doubledKeys).toBe(0n);
    // The running job goes on as after any other writer's commit.
    await process.checkpoint([a("~2:x:3"), a("-1")]);
    expect(await rowsOf(warehouse)).toEqual(["2|x|3"]);
  });

  it("of one commit stay: which is the newer is not to be guessed", async () => {
    const warehouse = await warehouseOf("memory");
    await new ForeignWriter(warehouse, "a").append([
      { id: 9n, part: "x", value: 1n },
      { id: 9n, part: "x", value: 2n },
    ]);
    const { doubled } = await keysOf(warehouse);
    const { repairs, refusals } = await planDoubledRows(contextOf(warehouse), await load(warehouse), doubled);
    expect([repairs, refusals.length]).toEqual([[], 1]);
  });

  it("stay where a compaction from before there were row ids made the older one look newer", async () => {
    const warehouse = memoryWarehouse("memory");
    const process = await Process.start(warehouse, [upsertRule("a", { formatVersion: 2 })]);
    await process.checkpoint([a("+2:x:2")]);
    const foreign = new ForeignWriter(warehouse, "a");
    await foreign.append([{ id: 2n, part: "x", value: 22n }]);
    const context = contextOf(warehouse);
    const table = await load(warehouse);
    const names = maintenanceNames(table.metadata.location, soleOwner(table), context.runtime.random);
    await commitReplace(context, table, names, {
      sinceMs: context.runtime.clock.nowMs(),
      async filesFor({ metadata }) {
        const { dataFiles } = await planSnapshot(context.io, metadata, currentSnapshot(metadata)!);
        const older = dataFiles.toSorted((one, other) => Number(one.sequenceNumber - other.sequenceNumber))[0]!;
        const filePath = names.dataFile("");
        await context.io.write(filePath, await context.io.read(older.file.filePath));
        return { ...NO_FILES, removedDataFiles: [older], addedDataFiles: [{ ...older.file, filePath }] };
      },
    });
    await foreign.update([{ action: "upgrade-format-version", formatVersion: 3 }]);
    await process.checkpoint([a("+9:x:9")]);
    const { doubled } = await keysOf(warehouse);
    expect(doubled).toHaveLength(2);
    const { repairs, refusals } = await planDoubledRows(context, await load(warehouse), doubled);
    expect([repairs, refusals.length]).toEqual([[], 1]);
  });

  it("are not looked for where DuckDB takes two keys for one", async () => {
    const warehouse = await warehouseOf("memory");
    const { io, catalog } = warehouse;
    const at = tableNow(await load(warehouse));
    const fields = at.schema.fields.map((field) => ({ ...field, type: { kind: "timestamptz_ns" } as const }));
    const place = { io, catalog, location: "mem://w", localPath: null, scratch: openScratchFolder };
    expect(await countKeys(place, { ...at, schema: { ...at.schema, fields } }, 100)).toBeNull();
  });

  it("are not deleted where somebody rewrote them meanwhile", async () => {
    const warehouse = await warehouseOf("memory");
    const foreign = new ForeignWriter(warehouse, "a");
    await foreign.append([{ id: 3n, part: "x", value: 33n }]);
    const plan = await planDoubledRows(contextOf(warehouse), await load(warehouse), (await keysOf(warehouse)).doubled);
    await foreign.compact();
    await expect(runAll(plan)).rejects.toMatchObject({ code: "TABLE_MOVED_ON" });
    expect((await rowsOf(warehouse)).length).toBe(4);
  });
});

describe("files that are gone", () => {
  it("data files are given up with their deletes, and counted by their live rows", async () => {
    const warehouse = memoryWarehouse("memory");
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([a("+1:x:1"), a("+2:x:2"), a("+3:x:3")]);
    await process.checkpoint([a("~1:x:9")]);
    const table = await load(warehouse);
    const references = await tableReferences(warehouse.io, table, table.metadata.snapshots);
    const [lost = ""] = [...references.dataRows].find(([, rows]) => rows === 3n) ?? [];
    await warehouse.io.delete(lost);
    const found = await verifyObjects(warehouse, table, references);
    expect(found.map(({ object }) => object)).toEqual([lost]);
    const plan = await planDropMissing(contextOf(warehouse), table, new Set([lost]));
    expect(plan).toMatchObject({ repairs: [{ repair: "missing-data-files", rows: 2n }] });
    await runAll(plan);
    expect(await rowsOf(warehouse)).toEqual(["1|x|9"]);
    await process.checkpoint([a("+2:x:4")]);
    expect(await rowsOf(warehouse)).toEqual(["1|x|9", "2|x|4"]);
  });

  it("statistics are forgotten", async () => {
    const warehouse = await warehouseOf("memory");
    const { snapshotId } = currentSnapshot((await load(warehouse)).metadata)!;
    const statistics = {
      snapshotId,
      path: "mem://w/shop/a/s.puffin",
      fileSizeBytes: 9n,
      footerSizeBytes: 1n,
      blobs: [],
    };
    await new ForeignWriter(warehouse, "a").update([{ action: "set-statistics", statistics }]);
    const context = contextOf(warehouse);
    const look = async () => {
      const table = await load(warehouse);
      return verifyObjects(warehouse, table, await tableReferences(warehouse.io, table, table.metadata.snapshots));
    };
    expect((await look()).map(({ object }) => object)).toEqual([statistics.path]);
    await runAll(await planStatisticsRepair(context, await load(warehouse)));
    expect(await look()).toEqual([]);
    expect(await planStatisticsRepair(context, await load(warehouse))).toEqual({ repairs: [], refusals: [] });
  });

  it("are not told where an expiry took them meanwhile", async () => {
    const warehouse = await warehouseOf("memory");
    const table = await load(warehouse);
    const references = await tableReferences(warehouse.io, table, table.metadata.snapshots);
    const [oldest] = table.metadata.snapshots;
    await new ForeignWriter(warehouse, "a").update([{ action: "remove-snapshots", snapshotIds: [oldest!.snapshotId] }]);
    await warehouse.io.delete(oldest!.manifestList);
    expect(await verifyObjects(warehouse, table, references)).toEqual([]);
  });
});
