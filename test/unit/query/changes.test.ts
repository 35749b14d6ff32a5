import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FollowOptions, tableChanges } from "../../../src/query/changes.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { type Row, TestTable } from "../table-format/test-table.ts";
import { commit, jsonLines, temporaryWarehouse } from "./local-warehouse.ts";

interface Change extends Record<string, unknown> {
  readonly _op: string;
  readonly _snapshot_id: string;
  readonly id: number;
}

/** Every change, commit by commit; `onSleep` is what happens between two looks at the catalog, false = stop. */
async function changesOf(
  warehouse: Warehouse,
  table: TestTable,
  from: string,
  onSleep?: () => Promise<boolean>,
): Promise<{ commits: Change[][]; notices: string[] }> {
  const stop = new AbortController();
  const notices: string[] = [];
  const options: FollowOptions = {
    from,
    follow: onSleep !== undefined,
    stop: stop.signal,
    clock: {
      sleep: async () => {
        if (!(await onSleep!())) stop.abort();
      },
    },
    pollMs: 1,
    notice: (message) => void notices.push(message),
  };
  const commits: Change[][] = [];
  for await (const each of tableChanges(warehouse, (await warehouse.catalog.loadTable(table.ident))!, options)) {
    const rows = (await jsonLines(each)).map((line) => JSON.parse(line) as Change);
    expect(new Set(rows.map((row) => row._snapshot_id)).size).toBeLessThan(2);
    if (rows.length > 0) commits.push(rows);
  }
  return { commits, notices };
}

/** Applies changes strictly: what they say of the row before must be so. */
function apply(state: Map<number, string>, changes: readonly Change[]): void {
  const text = ({ name, day }: Change): string => JSON.stringify([name, day]);
  for (const [index, change] of changes.entries()) {
    const { _op: op, id } = change;
    if (op === "insert") expect(state.has(id), `insert of ${id}`).toBe(false);
    else if (op !== "update_after") expect(state.get(id), `${op} of ${id}`).toBe(text(change));
    if (op === "update_before") expect(changes[index + 1]).toMatchObject({ _op: "update_after", id });
    if (op === "delete") state.delete(id);
    else if (op !== "update_before") state.set(id, text(change));
  }
}

function stateOf(rows: readonly Row[]): [number, string][] {
  return rows
    .map(({ id, name, day }): [number, string] => [
      Number(id),
      JSON.stringify([name, day === null ? null : new Date(day * 86_400_000).toISOString().slice(0, 10)]),
    ])
    .sort(([a], [b]) => a - b);
}

const sorted = (state: Map<number, string>): [number, string][] => [...state].sort(([a], [b]) => a - b);
const row = (id: number, name: string | null = null): Row => ({ id: BigInt(id), name, day: null });
const tableIn = (warehouse: Warehouse) => TestTable.create(warehouse.io, warehouse.catalog, { formatVersion: 3 });

describe("the changes of a table", () => {
  const change = fc.record({
    upsert: fc.uniqueArray(
      fc.record({
        id: fc.bigInt({ min: 1n, max: 9n }),
        name: fc.constantFrom(null, "a", "b"),
        day: fc.constantFrom(null, 1, 2),
      }),
      { maxLength: 4, selector: (each) => each.id },
    ),
    delete: fc.uniqueArray(fc.bigInt({ min: 1n, max: 9n }), { maxLength: 3 }),
    rewrite: fc.integer({ min: 0, max: 4 }),
  });

  it.each([2, 3] as const)("replayed give the table at each snapshot, format version %i", async (formatVersion) => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 2, maxLength: 6 }), fc.nat(), async (changes, start) => {
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
        const history = [...table.history];
        const first = start % history.length;
        for (const [from, state, later] of [
          ["earliest", new Map<number, string>(), history],
          [String(history[first]![0]), new Map(stateOf(history[first]![1])), history.slice(first + 1)],
        ] as const) {
          const { commits } = await changesOf(warehouse, table, from);
          const byId = new Map(commits.map((rows) => [rows[0]!._snapshot_id, rows]));
          for (const [id, rows] of later) {
            apply(state, byId.get(String(id)) ?? []);
            expect(sorted(state)).toEqual(stateOf(rows));
          }
        }
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });

  it("are followed as they come, beginning with the present rows", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    await table.change({ insert: [row(1), row(2)] });
    await table.change({ insert: [row(2, "new")], delete: [2n] });
    const later = [
      () => table.change({ delete: [1n] }),
      () => Promise.resolve(),
      () => table.change({ rewrite: table.paths.slice(0, 1), operation: "replace" }),
      () => table.change({ insert: [row(3)] }),
    ];
    const { commits } = await changesOf(warehouse, table, "now", async () => {
      const next = later.shift();
      await next?.();
      return next !== undefined;
    });
    expect(commits.map((rows) => rows.map(({ _op, id }) => `${_op} ${id}`))).toEqual([
      ["insert 1", "insert 2"],
      ["delete 1"],
      ["insert 3"],
    ]);
  });

  it("begin with the next commit at `latest`, and behind a time", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    await table.change({ insert: [row(1)] });
    const time = new Date(Number(table.snapshot.timestampMs)).toISOString();
    expect((await changesOf(warehouse, table, "latest")).commits).toEqual([]);
    await table.change({ insert: [row(2)] });
    const { commits } = await changesOf(warehouse, table, time);
    expect(commits).toEqual([
      [
        {
          _op: "insert",
          _snapshot_id: String(table.snapshot.snapshotId),
          _commit_ts: new Date(Number(table.snapshot.timestampMs))
            .toISOString()
            .replace(/0+Z$/, "Z")
            .replace(/\.Z$/, "Z"),
          id: 2,
          name: null,
          day: null,
        },
      ],
    ]);
  });

  it("take back what was told when main is set back, and say so", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    await table.change({ insert: [row(1)] });
    const good = table.snapshot.snapshotId;
    await table.change({ insert: [row(1, "bad"), row(2)], delete: [1n] });
    let looks = 0;
    const { commits, notices } = await changesOf(warehouse, table, "now", async () => {
      if (++looks === 1) {
        await commit(warehouse, table.ident, [
          { action: "set-snapshot-ref", name: "main", ref: { snapshotId: good, type: "branch" } },
        ]);
      }
      return looks === 1;
    });
    expect(commits[1]!.map(({ _op, id, name }) => [_op, id, name])).toEqual([
      ["update_before", 1, "bad"],
      ["update_after", 1, null],
      ["delete", 2, null],
    ]);
    expect(notices).toEqual([expect.stringContaining(`snapshot ${good} does not follow `)]);
  });

  it("refuse a start that is gone, and say what still is", async () => {
    await using warehouse = await temporaryWarehouse();
    const table = await tableIn(warehouse);
    await table.change({ insert: [row(1)] });
    const gone = table.snapshot.snapshotId;
    await table.change({ insert: [row(2)] });
    const head = table.snapshot.snapshotId;
    await commit(warehouse, table.ident, [{ action: "remove-snapshots", snapshotIds: [gone] }]);
    await expect(changesOf(warehouse, table, String(gone))).rejects.toMatchObject({
      kind: "data",
      code: "LOST_START",
      message: expect.stringContaining(`it holds 1 from ${head} (`) as string,
    });
    // What is left begins with the oldest snapshot's rows.
    const { commits } = await changesOf(warehouse, table, "earliest");
    expect(commits.flat().map(({ _op, id }) => [_op, id])).toEqual([
      ["insert", 1],
      ["insert", 2],
    ]);
  });
});
