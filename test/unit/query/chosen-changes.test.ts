import { beforeAll, describe, expect, it } from "vitest";
import { tableChanges } from "../../../src/query/changes.ts";
import { openDiff } from "../../../src/query/diff.ts";
import type { QueryWarehouse } from "../../../src/query/query-warehouse.ts";
import { rowChoice } from "../../../src/query/row-choice.ts";
import { openScan } from "../../../src/query/scan.ts";
import { tableAsOf } from "../../../src/query/as-of.ts";
import { openScratchFolder } from "../../../src/storage/local-scratch.ts";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import { type LoadedTable, MemoryCatalog } from "../../../table-format/index.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";
import { type Row, TestTable } from "../table-format/test-table.ts";
import { jsonLines } from "./local-warehouse.ts";

const SNAPSHOTS = 300;
const random = seededRandom(5);
const pick = (count: number): number => random.uint32() % count;

let warehouse: QueryWarehouse;
let table: TestTable;

beforeAll(async () => {
  const io = createMemoryStorage();
  let uuids = 0;
  const clock = {
    nowMs: () => 1_795_000_000_000,
    uuid: () => `00000000-0000-4000-8000-${String(uuids++).padStart(12, "0")}`,
  };
  const catalog = new MemoryCatalog("frazil", io, "mem://w", clock);
  warehouse = { location: "mem://w", io, catalog, localPath: null, scratch: openScratchFolder };
  table = await TestTable.create(io, catalog, { formatVersion: 3 });
  for (let turn = 0; turn < SNAPSHOTS; turn++) {
    const ids = [...new Set([pick(12), pick(12), pick(12)])];
    const isMove = turn % 6 === 5;
    await table.change(
      isMove
        ? { rewrite: table.paths, operation: "replace" }
        : {
            delete: ids.map(BigInt),
            insert: ids
              .filter(() => pick(3) > 0)
              .map((id) => ({ id: BigInt(id), name: "abc"[pick(4)] ?? null, day: pick(2) === 0 ? null : pick(3) })),
          },
    );
  }
}, 120_000);

interface Line {
  readonly _op: string;
  readonly id?: number;
  readonly name?: string | null;
  readonly day?: string | null;
}

/** A row as JSON lines have it. */
function plain({ id, name, day }: Row): { id: number; name: string | null; day: string | null } {
  return { id: Number(id), name, day: day === null ? null : new Date(day * 86_400_000).toISOString().slice(0, 10) };
}

type Plain = ReturnType<typeof plain>;
type Column = keyof Plain;

/** What comparing all rows of two states finds, of some columns of the rows that a condition holds for. */
function comparison(
  before: readonly Row[],
  after: readonly Row[],
  columns: readonly Column[],
  holds: (row: Plain) => boolean,
): Line[] {
  const side = (rows: readonly Row[]) =>
    new Map(
      rows
        .map(plain)
        .filter(holds)
        .map((each) => [each.id, each]),
    );
  const [old, now] = [side(before), side(after)];
  const chosen = (op: string, each: Plain): Line => ({
    _op: op,
    ...Object.fromEntries(columns.map((name) => [name, each[name]])),
  });
  return [...new Set([...old.keys(), ...now.keys()])]
    .sort((a, b) => a - b)
    .flatMap((id) => {
      const [was, is] = [old.get(id), now.get(id)];
      if (was === undefined) return [chosen("insert", is!)];
      if (is === undefined) return [chosen("delete", was)];
      if (columns.every((name) => was[name] === is[name])) return [];
      return [chosen("update_before", was), chosen("update_after", is)];
    });
}

/** The feed from one snapshot to another, without what tells of the commit. */
async function feed(
  from: bigint,
  to: bigint,
  given: { net?: boolean } & Parameters<typeof rowChoice>[0],
): Promise<Line[][]> {
  const at: LoadedTable = { ...table.table, metadata: { ...table.metadata, currentSnapshotId: to } };
  const { net, ...choice } = given;
  const commits: Line[][] = [];
  const options = {
    from: String(from),
    follow: false,
    stop: new AbortController().signal,
    clock: { sleep: async () => undefined },
    pollMs: 1,
    notice: (message: string) => expect.fail(message),
  };
  for await (const each of tableChanges(warehouse, at, { ...options, net, choice: rowChoice(choice) })) {
    const lines = (await jsonLines(each)).map((line) => JSON.parse(line) as Line & Record<string, unknown>);
    for (const { _snapshot_id } of lines) expect(BigInt(_snapshot_id as string)).toBe(each.snapshot.snapshotId);
    commits.push(lines.map(({ _snapshot_id, _commit_ts, ...line }) => line as Line));
  }
  return commits;
}

async function diffLines(from: bigint, to: bigint, choice: Parameters<typeof rowChoice>[0] = {}): Promise<Line[]> {
  const diff = await openDiff(warehouse, table.table, `${from}..${to}`, rowChoice(choice));
  const lines = (await jsonLines(diff)).map((line) => JSON.parse(line) as Line);
  await diff.close();
  return lines;
}

/** Two random snapshots, the earlier first, at most so many apart. */
function pair(apart: number): [bigint, readonly Row[], bigint, readonly Row[]] {
  const history = [...table.history];
  const first = pick(history.length - 1);
  const second = Math.min(history.length - 1, first + 1 + pick(apart));
  return [history[first]![0], history[first]![1], history[second]![0], history[second]![1]];
}

const EVERY = ["id", "name", "day"] as const;
const every = (): boolean => true;

