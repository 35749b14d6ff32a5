import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { currentSnapshot, type Snapshot, valueAt } from "../../../../table-format/index.ts";
import { type ChangeColumn, Op } from "../../../../src/core/change-batch.ts";
import type { Position } from "../../../../src/core/position.ts";
import type { SourceBatch } from "../../../../src/core/source.ts";
import type { TableRule } from "../../../../src/core/table-rule.ts";
import { RuleRouter } from "../../../../src/sink/layout/router.ts";
import type { TableSettings } from "../../../../src/sources/table/config.ts";
import { createTableSource } from "../../../../src/sources/table/source.ts";
import { memoryWarehouse, upsertRule, type Warehouse } from "../../../support/checkpoints.ts";
import { ForeignTable } from "../../../support/foreign-table.ts";
import {
  compactTable,
  copyTable,
  type EraChange,
  expireTable,
  identOf,
  tableSource,
  writeChanges,
} from "../../../support/table-chain.ts";
import { tableRows } from "../../../support/table-rows.ts";
import { seededRandom, virtualRuntime } from "../../../support/virtual-runtime.ts";

const COLUMNS: ChangeColumn[] = [
  { name: "id", type: { kind: "long" }, required: true },
  { name: "note", type: { kind: "string" }, required: false },
];

/** `+1:a` inserts, `~1:b` updates, `-1` deletes, `!` truncates. */
function changes(...texts: readonly string[]): EraChange[] {
  return texts.map((text) => {
    const op = ({ "+": "insert", "~": "update", "-": "delete", "!": "truncate" } as const)[text[0] as "+"];
    const [id = "", note = null] = text.slice(1).split(":");
    return { op, columns: COLUMNS, values: [BigInt(id), note] };
  });
}

interface Opened {
  readonly rule?: Partial<TableRule>;
  readonly settings?: Partial<TableSettings>;
}

async function open(place: Warehouse, { rule, settings }: Opened = {}) {
  const router = new RuleRouter([upsertRule("x", { from: "shop.a", key: null, ...rule })], new Map());
  const runtime = virtualRuntime(1);
  const notices = { inferred() {}, unrouted() {} };
  const source = tableSource(place, "shop.a", settings)(runtime)(router, notices, null);
  await source.open();
  return { source, runtime };
}

const NAMES = new Map<number, string>(Object.entries(Op).map(([name, op]) => [op, name]));

function told({ changes: batches }: SourceBatch): { readonly text: string; readonly after: string }[] {
  return batches.flatMap(({ length, ops, columns, points }) =>
    Array.from({ length }, (_, row) => ({
      text: [NAMES.get(ops[row] as number), ...columns.map((column) => String(valueAt(column, row)))].join(" "),
      after: points.after(row),
    })),
  );
}

/** Everything up to where the source is idle. */
async function drain(place: Warehouse, from: Position | null, given: Opened = {}) {
  const { source, runtime } = await open(place, given);
  const rows: { readonly text: string; readonly after: string }[] = [];
  let ends = from ?? (await source.startPosition());
  const stop = new AbortController();
  for await (const batch of source.read(ends, stop.signal)) {
    if (batch.ends.size === 0) stop.abort();
    ends = new Map([...ends, ...batch.ends]);
    rows.push(...told(batch));
  }
  const end = await source.endPosition();
  return { texts: rows.map(({ text }) => text), rows, ends, end, ids: source.streamIds?.(), lines: runtime.lines };
}

/** A commit of another engine: keys and notes. */
const COMMIT = fc.record({
  how: fc.constantFrom("merge", "delete", "compact", "copied"),
  rows: fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom("a", "b", "c")), { maxLength: 5 }),
});

/** What an upsert table with these rows becomes by the changes. */
function played(rows: readonly string[], texts: readonly string[]): string[] {
  const state = new Map(rows.map((row) => [row.split("|")[0], row]));
  for (const text of texts) {
    const [op, id, note] = text.split(" ");
    if (op === "truncate") state.clear();
    else if (op === "delete") expect(state.delete(id), text).toBe(true);
    else {
      expect(state.has(id), text).toBe(op === "update");
      state.set(id, `${id}|${note}`);
    }
  }
  return [...state.values()].sort();
}

async function headOf(place: Warehouse): Promise<Snapshot> {
  const loaded = await place.catalog.loadTable(identOf("shop.a"));
  return currentSnapshot(loaded?.metadata as never) as Snapshot;
}

/** Each list is a checkpoint, and so a snapshot. */
async function write(place: Warehouse, ...checkpoints: readonly (readonly string[])[]): Promise<string[]> {
  for (const texts of checkpoints) {
    written.push(...changes(...texts));
    await writeChanges(place, written, { seed: written.length, checkpointRows: 1_000 });
  }
  return tableRows(place.io, place.catalog, identOf("shop.a"));
}

