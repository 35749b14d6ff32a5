import fc from "fast-check";
import { expect, test } from "vitest";
import { parsePartitionBy } from "../../../../table-format/index.ts";
import { type ChangedRows, diffSnapshots } from "../../../../table-format/scan/changelog.ts";
import { ROW_SCHEMA, type Row, TestTable } from "../test-table.ts";

/** A step of a table's life: ids written new or again, ids taken out, and whether some files are rewritten. */
const step = fc.record({
  upsert: fc.uniqueArray(fc.nat(25), { maxLength: 6 }),
  remove: fc.uniqueArray(fc.nat(25), { maxLength: 4 }),
  rewrite: fc.nat(9),
});
const life = fc.record({
  formatVersion: fc.constantFrom(2 as const, 3 as const),
  partitioned: fc.boolean(),
  steps: fc.array(step, { minLength: 2, maxLength: 9 }),
});

async function live({ formatVersion, partitioned, steps }: typeof life extends fc.Arbitrary<infer T> ? T : never) {
  const table = await TestTable.inMemory({
    formatVersion,
    properties: new Map([["commit.manifest.min-count-to-merge", "3"]]),
    ...(partitioned ? { spec: parsePartitionBy(["bucket(2, id)"], ROW_SCHEMA) } : {}),
  });
  let version = 0;
  for (const { upsert, remove, rewrite } of steps) {
    version++;
    await table.change({
      insert: upsert.map((id) => ({ id: BigInt(id), name: `v${version}`, day: null })),
      delete: [...upsert, ...remove].map(BigInt),
      rewrite: rewrite < 2 ? table.paths.slice(rewrite, rewrite + 2) : [],
    });
  }
  return table;
}

const text = (row: Row) => `${row.id} ${row.name}`;

/** The rows that a list names, as `path#position row`. */
function rowsOf(table: TestTable, changed: readonly ChangedRows[]): { place: string; row: string }[] {
  return changed.flatMap(({ file, positions }) => {
    const rows = table.written.get(file.filePath)!;
    const chosen = positions === null ? rows.keys() : positions.toArray();
    return [...chosen].map((position) => ({ place: `${file.filePath}#${position}`, row: text(rows[position]!) }));
  });
}

test("between any two snapshots, in either direction, the lists turn one's rows into the other's", async () => {
  await fc.assert(
    fc.asyncProperty(life, async (given) => {
      const table = await live(given);
      const ids = [null, ...table.history.keys()];
      const rowsAt = (id: bigint | null) => (id === null ? [] : table.history.get(id)!.map(text));
      const snapshot = (id: bigint | null) => table.metadata.snapshots.find((each) => each.snapshotId === id) ?? null;
      for (const from of ids) {
        for (const to of ids) {
          if (to === null) continue;
          const plan = await diffSnapshots(table.io, table.metadata, snapshot(from), snapshot(to)!);
          const inserted = rowsOf(table, plan.inserted);
          const deleted = rowsOf(table, plan.deleted);
          // The same place on both sides would be no difference.
          const places = new Set(inserted.map(({ place }) => place));
          expect(deleted.filter(({ place }) => places.has(place))).toEqual([]);
          const rows = rowsAt(from);
          for (const { row } of deleted) {
            const at = rows.indexOf(row);
            expect(at, `${row} is deleted and was not there`).toBeGreaterThanOrEqual(0);
            rows.splice(at, 1);
          }
          expect([...rows, ...inserted.map(({ row }) => row)].sort()).toEqual(rowsAt(to).sort());
        }
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);

test("data files that did not change are not looked at", async () => {
  const table = await TestTable.inMemory({ formatVersion: 3 });
  const row = (id: number): Row => ({ id: BigInt(id), name: "n", day: null });
  const first = await table.change({ insert: [row(1), row(2)] });
  await table.change({ insert: [row(3), row(4)] });
  const second = await table.change({ insert: [row(5)], delete: [1n] });
  const read: string[] = [];
  const io = Object.create(table.io, {
    read: { value: (location: string) => (read.push(location), table.io.read(location)) },
    readRange: {
      value: (location: string, offset: number, length: number) => (
        read.push(location),
        table.io.readRange(location, offset, length)
      ),
    },
  }) as typeof table.io;
  const plan = await diffSnapshots(io, table.metadata, first, second);
  expect(
    plan.deleted.map(({ file, positions }) => [table.written.get(file.filePath)!.length, [...positions!.toArray()]]),
  ).toEqual([[2, [0]]]);
  expect(plan.inserted.map(({ positions }) => positions)).toEqual([null, null]);
  expect(read.filter((location) => location.endsWith(".parquet"))).toEqual([]);
});
