import fc from "fast-check";
import { expect, it } from "vitest";
import {
  currentSchema,
  explicitLineage,
  planSnapshot,
  readDataFile,
  snapshotById,
  valueAt,
  deletedPositions,
  withLineage,
} from "../../../../table-format/index.ts";
import { runCompaction } from "../../../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../../../src/maintenance/compact/plan.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../../support/checkpoints.ts";
import { IDENT, loaded, place } from "../../../support/maintenance.ts";
import { tableRows } from "../../../support/table-rows.ts";

const settings = { targetSizeBytes: 1 << 20, minFiles: 2 };

/** `id|row id|sequence number` of every live row. */
async function lineage(warehouse: Warehouse): Promise<string[]> {
  const { metadata } = await loaded(warehouse);
  const plan = await planSnapshot(
    warehouse.io,
    metadata,
    snapshotById(metadata, metadata.currentSnapshotId as bigint)!,
  );
  const schema = withLineage(currentSchema(metadata));
  const rows: string[] = [];
  for (const live of plan.dataFiles) {
    const dead = await deletedPositions(warehouse.io).of(live.file, plan.deletes.get(live.file.filePath) ?? []);
    let start = 0;
    const ids = schema.fields.map(({ id }) => id);
    for await (const batch of readDataFile(warehouse.io, live.file, schema, ids)) {
      const { columns } = explicitLineage(batch, live, start);
      for (let row = 0; row < batch.length; row++) {
        if (dead.has(start + row)) continue;
        rows.push([columns[0], columns.at(-2), columns.at(-1)].map((column) => valueAt(column!, row)).join("|"));
      }
      start += batch.length;
    }
  }
  return rows.toSorted();
}

const changes = fc.array(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: -1, max: 99 })), {
  minLength: 1,
  maxLength: 6,
});

it.each([2, 3] as const)(
  "changes between a compaction's plan and its commit stay, in format version %i",
  async (formatVersion) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(changes, fc.boolean()), { minLength: 3, maxLength: 9 }), async (script) => {
        const warehouse = memoryWarehouse("memory");
        const process = await Process.start(warehouse, [upsertRule("a", { formatVersion })]);
        const model = new Map<number, number>();
        const apply = async (some: readonly (readonly [number, number])[]): Promise<void> => {
          await process.checkpoint(some.map(([id, value]) => change("a", value < 0 ? `-${id}` : `~${id}:x:${value}`)));
          for (const [id, value] of some)
            if (value < 0) model.delete(id);
            else model.set(id, value);
        };
        await apply([
          [0, 1],
          [1, 1],
          [2, 1],
        ]);
        for (const [some, compacts] of script) {
          const plan = compacts
            ? await planCompaction(place(warehouse, process), await loaded(warehouse), settings)
            : null;
          await apply(some);
          if (plan !== null) {
            const before = formatVersion === 3 ? await lineage(warehouse) : [];
            for await (const done of runCompaction(place(warehouse, process), plan))
              expect(done.filesBefore).toBeGreaterThan(0);
            if (formatVersion === 3) expect(await lineage(warehouse)).toEqual(before);
          }
          const rows = await tableRows(warehouse.io, warehouse.catalog, IDENT);
          expect(rows).toEqual([...model].map(([id, value]) => `${id}|x|${value}`).toSorted());
        }
      }),
      { numRuns: 60 },
    );
  },
);

it("does not commit once a newer process has taken the pipeline over", async () => {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  await process.checkpoint([change("a", "+2:x:2")]);
  const plan = await planCompaction(place(warehouse, process), await loaded(warehouse), settings);
  const here = place(warehouse, process);
  // Another process starts while the rewrite rests between two batches.
  const sleep = async (): Promise<void> => void (starting ??= await Process.start(warehouse, [upsertRule("a")]));
  let starting: Process | undefined;
  let now = 0;
  const runtime = { ...here.runtime, clock: { ...here.runtime.clock, sleep, monotonicMs: () => (now += 3) } };
  const running = runCompaction({ ...here, runtime }, plan).next();
  await expect(running).rejects.toMatchObject({ code: "EPOCH_CHANGED" });
  const { metadata } = await loaded(warehouse);
  expect(metadata.snapshots.filter(({ summary }) => summary.get("operation") === "replace")).toEqual([]);
  expect([...metadata.refs.keys()]).toEqual(["main", "ingest.test"]);
});