let seeds = 0;
const written: EraChange[] = [];
afterEach(() => void written.splice(0));

describe("a table as a source", () => {
  it("gives the rows of the first snapshot, then the changes of each later one, by key", async () => {
    const place = memoryWarehouse("memory");
    await write(place, ["+1:a", "+2:b"]);
    const from = String((await headOf(place)).snapshotId);
    await write(place, ["~1:c", "-2", "+3:d"], ["+4:e"]);
    const { texts, ends, end } = await drain(place, null, { settings: { from } });
    expect(texts).toEqual(["insert 1 a", "insert 2 b", "delete 2", "update 1 c", "insert 3 d", "insert 4 e"]);
    expect(ends).toEqual(end);
    const history = await drain(place, null, { settings: { from }, rule: { mode: "history" } });
    expect(history.texts.slice(2)).toEqual([
      "updateBefore 1 a",
      "delete 2 b",
      "update 1 c",
      "insert 3 d",
      "insert 4 e",
    ]);
  });

  it("gives the same from every point on, over compaction", async () => {
    const random = seededRandom(3);
    for (let round = 0; round < 2; round++) {
      const place = memoryWarehouse("memory");
      written.splice(0);
      for (let n = 0; n < 6; n++) {
        const texts = Array.from({ length: 1 + (random.uint32() % 6) }, () => {
          const id = random.uint32() % 8;
          return random.uint32() % 4 === 0 ? `-${id}` : `+${id}:v${random.uint32() % 50}`;
        });
        await write(place, texts);
        if (random.uint32() % 3 === 0) await compactTable(place, "shop.a", n);
      }
      for (const mode of ["upsert", "history"] as const) {
        const { rows } = await drain(place, null, { rule: { mode } });
        for (const [index, { after }] of rows.entries()) {
          const rest = await drain(place, new Map([["shop.a/0", after]]), { rule: { mode } });
          expect(rest.rows, `behind ${after}`).toEqual(rows.slice(index + 1));
        }
      }
    }
  });

  it("passes compactions over", async () => {
    const place = memoryWarehouse("memory");
    await write(place, ["+1:a"], ["+2:b"], ["+3:c"]);
    const before = await drain(place, null);
    await compactTable(place, "shop.a", 1);
    const after = await drain(place, before.ends);
    expect(after.texts).toEqual([]);
    expect(after.ends).toEqual(after.end);
    expect(after.ends).not.toEqual(before.ends);
  });

  it("tells a truncate in one change, and history tables each row", async () => {
    const place = memoryWarehouse("memory");
    await write(place, ["+1:a", "+2:b"]);
    const { ends } = await drain(place, null);
    await write(place, ["!0"]);
    expect((await drain(place, ends)).texts).toEqual(["truncate"]);
    expect((await drain(place, ends, { rule: { mode: "history" } })).texts).toEqual(["delete 1 a", "delete 2 b"]);
    await write(place, ["!0", "+5:e"]);
    expect((await drain(place, ends)).texts).toEqual(["truncate", "insert 5 e"]);
  });

  it("leaves out rows that another engine copied without a change", async () => {
    const place = memoryWarehouse("memory");
    await write(place, ["+1:a", "+2:b", "+3:c", "+4:d"], ["~4:d2"]);
    const foreign = new ForeignTable(place, identOf("shop.a"));
    const { ends } = await drain(place, null);
    await foreign.copyOnWrite((row) => {
      if (row["id"] === 2n) return null;
      return row["id"] === 3n ? { ...row, note: "c2" } : row;
    });
    expect((await drain(place, ends)).texts).toEqual(["delete 2", "update 3 c2"]);
    expect((await drain(place, ends, { rule: { mode: "history" } })).texts).toEqual([
      "delete 2 b",
      "updateBefore 3 c",
      "update 3 c2",
    ]);
  });

  it("gives the changes between any two of its snapshots, whoever made them", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(COMMIT, { minLength: 1, maxLength: 6 }), async (commits) => {
        const place = memoryWarehouse("memory");
        written.splice(0);
        const states = [await write(place, ["+0:first"])];
        const points = [(await drain(place, null)).ends];
        const foreign = new ForeignTable(place, identOf("shop.a"));
        for (const { how, rows } of commits) {
          const ids = new Set(rows.map(([id]) => BigInt(id)));
          const added = [...new Map(rows).entries()].map(([id, note]) => ({ id: BigInt(id), note }));
          if (how === "merge") await foreign.replace(({ id }) => ids.has(id as bigint), added);
          else if (how === "delete") await foreign.replace(({ id }) => ids.has(id as bigint), []);
          else if (how === "compact") await foreign.rewrite();
          else await foreign.copyOnWrite((row) => (ids.has(row["id"] as bigint) ? { ...row, note: how } : row));
          states.push(await tableRows(place.io, place.catalog, identOf("shop.a")));
          points.push((await drain(place, points.at(-1) as Position)).ends);
        }
        for (const [index, from] of points.entries()) {
          const { texts } = await drain(place, from);
          expect(played(states[index] as string[], texts)).toEqual(states.at(-1));
        }
      }),
      { numRuns: 15 },
    );
  });

  it("counts what is to be read", async () => {
    const place = memoryWarehouse("memory");
    await write(place, ["+1:a", "+2:b"], ["~1:c", "+3:d"]);
    const { source } = await open(place);
    const lag = async (from: string) =>
      source.countBetween?.(from, [...(await source.endPosition()).values()][0] as string);
    const { rows, ends } = await drain(place, null, { rule: { mode: "history" } });
    expect(await lag([...(await source.startPosition()).values()][0] as string)).toBe(BigInt(rows.length));
    expect(await lag(rows[1]?.after as string)).toBe(BigInt(rows.length - 2));
    expect(await lag([...ends.values()][0] as string)).toBe(0n);
    expect(await lag("1:99")).toBeNull();
  });

  it("leaves a table alone that is read and written by one job", async () => {
    const place = memoryWarehouse("memory");
    await write(place, ["+1:a"]);
    await expect(open(place, { rule: { to: "shop.a" } })).rejects.toMatchObject({ code: "OWN_TABLE", kind: "config" });
    await expect(open(place, { rule: { from: "other" } })).rejects.toMatchObject({ code: "NO_TABLES" });
  });

  it("says so when the table is not there, and ends its wait when it is closed", async () => {
    const place = memoryWarehouse("memory");
    const absent = { code: "TABLE_DROPPED", message: "table shop.a, which is read, does not exist" };
    await expect(open(place)).rejects.toMatchObject(absent);
    const router = new RuleRouter([upsertRule("x", { from: "shop.a" })], new Map());
    const { clock, log, random } = virtualRuntime(1);
    const source = createTableSource(
      { type: "table", table: "shop.a", warehouse: null, from: "earliest", onLostOffsets: "stop", pollMs: 1_000 },
      {
        open: async () => ({ ...place, location: "mem://w" }),
        isOwn: true,
        consumer: null,
        router,
        notices: { inferred() {}, unrouted() {} },
        runtime: { log, random, clock: { ...clock, sleep: async () => source.close() } },
        startLimitMs: Infinity,
      },
    );
    await expect(source.open()).rejects.toMatchObject(absent);
  });

  it("refuses an update for an append table", async () => {
    const place = memoryWarehouse("memory");
    await write(place, ["+1:a"]);
    const copy = () => copyTable(place, "shop.a", "shop.x", { seed: ++seeds, rule: { mode: "append" } });
    await copy();
    await write(place, ["+2:b"]);
    await copy();
    await write(place, ["~1:c"]);
    await expect(copy()).rejects.toMatchObject({ code: "APPEND_CHANGE", kind: "data" });
    expect(await tableRows(place.io, place.catalog, identOf("shop.x"))).toEqual(["1|a", "2|b"]);
  });
});

