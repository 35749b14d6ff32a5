import { describe, expect, it } from "vitest";
import type { Format } from "../../../src/core/format.ts";
import { keepMessages } from "../../../src/core/kept-messages.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { canalJson } from "../../../src/formats/canal-json/format.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { json } from "../../../src/formats/json/format.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { memoryWarehouse, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { messageSource } from "../../support/message-source.ts";
import { plainJob } from "../../support/plain-job.ts";
import type { TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

type Row = Readonly<Record<string, unknown>>;

/** Each run draws other snapshot ids. */
let runs = 90_000;

/** A process that reads a topic to its end, from where the one before has stopped. @returns its dead letters. */
async function process(
  warehouse: Warehouse,
  format: Format,
  messages: readonly TestMessage[],
  rule: Partial<TableRule> = {},
): Promise<number> {
  const runtime = virtualRuntime(++runs);
  const summary = await runJob({
    ...plainJob(warehouse, 1_000),
    rules: [upsertRule("a", rule)],
    deadLetter: { table: "shop.dead_letters", maxRows: 1_000, maxShare: 1 },
    runtime,
    createSource: (router, notices, rejects) =>
      messageSource(new Map([["a", messages]]), keepMessages(format.createDecoder(router, notices, rejects)), {
        uint32: () => 7,
      }),
  });
  return summary.deadLetters;
}

const rowsOf = (warehouse: Warehouse) => tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });

/** How a format says what happens to a row; `old` of an update: what its key was. */
interface Dialect {
  readonly format: Format;
  insert(row: Row): TestMessage;
  update(row: Row, old?: Row): TestMessage;
}

const debezium: Dialect = {
  format: debeziumJson,
  insert: (row) => ({ key: { id: row["id"] }, value: { before: null, after: row, op: "c" } }),
  update: (row, old) => ({ key: { id: row["id"] }, value: { before: old ?? null, after: row, op: "u" } }),
};

const canal = (type: string, row: Row, types: object | null, old: Row = {}): TestMessage => ({
  value: { database: "shop", table: "a", type, data: [row], old: [old], pkNames: ["id"], mysqlType: types },
});

const plainCanal: Dialect = {
  format: canalJson,
  insert: (row) => canal("INSERT", row, null),
  update: (row, old) => canal("UPDATE", row, null, old),
};

/** As with `binlog_row_image=NOBLOB`: columns that are not logged are not declared either. */
const typedCanal: Dialect = {
  format: canalJson,
  insert: (row) => canal("INSERT", row, mysqlTypes(row)),
  update: (row, old) => canal("UPDATE", row, mysqlTypes(row), old),
};

function mysqlTypes(row: Row): object {
  return Object.fromEntries(Object.keys(row).map((name) => [name, name === "id" ? "bigint" : "varchar(20)"]));
}

const DIALECTS = { "debezium-json": debezium, "canal-json": plainCanal, "canal-json with mysqlType": typedCanal };

describe.each(Object.entries(DIALECTS))("%s: columns of the table that messages do not send", (_, dialect) => {
  const { format, insert, update } = dialect;
  const first = [insert({ id: 1, a: "a1", b: "b1" }), insert({ id: 2, a: "a2", b: "b2" })];

  /** The same messages in one process and in two, the second from `first` on. */
  async function both(later: readonly TestMessage[], rule: Partial<TableRule> = {}) {
    const results = [];
    for (const restarts of [false, true]) {
      const warehouse = memoryWarehouse("memory");
      if (restarts) await process(warehouse, format, first, rule);
      const letters = await process(warehouse, format, [...first, ...later], rule);
      results.push({ rows: await rowsOf(warehouse), letters });
    }
    expect(results[1]).toEqual(results[0]);
    return results[0];
  }

  it("stay as they are in updates, also of a process that has not seen them", async () => {
    const found = await both([update({ id: 1, a: "a3" }), update({ id: 2, a: "a4" })]);
    expect(found).toEqual({ rows: ["1|a3|b1", "2|a4|b2"], letters: 0 });
  });

  it("go along with a changed key", async () => {
    const found = await both([update({ id: 3, a: "a3" }, { id: 1 })]);
    expect(found).toEqual({ rows: ["2|a2|b2", "3|a3|b1"], letters: 0 });
  });

  it("are null in inserts, and stay null in what updates them", async () => {
    const found = await both([insert({ id: 3, a: "a3" }), update({ id: 3, a: "a4" }), insert({ id: 1, a: "a5" })]);
    expect(found).toEqual({ rows: ["1|a5|null", "2|a2|b2", "3|a4|null"], letters: 0 });
  });

  it("make a dead letter of an update of a row that nobody knows", async () => {
    const found = await both([update({ id: 9, a: "a9" }), update({ id: 1, a: "a3" })]);
    expect(found).toEqual({ rows: ["1|a3|b1", "2|a2|b2"], letters: 1 });
  });

  it("do not hold an update up that orders by one of them", async () => {
    const found = await both([update({ id: 1, a: "a3" })], { orderBy: "b" });
    expect(found?.rows).toEqual(["1|a3|b1", "2|a2|b2"]);
  });

  it("that are sent as null become null", async () => {
    const found = await both([update({ id: 1, a: "a3", b: null })]);
    expect(found?.rows).toEqual(["1|a3|null", "2|a2|b2"]);
  });

  it("do not bring deleted_at back", async () => {
    const rule = { softDelete: "deleted_at" };
    const gone =
      format === debeziumJson
        ? { key: { id: 1 }, value: { before: { id: 1 }, after: null, op: "d", ts_ms: 1, source: { ts_ms: 5 } } }
        : { value: { ...(canal("DELETE", { id: 1 }, null).value as object), es: 5 } };
    const warehouse = memoryWarehouse("memory");
    await process(warehouse, format, [...first, gone], rule);
    await process(warehouse, format, [...first, gone, update({ id: 1, a: "a3" })], rule);
    expect(await rowsOf(warehouse)).toEqual(["1|a3|b1|null", "2|a2|b2|null"]);
  });
});

describe("debezium-json with a schema", () => {
  const declared = (op: string, row: Row): TestMessage => {
    const fields = Object.keys(row).map((field) => ({
      field,
      type: field === "id" ? "int64" : "string",
      optional: field !== "id",
    }));
    const payload = { before: null, after: row, op };
    const schema = { type: "struct", fields: [{ field: "after", type: "struct", optional: true, fields }] };
    return { key: { id: row["id"] }, value: { schema, payload } };
  };

  it("has lost the columns that it no longer declares: they are null, no row is looked up and none is missed", async () => {
    const first = [declared("c", { id: 1, a: "a1", b: "b1" })];
    const later = [declared("u", { id: 1, a: "a2" }), declared("u", { id: 7, a: "a7" })];
    for (const restarts of [false, true]) {
      const warehouse = memoryWarehouse("memory");
      if (restarts) await process(warehouse, debeziumJson, first);
      expect(await process(warehouse, debeziumJson, [...first, ...later])).toBe(0);
      expect(await rowsOf(warehouse)).toEqual(["1|a2|null", "7|a7|null"]);
    }
  });
});

it("json: a record is the whole row, before and after a restart", async () => {
  const first = [{ value: { id: 1, a: "a1", b: "b1" } }];
  for (const restarts of [false, true]) {
    const warehouse = memoryWarehouse("memory");
    if (restarts) await process(warehouse, json, first);
    expect(await process(warehouse, json, [...first, { value: { id: 1, a: "a2" } }])).toBe(0);
    expect(await rowsOf(warehouse)).toEqual(["1|a2|null"]);
  }
});
