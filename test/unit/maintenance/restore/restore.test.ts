import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { restoreRows } from "../../../../src/maintenance/restore/restore.ts";
import { type RestoreChoice, rowsToRestore } from "../../../../src/query/restore.ts";
import { openScratchFolder } from "../../../../src/storage/local-scratch.ts";
import {
  createManifestCache,
  currentSchema,
  currentSnapshot,
  explicitLineage,
  type LoadedTable,
  planSnapshot,
  readDataFile,
  deletedPositions,
  snapshotById,
  valueAt,
  withLineage,
} from "../../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../../support/checkpoints.ts";
import { compactNow } from "../../../support/compaction.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { tableRows } from "../../../support/table-rows.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";

const IDENT = { namespace: ["shop"], name: "a" };
const load = async ({ catalog }: Pick<Warehouse, "catalog">): Promise<LoadedTable> => (await catalog.loadTable(IDENT))!;
const head = async (warehouse: Warehouse): Promise<bigint> =>
  (await load(warehouse)).metadata.currentSnapshotId as bigint;
const rowsOf = ({ io, catalog }: Warehouse) => tableRows(io, catalog, IDENT);
let seeds = 5000;

interface Given {
  readonly choice: RestoreChoice;
  readonly from: bigint;
  readonly removeNew?: boolean;
  /** What somebody else commits between the plan and the commit. */
  readonly meanwhile?: () => Promise<unknown>;
}

async function restore(warehouse: Warehouse, { choice, from, removeNew = false, meanwhile }: Given) {
  const { io, catalog } = warehouse;
  const place = { io, catalog, location: "mem://w", localPath: null, scratch: openScratchFolder };
  const find = (base: LoadedTable) => rowsToRestore(place, base, snapshotById(base.metadata, from)!, choice, removeNew);
  const table = await load(warehouse);
  const rows = await find(table);
  await meanwhile?.();
  const runtime = virtualRuntime(++seeds);
  const done = await restoreRows(
    { io, catalog, runtime, manifests: createManifestCache(100) },
    { table, from, rows, find },
  );
  return { ...done, planned: rows };
}

/** Row ids by key. */
async function rowIds({ io, catalog }: Warehouse): Promise<Map<bigint, bigint>> {
  const { metadata } = await load({ catalog });
  const schema = withLineage(currentSchema(metadata));
  const plan = await planSnapshot(io, metadata, currentSnapshot(metadata)!);
  const ids = new Map<bigint, bigint>();
  for (const live of plan.dataFiles) {
    const dead = await deletedPositions(io).of(live.file, plan.deletes.get(live.file.filePath) ?? []);
    let start = 0;
    for await (const read of readDataFile(
      io,
      live.file,
      schema,
      schema.fields.map(({ id }) => id),
    )) {
      const batch = explicitLineage(read, live, start);
      for (let row = 0; row < batch.length; row++) {
        if (dead.has(start + row)) continue;
        ids.set(valueAt(batch.columns[0]!, row) as bigint, valueAt(batch.columns.at(-2)!, row) as bigint);
      }
      start += batch.length;
    }
  }
  return ids;
}

const a = (text: string) => change("a", text);

describe.each([
  ["memory", 3],
  ["memory", 2],
  ["object-store", 3],
] as const)("restoring rows on a catalog of kind %s, format version %i", (kind, formatVersion) => {
  const rules = [upsertRule("a", { formatVersion, partitionBy: ["part"] })];

  it("brings back changed and deleted rows, and leaves later ones unless they are to go", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, rules);
    await process.checkpoint([a("+1:x:1"), a("+2:x:2"), a("+3:y:3")]);
    const from = await head(warehouse);
    await process.checkpoint([a("~1:y:10"), a("-2"), a("~3:y:30"), a("+4:x:4")]);
    const choice = { keys: ["1", "2", "4", "99"] };

    const kept = await restore(warehouse, { choice, from });
    expect(kept.planned).toMatchObject({ removed: [], newer: 1 });
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|2", "3|y|30", "4|x|4"]);
    const removed = await restore(warehouse, { choice, from, removeNew: true });
    expect(removed.planned.rows).toEqual([]);
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|2", "3|y|30"]);
    expect((await restore(warehouse, { choice, from, removeNew: true })).snapshotId).toBeNull();
  });

  it("takes the rows that a condition was true of then, by the table's names", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, rules);
    await process.checkpoint([a("+1:x:1"), a("+2:y:2"), a("+3:x:3")]);
    const from = await head(warehouse);
    await process.checkpoint([a("~1:y:1"), a("~2:x:2"), a("~3:x:9"), a("+5:x:5"), a("+6:y:6")]);
    await restore(warehouse, { choice: { where: "part = 'x' -- those" }, from, removeNew: true });
    // 2 is none of them: it was y then. 5 is x now and was not there.
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|2", "3|x|3", "6|y|6"]);
  });

  it("moves no tag, and what a running job commits later wins", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, rules);
    await process.checkpoint([a("+1:x:1"), a("+2:x:2"), a("+3:x:3")]);
    const from = await head(warehouse);
    await process.checkpoint([a("~1:x:10"), a("~2:x:20"), a("-3")]);
    const tagged = (await load(warehouse)).metadata.refs.get("ingest.test");
    const before = await rowIds(warehouse);
    await restore(warehouse, { choice: { where: "true" }, from });
    expect((await load(warehouse)).metadata.refs.get("ingest.test")).toEqual(tagged);
    const after = await rowIds(warehouse);
    if (formatVersion === 3) expect([after.get(1n), after.get(2n)]).toEqual([before.get(1n), before.get(2n)]);
    await process.checkpoint([a("~1:y:100"), a("-3"), a("+4:x:4")]);
    expect(await rowsOf(warehouse)).toEqual(["1|y|100", "2|x|2", "4|x|4"]);
    const next = await Process.start(warehouse, rules);
    await next.checkpoint([a("~2:x:200"), a("~4:y:400")]);
    expect(await rowsOf(warehouse)).toEqual(["1|y|100", "2|x|200", "4|y|400"]);
  });

  it("looks again when somebody commits between plan and commit", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, rules);
    await process.checkpoint([a("+1:x:1"), a("+2:x:2")]);
    const from = await head(warehouse);
    await process.checkpoint([a("~1:x:10")]);
    const meanwhile = () => process.checkpoint([a("~1:y:11"), a("-2")]);
    const done = await restore(warehouse, { choice: { keys: ["1", "2"] }, from, meanwhile });
    expect([done.planned.rows.length, done.rows.rows.length]).toEqual([1, 2]);
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|2"]);
  });
});

