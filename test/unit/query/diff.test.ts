import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openDiff } from "../../../src/query/diff.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { newSchema, type TableIdent } from "../../../table-format/index.ts";
import { type Row, TestTable } from "../table-format/test-table.ts";
import { appendColumns, commit, createTable, jsonLines, temporaryWarehouse } from "./local-warehouse.ts";

async function diffLines(warehouse: Warehouse, ident: TableIdent, range: string): Promise<string[]> {
  const diff = await openDiff(warehouse, (await warehouse.catalog.loadTable(ident))!, range);
  try {
    return await jsonLines(diff);
  } finally {
    await diff.close();
  }
}

function line(op: string, { id, name, day }: Row): string {
  const date = day === null ? null : new Date(day * 86_400_000).toISOString().slice(0, 10);
  return JSON.stringify({ _op: op, id: Number(id), name, day: date });
}

/** The net change between two states, by comparing every row of both. */
function expectedLines(before: readonly Row[], after: readonly Row[]): string[] {
  const old = new Map(before.map((row) => [row.id, row]));
  const now = new Map(after.map((row) => [row.id, row]));
  const ids = [...new Set([...old.keys(), ...now.keys()])].sort((a, b) => (a < b ? -1 : 1));
  return ids.flatMap((id) => {
    const [was, is] = [old.get(id), now.get(id)];
    if (was === undefined) return [line("insert", is!)];
    if (is === undefined) return [line("delete", was)];
    return line("", was) === line("", is) ? [] : [line("update_before", was), line("update_after", is)];
  });
}

describe("between any two snapshots of a keyed table", () => {
  const change = fc.record({
    upsert: fc.uniqueArray(
      fc.record({
        id: fc.bigInt({ min: 1n, max: 9n }),
        name: fc.constantFrom(null, "a", "b"),
        day: fc.constantFrom(null, 1, 2),
      }),
      { maxLength: 4, selector: (row) => row.id },
    ),
    delete: fc.uniqueArray(fc.bigInt({ min: 1n, max: 9n }), { maxLength: 3 }),
    rewrite: fc.integer({ min: 0, max: 9 }),
  });

  it.each([2, 3] as const)(
    "the changes are those that comparing all rows finds, format version %i",
    async (formatVersion) => {
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 2, maxLength: 5 }), async (changes) => {
          await using warehouse = await temporaryWarehouse();
          const table = await TestTable.create(warehouse.io, warehouse.catalog, { formatVersion });
          for (const each of changes) {
            const gone = new Set([...each.upsert.map(({ id }) => id), ...each.delete]);
            await table.change({
              insert: each.upsert,
              delete: [...gone],
              rewrite: each.rewrite === 0 ? table.paths.slice(0, 1) : [],
            });
          }
          const states = [...table.history];
          for (const [from, before] of states) {
            for (const [to, after] of states) {
              const found = await diffLines(warehouse, table.ident, `${from}..${to}`);
              expect(found).toEqual(expectedLines(before, after));
            }
          }
          expect(await diffLines(warehouse, table.ident, `..${states.at(-1)![0]}`)).toEqual(
            expectedLines([], states.at(-1)![1]),
          );
          expect(await diffLines(warehouse, table.ident, `${states[0]![0]}..`)).toEqual(
            expectedLines(states[0]![1], states.at(-1)![1]),
          );
        }),
        { numRuns: 6, endOnFailure: true },
      );
    },
    120_000,
  );
});

describe("a table without a key", () => {
  const ident = { namespace: ["shop"], name: "events" };
  const schema = newSchema([{ name: "_op", type: { kind: "string" }, required: false }], []);

  it("shows rows that came in the order they were written, equal ones each", async () => {
    await using warehouse = await temporaryWarehouse();
    await createTable(warehouse, ident, schema);
    const first = await appendColumns(warehouse, ident, [["c", "a"]]);
    await commit(warehouse, ident, [
      { action: "set-snapshot-ref", name: "start", ref: { snapshotId: first, type: "tag" } },
    ]);
    await appendColumns(warehouse, ident, [["b", "b", null]]);
    const lines = ['{"_op":"insert","_op:1":"b"}', '{"_op":"insert","_op:1":"b"}', '{"_op":"insert","_op:1":null}'];
    expect(await diffLines(warehouse, ident, "start..main")).toEqual(lines);
    expect(await diffLines(warehouse, ident, "main..start")).toEqual(
      lines.map((each) => each.replace("insert", "delete")),
    );
    expect(await diffLines(warehouse, ident, "start..start")).toEqual([]);
  });

  it.each(["", "..", "a", "a..b..c"])('refuses the range "%s"', async (range) => {
    await using warehouse = await temporaryWarehouse();
    await createTable(warehouse, ident, schema);
    await expect(diffLines(warehouse, ident, range)).rejects.toMatchObject({ kind: "config", code: "BAD_RANGE" });
  });

  it("says so when there is no snapshot yet", async () => {
    await using warehouse = await temporaryWarehouse();
    await createTable(warehouse, ident, schema);
    const refused = { kind: "not-found", code: "SNAPSHOT_NOT_FOUND" };
    await expect(diffLines(warehouse, ident, "..main")).rejects.toMatchObject(refused);
    await expect(diffLines(warehouse, ident, "1..")).rejects.toMatchObject(refused);
  });
});
