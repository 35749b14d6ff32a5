import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  defineJob,
  expectedTables,
  generator,
  openWarehouse,
  type PlainRow,
  type Row,
  runJob,
  type TableChanges,
  type TableReader,
  type WarehouseReader,
} from "../../../src/index.ts";
import { temporaryFolder } from "./folder.ts";

const SOURCE = { seed: 11, events: 15_000, splits: 2 };

let folder: ReturnType<typeof temporaryFolder>;
let lake: WarehouseReader;
let orders: TableReader;
let expected: readonly PlainRow[];

beforeAll(async () => {
  folder = temporaryFolder();
  const job = defineJob({
    name: "shop",
    source: generator(SOURCE),
    warehouse: folder.path,
    tables: [
      { from: "shop.customers", to: "shop.customers", mode: "upsert" },
      { from: "shop.orders", to: "shop.orders", mode: "upsert" },
    ],
    checkpoint: { max_rows: 600 },
  });
  await using run = await runJob(job, { until: "caught-up" });
  await run.finished();
  lake = await openWarehouse(folder.path);
  orders = await lake.table("shop.orders");
  expected = expectedTables(SOURCE).get("shop.orders") as PlainRow[];
});
afterAll(async () => {
  await lake[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Microseconds since 1970 of a timestamp's text. */
function microsOf(text: string): bigint {
  const [, seconds = "", fraction = ""] = /^(.*?:\d\d)(?:\.(\d+))?Z?$/.exec(text) ?? [];
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000n + BigInt(fraction.padEnd(6, "0").slice(0, 6));
}

/** A row as the generator tells it: see `PlainValue`. */
function plain(row: Row): PlainRow {
  const text = (name: string): string | null => row[name] as string | null;
  const micros = (name: string): bigint | null => (text(name) === null ? null : microsOf(text(name) as string));
  const days = (name: string): number | null =>
    text(name) === null ? null : Date.parse(text(name) as string) / 86_400_000;
  const bytes = row["payload"] as Uint8Array | null;
  return {
    ...(row as PlainRow),
    placed_on: days("placed_on"),
    placed_at: micros("placed_at"),
    updated_at: micros("updated_at"),
    pickup: text("pickup") === null ? null : microsOf(`1970-01-01T${text("pickup") as string}`),
    payload: bytes === null ? null : Buffer.from(bytes).toString("hex").toUpperCase(),
  };
}

/** DuckDB's windows, which pair changes, take the sign off a zero. */
const unsigned = (row: PlainRow): PlainRow =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Object.is(value, -0) ? 0 : value]));

const byId = (rows: readonly PlainRow[]): PlainRow[] =>
  rows.toSorted((a, b) => Number((a["id"] as bigint) - (b["id"] as bigint)));

describe("a table", () => {
  it("is found by its name", async () => {
    expect(await lake.tables()).toEqual(["shop.customers", "shop.orders"]);
    expect(orders.schema.fields.map(({ name }) => name)).toContain("total");
    await expect(lake.table("shop.ordrs")).rejects.toMatchObject({
      code: "TABLE_NOT_FOUND",
      hint: "did you mean shop.orders?",
    });
  });

  it("gives rows with every value exact", async () => {
    const rows = await Array.fromAsync(orders.rows());
    expect(byId(rows.map(plain))).toEqual(byId(expected));
  });

  it("gives the columns that are asked for", async () => {
    const rows = orders.rows({ columns: ["total", "id"] });
    expect(Object.keys((await rows.next()).value as Row)).toEqual(["total", "id"]);
    await rows.return?.();
    await expect(orders.rows({ columns: ["totl"] }).next()).rejects.toMatchObject({
      code: "COLUMN_NOT_FOUND",
      hint: "did you mean total?",
    });
    await expect(orders.toArrow({ columns: [] })).rejects.toMatchObject({ code: "COLUMN_NOT_FOUND" });
  });

  it("is read as of a snapshot, a time and a tag", async () => {
    const snapshots = orders.snapshots();
    expect(snapshots.at(-1)).toMatchObject({ snapshotId: orders.snapshotId, refs: ["main", "ingest.shop"] });
    const past = snapshots.findLast(
      ({ snapshotId, summary }) => snapshotId !== orders.snapshotId && summary.has("added-records"),
    );
    const view = orders.asOf(past!.snapshotId);
    expect(view.snapshotId).toBe(past!.snapshotId);
    const { numRows } = await view.toArrow({ columns: ["id"] });
    expect(numRows).toBeGreaterThan(0);
    expect(numRows).toBeLessThan(expected.length);
    expect(orders.asOf(snapshots.at(-1)!.committedAt).snapshotId).toBe(orders.snapshotId);
    expect(orders.asOf("ingest.shop").snapshotId).toBe(orders.snapshotId);
    expect(() => orders.asOf(5n)).toThrow(expect.objectContaining({ code: "SNAPSHOT_NOT_FOUND" }));
    expect(() => orders.asOf(new Date("2001-01-01"))).toThrow(expect.objectContaining({ code: "SNAPSHOT_NOT_FOUND" }));
    expect(() => orders.asOf(new Date("never"))).toThrow(expect.objectContaining({ code: "BAD_TIME" }));
  });
});

