import { describe, expect, it } from "vitest";
import type { Format } from "../../../src/core/format.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { json } from "../../../src/formats/json/format.ts";
import { currentSchema, defaultSpec, fieldById, parsePrimitiveType, typeText } from "../../../table-format/index.ts";
import { memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { slabOf, type TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";

const GLOB: Partial<TableRule> = {
  from: "shop.*",
  to: "lake.${table}",
  key: ["id"],
  columns: new Map(
    Object.entries({ id: "int", total: "decimal(10,2)", at: "timestamptz" }).map(([name, type]) => [
      name,
      parsePrimitiveType(type),
    ]),
  ),
  partitionBy: ["bucket(2, id)"],
  sortBy: ["total desc"],
};

type Row = Record<string, unknown>;

/** Two tables with other columns; only one has what `at` is about. */
const ROWS: Record<string, Row[]> = {
  orders: [
    { id: 1, total: "1.50", at: "2026-01-02T00:00:00Z", region: "eu" },
    { id: 2, total: "2.50", at: "2026-01-03T00:00:00Z", region: "us" },
    { id: 1, total: "3.50", at: "2026-01-04T00:00:00Z", region: "us" },
  ],
  items: [
    { id: 7, total: "0.10", note: "a" },
    { id: 7, total: "0.20", note: "b" },
  ],
};

const envelope = (table: string, row: Row): TestMessage => ({
  // The message's own key is a wider one, as the job's `key:` wins.
  key: { id: row["id"], region: row["region"] },
  value: { before: null, after: row, source: { db: "shop", table }, op: "c" },
});
const plain = (_: string, row: Row): TestMessage => ({ value: row });

/** Loads rows by table, each table's through a stream of its own or all through one. */
async function load(
  warehouse: Warehouse,
  format: Format,
  message: (table: string, row: Row) => TestMessage,
  streamOf: (table: string) => string,
  rows: Record<string, Row[]> = ROWS,
  given: Partial<TableRule> = {},
): Promise<void> {
  const process = await Process.start(warehouse, [upsertRule("", { ...GLOB, ...given })]);
  const decoder = format.createDecoder(process.router, { inferred() {}, unrouted() {} }, null);
  const streams = Map.groupBy(Object.entries(rows), ([table]) => streamOf(table));
  const batches = [...streams].flatMap(([stream, tables]) =>
    decoder.decode(
      slabOf(
        tables.flatMap(([table, its]) => its.map((row) => message(table, row))),
        stream,
      ),
    ),
  );
  await process.checkpointOf(batches, 100);
}

async function shapeOf(warehouse: Warehouse, name: string) {
  const loaded = await warehouse.catalog.loadTable({ namespace: ["lake"], name });
  if (loaded === null) throw new Error(`no table lake.${name}`);
  const { metadata } = loaded;
  const schema = currentSchema(metadata);
  const nameOf = (id: number) => fieldById(schema, id)?.name;
  const order = metadata.sortOrders.find(({ orderId }) => orderId === metadata.defaultSortOrderId);
  return {
    columns: schema.fields.map((field) => `${field.name} ${typeText(field.type)}`),
    key: schema.identifierFieldIds.map(nameOf),
    partitionBy: defaultSpec(metadata).fields.map(({ transform, sourceId }) => `${transform} ${nameOf(sourceId)}`),
    sortBy: order?.fields.map(({ direction, sourceId }) => `${nameOf(sourceId)} ${direction}`),
    rows: (await tableRows(warehouse.io, warehouse.catalog, loaded.ident)).map((row) => row.split("|")[0]),
  };
}

const layout = { key: ["id"], partitionBy: ["bucket[2] id"], sortBy: ["total desc"] };

describe.each([
  ["debezium-json, a topic a table", debeziumJson, envelope, (table: string) => `shop.${table}`],
  ["debezium-json, one topic", debeziumJson, envelope, () => "cdc"],
  ["json", json, plain, (table: string) => `shop.${table}`],
] as const)("an entry with a glob over %s", (_, format, message, streamOf) => {
  it("gives each table it matches its key, types, partitions and order", async () => {
    const warehouse = memoryWarehouse("memory");
    await load(warehouse, format, message, streamOf);
    expect(await shapeOf(warehouse, "orders")).toEqual({
      ...layout,
      columns: ["id int", "total decimal(10, 2)", "at timestamptz", "region string"],
      rows: ["1", "2"],
    });
    expect(await shapeOf(warehouse, "items")).toEqual({
      ...layout,
      columns: ["id int", "total decimal(10, 2)", "note string"],
      rows: ["7"],
    });
  });

  it("names the table that lacks a column of its partitions, order or key", async () => {
    const users = { ...ROWS, users: [{ name: "ann", id: 3 }] };
    const run = (given: Partial<TableRule>) => load(memoryWarehouse("memory"), format, message, streamOf, users, given);
    await expect(run({})).rejects.toThrow('table lake.users: sort_by "total desc": column "total" does not exist');
    await expect(run({ partitionBy: ["day(at)"] })).rejects.toThrow(
      /^table lake\.(items|users): partition_by "day\(at\)": column "at" does not exist/,
    );
    await expect(run({ key: ["total"], sortBy: null })).rejects.toThrow(/lake\.users/);
  });
});