it("takes no number for a key that it only comes near to, and no keys that could be mixed up", async () => {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([a("+2:x:2")]);
  const from = await head(warehouse);
  await process.checkpoint([a("~2:x:3")]);
  await expect(restore(warehouse, { choice: { keys: ["1.5"] }, from })).rejects.toMatchObject({ code: "BAD_KEYS" });
  const { io, catalog } = warehouse;
  const { metadata, ...table } = await load(warehouse);
  const schemas = metadata.schemas.map((schema) => ({
    ...schema,
    fields: schema.fields.map((field) => ({ ...field, type: { kind: "timestamptz_ns" } as const })),
  }));
  const place = { io, catalog, location: "mem://w", localPath: null, scratch: openScratchFolder };
  const then = snapshotById(metadata, from)!;
  await expect(
    rowsToRestore(place, { ...table, metadata: { ...metadata, schemas } }, then, { where: "true" }, false),
  ).rejects.toMatchObject({ kind: "unsupported", code: "KEY_TYPE" });
});

describe("restoring rows at random", () => {
  const key = fc.integer({ min: 1, max: 8 });
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(
        fc.constant("job" as const),
        fc.array(fc.tuple(key, fc.integer({ min: -1, max: 9 })), { minLength: 1, maxLength: 6 }),
      ),
    },
    { weight: 1, arbitrary: fc.tuple(fc.constant("compact" as const), fc.constant([])) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constant("foreign" as const), fc.array(fc.tuple(key, fc.constant(-1)), { maxLength: 2 })),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(
        fc.constant("restore" as const),
        fc.array(fc.tuple(key, fc.nat(30)), { minLength: 1, maxLength: 5 }),
      ),
    },
  );

  it("comes to the model, among jobs, compactions and commits of others", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: 9 }),
        fc.boolean(),
        fc.constantFrom(2, 3),
        async (steps, removeNew, version) => {
          const warehouse = memoryWarehouse("memory");
          const process = await Process.start(warehouse, [
            upsertRule("a", { formatVersion: version, partitionBy: ["part"] }),
          ]);
          await process.checkpoint([a("+1:p0:0")]);
          const model = new Map<number, string>([[1, "1|p0|0"]]);
          const states: [bigint, Map<number, string>][] = [[await head(warehouse), new Map(model)]];
          const foreign = new ForeignWriter(warehouse, "a");
          for (const [kind, keys] of steps) {
            if (kind === "job") {
              await process.checkpoint(
                keys.map(([id, value]) => a(value < 0 ? `-${id}` : `~${id}:p${value % 2}:${value}`)),
              );
              for (const [id, value] of keys) {
                if (value < 0) model.delete(id);
                else model.set(id, `${id}|p${value % 2}|${value}`);
              }
            } else if (kind === "compact") {
              await compactNow(warehouse, process);
            } else if (kind === "foreign") {
              const ids = [...new Set(keys.map(([id]) => id))].filter((id) => model.has(id));
              if (version === 3 && ids.length > 0) {
                await foreign.replace(ids.map(BigInt), []);
                for (const id of ids) model.delete(id);
              }
            } else {
              const [from, state] = states[(keys[0]?.[1] ?? 0) % states.length]!;
              const ids = [...new Set(keys.map(([id]) => id))];
              await restore(warehouse, { choice: { keys: ids.map(String) }, from, removeNew });
              for (const id of ids) {
                const then = state.get(id);
                if (then !== undefined) model.set(id, then);
                else if (removeNew) model.delete(id);
              }
            }
            states.push([await head(warehouse), new Map(model)]);
            expect(await rowsOf(warehouse)).toEqual([...model.values()].sort());
          }
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);
});