describe("a position that is lost", () => {
  it("by expiry: says what is held; on_lost_offsets reads the table anew", async () => {
    const place = memoryWarehouse("memory");
    await write(place, ["+1:a", "+2:b"], ["+3:c"]);
    const copy = (settings: Partial<TableSettings>, seed: number) =>
      copyTable(place, "shop.a", "shop.x", { seed, source: settings });
    await copy({}, 1);
    const rows = await write(place, ["-1"], ["-2", "~3:d"], ["+4:e"]);
    await expireTable(place, "shop.a", 2, 1);
    await expect(copy({}, 2)).rejects.toMatchObject({
      code: "LOST_OFFSETS",
      kind: "data",
      message: expect.stringMatching(
        /behind snapshot \d+; .*expired.*; it holds \d+ from \d+ \(2026.*\) to \d+/,
      ) as string,
      hint: expect.stringContaining("on_lost_offsets") as string,
    });
    for (const [seed, onLostOffsets] of [
      [3, "earliest"],
      [4, "stop"],
    ] as const) {
      const { lines } = await copy({ onLostOffsets }, seed);
      expect(lines.some((line) => line.startsWith("The position is lost"))).toBe(onLostOffsets !== "stop");
      expect(await tableRows(place.io, place.catalog, identOf("shop.x"))).toEqual(rows);
    }
  });

  it("by expiry: an append table goes on behind the gap, and holds nothing twice", async () => {
    const place = memoryWarehouse("memory");
    const copy = (settings: Partial<TableSettings> = {}) =>
      copyTable(place, "shop.a", "shop.x", { seed: ++seeds, rule: { mode: "append" }, source: settings });
    await write(place, ["+1:a"]);
    await copy();
    await write(place, ["+2:b"], ["+3:c"], ["+4:d"]);
    await expireTable(place, "shop.a", 2, 1);
    await expect(copy()).rejects.toMatchObject({ code: "LOST_OFFSETS" });
    await copy({ onLostOffsets: "earliest" });
    await write(place, ["+5:e"]);
    await copy();
    const held = await tableRows(place.io, place.catalog, identOf("shop.x"));
    expect(new Set(held).size).toBe(held.length);
    expect(held).toEqual(expect.arrayContaining(["1|a", "4|d", "5|e"]));
    expect(held.length).toBeLessThan(5);
  });

  it("by a rollback: the error says so; on_lost_offsets reads the table anew", async () => {
    const place = memoryWarehouse("memory");
    await write(place, ["+1:a"]);
    const back = await headOf(place);
    await write(place, ["+2:b"]);
    const copy = (settings: Partial<TableSettings>, seed: number) =>
      copyTable(place, "shop.a", "shop.x", { seed, source: settings });
    await copy({}, 1);
    const { metadata } = (await place.catalog.loadTable(identOf("shop.a"))) as never as {
      metadata: { tableUuid: string };
    };
    await place.catalog.commit([
      {
        ident: identOf("shop.a"),
        requirements: [{ type: "assert-table-uuid", uuid: metadata.tableUuid }],
        updates: [{ action: "set-snapshot-ref", name: "main", ref: { type: "branch", snapshotId: back.snapshotId } }],
      },
    ]);
    await expect(copy({}, 2)).rejects.toMatchObject({
      code: "LOST_OFFSETS",
      message: expect.stringContaining("rolled back") as string,
    });
    await copy({ onLostOffsets: "latest" }, 3);
    await copy({ onLostOffsets: "stop" }, 4);
    expect(await tableRows(place.io, place.catalog, identOf("shop.x"))).toEqual(["1|a"]);
  });

  it("by another table of the name: the error says so; on_lost_offsets goes on with it, and counts on from there", async () => {
    const place = memoryWarehouse("memory");
    const other = memoryWarehouse("memory");
    await write(place, ["+1:a", "+2:b"], ["~1:c"]);
    const first = await drain(place, null);
    written.splice(0);
    await write(other, ["+2:z"]);
    const again = async (settings: Partial<TableSettings>) => {
      const { source } = await open(other, { settings });
      source.recall?.(first.ids ?? new Map());
      const end = [...(await source.endPosition()).values()][0] as string;
      const stop = new AbortController();
      const texts: string[] = [];
      for await (const batch of source.read(first.ends, stop.signal)) {
        if (batch.ends.size === 0) stop.abort();
        texts.push(...told(batch).map(({ text, after }) => `${text} ${after.endsWith("@2")}`));
      }
      return { texts, end, ids: source.streamIds?.() };
    };
    await expect(again({})).rejects.toMatchObject({
      code: "LOST_OFFSETS",
      message: expect.stringContaining("dropped and made anew") as string,
    });
    const { texts, end, ids } = await again({ onLostOffsets: "latest" });
    expect(texts).toEqual(["truncate true", "insert 2 z true"]);
    expect(end).toMatch(/@2$/);
    expect(ids?.get("shop.a")?.generation).toBe(2);
  });

  it("in from: the error says what is held, where nothing has been read yet only", async () => {
    const place = memoryWarehouse("memory");
    await write(place, ["+1:a"]);
    const from = String((await headOf(place)).snapshotId);
    const copy = () => copyTable(place, "shop.a", "shop.x", { seed: ++seeds, source: { from } });
    await write(place, ["+2:b"], ["+3:c"]);
    await copy();
    const rows = await write(place, ["+4:d"]);
    await expireTable(place, "shop.a", 3, 1);
    await copy();
    expect(await tableRows(place.io, place.catalog, identOf("shop.x"))).toEqual(rows);
    await expect(copyTable(place, "shop.a", "shop.y", { seed: 2, source: { from } })).rejects.toMatchObject({
      code: "LOST_OFFSETS",
      message: expect.stringMatching(/does not hold \d+, where source.from begins; it holds/) as string,
    });
  });
});