describe("changes", () => {
  async function apply(options: Parameters<TableReader["changes"]>[0], state = new Map<bigint, Row>()) {
    for await (const batch of orders.changes(options)) {
      const rows = batch.rows();
      expect(rows).toHaveLength(batch.length);
      for (const { _op: op, _snapshot_id: snapshot, _commit_ts: at, ...row } of rows) {
        expect(snapshot).toBe(batch.snapshotId);
        expect(Date.parse(at)).toBe(batch.committedAt.getTime());
        if (op === "delete") state.delete(row["id"] as bigint);
        else if (op !== "update_before") state.set(row["id"] as bigint, row);
      }
    }
    return state;
  }

  it("make the table, whether told at once or up to a point and on from there", async () => {
    const whole = await apply({ from: "earliest" });
    expect(byId([...whole.values()].map(plain)).map(unsigned)).toEqual(byId(expected).map(unsigned));
    const middle = orders.snapshots().at(-2)!.snapshotId;
    const half = await apply({ from: "earliest", to: middle });
    const { numRows } = await orders.asOf(middle).toArrow({ columns: ["id"] });
    expect(half.size).toBe(numRows);
    const rest = await apply({ from: middle }, half);
    expect(byId([...rest.values()].map(plain)).map(unsigned)).toEqual(byId(expected).map(unsigned));
  });

  it("are Arrow with the operation in front", async () => {
    const [batch] = await Array.fromAsync(orders.changes());
    const table = batch!.toArrow();
    expect(table.schema.fields.slice(0, 3).map(String)).toEqual([
      "_op: Utf8",
      "_snapshot_id: Int64",
      "_commit_ts: Timestamp<MICROSECOND, UTC>",
    ]);
    expect(table.numRows).toBe(expected.length);
    expect(batch!.last).toBe(true);
    expect(new Set(table.getChild("_op"))).toEqual(new Set(["insert"]));
  });

  it("go on for a consumer behind what it has committed", async () => {
    const [first] = orders.snapshots();
    const options = { from: first!.snapshotId, consumer: "reader" } as const;
    const begun = orders.changes(options);
    const one = (await begun.next()).value as TableChanges;
    await one.commit();
    const two = (await begun.next()).value as TableChanges;
    await begun.return?.();
    const seen: bigint[] = [];
    for await (const batch of orders.changes(options)) {
      seen.push(batch.snapshotId);
      await batch.commit();
    }
    expect(seen[0]).toBe(two.snapshotId);
    expect(seen).not.toContain(one.snapshotId);
    await expect(orders.changes(options).next()).resolves.toMatchObject({ done: true });
    await expect(two.commit()).rejects.toMatchObject({ code: "CONSUMER_TAKEN" });
    const both = orders.changes({ consumer: "reader", to: first!.snapshotId });
    await expect(both.next()).rejects.toMatchObject({ code: "BAD_RANGE" });
  });

  it("that hold none of the chosen rows are committed by themselves", async () => {
    const options = { from: "earliest", consumer: "choosy", where: "id < 0" } as const;
    await expect(orders.changes(options).next()).resolves.toMatchObject({ done: true });
    await expect(orders.changes({ consumer: "choosy" }).next()).resolves.toMatchObject({ done: true });
  });

  it("are read in parts and by columns, as rows are", async () => {
    const parts = orders.parts(3);
    expect(structuredClone(parts)).toEqual([0, 1, 2].map((index) => ({ index, of: 3 })));
    const ids = new Set<bigint>();
    let count = 0;
    for (const part of parts) {
      for await (const batch of orders.changes({ part, net: true, columns: ["id"], where: "id % 2 = 0" })) {
        for (const row of batch.rows()) {
          expect(Object.keys(row)).toEqual(["_op", "_snapshot_id", "_commit_ts", "id"]);
          ids.add(row["id"] as bigint);
          count++;
        }
      }
    }
    const even = expected.map(({ id }) => id as bigint).filter((id) => id % 2n === 0n);
    expect(count).toBe(even.length);
    expect(ids).toEqual(new Set(even));
    const rows = await Promise.all(parts.map((part) => Array.fromAsync(orders.rows({ part, where: "id % 2 = 0" }))));
    expect(new Set(rows.flat().map((row) => row["id"]))).toEqual(ids);
    expect(rows.flat()).toHaveLength(even.length);
  });

  it("are followed until the signal, or until the warehouse is closed", async () => {
    const stop = new AbortController();
    const changes = orders.changes({ follow: true, signal: stop.signal });
    expect((await changes.next()).done).toBe(false);
    const waiting = changes.next();
    stop.abort();
    expect((await waiting).done).toBe(true);

    const other = await openWarehouse(folder.path);
    const table = await other.table("shop.orders");
    const following = table.changes({ from: "latest", follow: true }).next();
    await other[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
    expect((await following).done).toBe(true);
    await expect(orders.changes({ follow: true, to: 1n }).next()).rejects.toMatchObject({ code: "BAD_RANGE" });
  });
});

describe("query", () => {
  it("binds every kind of value", async () => {
    const at = new Date("2026-11-20T09:00:00.123Z");
    const [row] = await lake.query`SELECT ${"it's; DROP"} AS s, ${1.5} AS d, ${7} AS i, ${9_007_199_254_740_993n} AS l,
      ${2n ** 100n} AS h, ${true} AS b, ${at} AS t, ${new Uint8Array([0, 255])} AS bytes, ${null} AS n`;
    expect(row).toEqual({
      s: "it's; DROP",
      d: 1.5,
      i: 7n,
      l: 9_007_199_254_740_993n,
      h: 2n ** 100n,
      b: true,
      t: "2026-11-20T09:00:00.123Z",
      bytes: new Uint8Array([0, 255]),
      n: null,
    });
  });

  it("compares exactly, and keeps values out of the statement", async () => {
    const id = expected[5]!["id"] as bigint;
    expect(await lake.query`SELECT id, total FROM shop.orders WHERE id = ${id}`).toEqual([
      { id, total: expected[5]!["total"] },
    ]);
    expect(await lake.query`SELECT id FROM shop.orders WHERE status = ${"' OR true --"}`).toEqual([]);
    // Inside of quotes it is no place for a value.
    await expect(lake.query`SELECT id FROM shop.orders WHERE status = '${"x"}'`).rejects.toMatchObject({
      code: "QUERY_FAILED",
    });
  });

  it("refuses what cannot be bound, and calls without a tag", async () => {
    await expect(lake.query`SELECT ${new Date("never")}`).rejects.toMatchObject({ code: "BAD_PARAMETER" });
    await expect(lake.query`SELECT ${2n ** 127n}`).rejects.toMatchObject({ code: "BAD_PARAMETER" });
    await expect(lake.query`SELECT ${{} as never}`).rejects.toMatchObject({ code: "BAD_PARAMETER" });
    await expect(lake.query("SELECT 1" as never)).rejects.toMatchObject({ code: "BAD_QUERY" });
    await expect(lake.query`SELECT`).rejects.toMatchObject({ code: "SQL_ERROR" });
  });
});

describe("openWarehouse", () => {
  it("refuses what is no warehouse", async () => {
    await expect(openWarehouse("gs://lake")).rejects.toMatchObject({ code: "WAREHOUSE_INVALID" });
    await expect(openWarehouse({ location: `${folder.path}/none` })).rejects.toMatchObject({
      code: "WAREHOUSE_NOT_FOUND",
    });
    // @ts-expect-error -- no place at all
    await expect(openWarehouse(5)).rejects.toThrow("the warehouse: must be a map of keys, found 5");
    // @ts-expect-error -- a key that is not there
    await expect(openWarehouse({ location: folder.path, catalg: {} })).rejects.toThrow('did you mean "catalog"?');
  });
});

describe("consistent", () => {
  it("reads all tables of a job at one checkpoint, and no others", async () => {
    const cut = await lake.consistent("shop");
    expect(cut.tables).toEqual(["shop.customers", "shop.orders"]);
    const [row] = await cut.query<{ n: bigint | number }>`SELECT count(*) AS n FROM shop.orders`;
    expect(Number(row?.n)).toBe(expected.length);
    const view = await cut.table("shop.orders");
    expect(view.snapshotId).toBe(orders.snapshotId);
    expect((await view.toArrow()).numRows).toBe(expected.length);
    await expect(lake.consistent("nobody")).rejects.toMatchObject({ code: "PIPELINE_NOT_FOUND" });
  });
});