describe(`between two of ${SNAPSHOTS} snapshots`, () => {
  it(
    "the net change is what comparing all rows finds, also for a diff and backwards",
    { timeout: 120_000 },
    async () => {
      for (let round = 0; round < 10; round++) {
        const [from, before, to, after] = pair(SNAPSHOTS);
        const expected = comparison(before, after, EVERY, every);
        expect((await feed(from, to, { net: true })).flat(), `${from}..${to}`).toEqual(expected);
        expect(await diffLines(from, to)).toEqual(expected);
        expect(await diffLines(to, from)).toEqual(comparison(after, before, EVERY, every));
      }
    },
  );

  it("the net change is the fold of the changes one by one", { timeout: 120_000 }, async () => {
    for (let round = 0; round < 5; round++) {
      const [from, before, to] = pair(20);
      const rows = new Map(before.map((each) => [Number(each.id), plain(each)]));
      for (const change of (await feed(from, to, {})).flat()) {
        if (change._op === "delete") rows.delete(change.id!);
        else if (change._op !== "update_before")
          rows.set(change.id!, plain({ ...change, day: null } as unknown as Row));
      }
      const folded = (await feed(from, to, { net: true })).flat();
      const net = new Map(before.map((each) => [Number(each.id), plain(each)]));
      for (const change of folded) {
        if (change._op === "delete") net.delete(change.id!);
        else if (change._op !== "update_before") net.set(change.id!, plain({ ...change, day: null } as unknown as Row));
      }
      expect(new Set(folded.filter(({ _op }) => _op !== "update_before").map(({ id }) => id)).size).toBe(
        folded.filter(({ _op }) => _op !== "update_before").length,
      );
      expect([...net].sort(([a], [b]) => a - b)).toEqual([...rows].sort(([a], [b]) => a - b));
    }
  });

  it("chosen columns and rows have the changes of the table that they make up", { timeout: 120_000 }, async () => {
    const conditions: readonly (readonly [string, (row: Plain) => boolean])[] = [
      ["name = 'a' OR id % 4 = 0 -- some", ({ id, name }) => name === "a" || id % 4 === 0],
      ["day IS NOT NULL", ({ day }) => day !== null],
      ["name <> 'b'", ({ name }) => name !== null && name !== "b"],
    ];
    for (const columns of [["name"], ["day", "id"], EVERY] as const) {
      for (const [where, holds] of conditions) {
        const [from, before, to, after] = pair(60);
        const expected = comparison(before, after, columns, holds);
        const lines = (await feed(from, to, { net: true, columns, where })).flat();
        expect(lines, `${columns.join()} where ${where}, ${from}..${to}`).toEqual(expected);
        expect(await diffLines(from, to, { columns, where })).toEqual(expected);
        for (const line of lines) expect(Object.keys(line)).toEqual(["_op", ...columns]);
      }
    }
  });

  it("parts together have every change once, a key's all in one", { timeout: 120_000 }, async () => {
    for (let round = 0; round < 4; round++) {
      const [from, before, to, after] = pair(40);
      const parts = await Promise.all(
        [0, 1, 2].map(async (index) => (await feed(from, to, { net: true, part: { index, of: 3 } })).flat()),
      );
      expect(parts.filter((lines) => lines.length > 0).length).toBeGreaterThan(1);
      const lines = parts.flat().sort((a, b) => a.id! - b.id!);
      expect(lines).toEqual(comparison(before, after, EVERY, every));
    }
  });
});

it("rows are read by columns, condition and part", async () => {
  const [id, rows] = [...table.history].find(([, each]) => each.length > 4)!;
  const read = async (given: Parameters<typeof rowChoice>[0]): Promise<string[]> => {
    const scan = await openScan(warehouse, tableAsOf(table.table, String(id)), rowChoice(given));
    const lines = await jsonLines(scan);
    await scan.close();
    return lines;
  };
  const all = rows.map((each) => JSON.stringify({ id: Number(each.id) })).sort();
  expect((await read({ columns: ["id"] })).sort()).toEqual(all);
  const parts = await Promise.all([0, 1].map((index) => read({ columns: ["id"], part: { index, of: 2 } })));
  expect(parts.every((lines) => lines.length > 0)).toBe(true);
  expect(parts.flat().sort()).toEqual(all);
  expect(await read({ columns: ["id"], where: "id < 0" })).toEqual([]);
});

it("what is chosen wrongly is named", async () => {
  const [from, , to] = pair(5);
  const wrong = (choice: Parameters<typeof rowChoice>[0]) => diffLines(from, to, choice);
  await expect(wrong({ columns: ["nmae"] })).rejects.toMatchObject({
    code: "COLUMN_NOT_FOUND",
    hint: "did you mean name?",
  });
  await expect(wrong({ where: "nmae = 1" })).rejects.toMatchObject({ kind: "config", code: "SQL_ERROR" });
  await expect(wrong({ where: "true); DROP TABLE x; SELECT (1" })).rejects.toMatchObject({ code: "SQL_ERROR" });
  await expect(wrong({ where: "id IN (SELECT 1 FROM read_text('/etc/hostname'))" })).rejects.toBeInstanceOf(Error);
  await expect(wrong({ where: "name::INTEGER > 0" })).rejects.toMatchObject({ kind: "data", code: "QUERY_FAILED" });
  await expect(async () => wrong({ part: { index: 2, of: 2 } })).rejects.toMatchObject({ code: "BAD_PART" });
});
