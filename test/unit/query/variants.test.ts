import { DuckDBTypeId } from "@duckdb/node-api";
import { Binary, tableFromIPC, Utf8 } from "apache-arrow";
import { afterAll, beforeAll, expect, it } from "vitest";
import { arrowStream } from "../../../src/query/arrow-table.ts";
import { tableNow } from "../../../src/query/as-of.ts";
import { openDiff } from "../../../src/query/diff.ts";
import { ALL_ROWS, type RowChoice, rowChoice } from "../../../src/query/row-choice.ts";
import { openScan } from "../../../src/query/scan.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import {
  encodeVariant,
  must,
  newSchema,
  type Type,
  type Variant,
  type VariantValue,
} from "../../../table-format/index.ts";
import { appendColumns, createTable, jsonLines, queryLines, temporaryWarehouse } from "./local-warehouse.ts";

const IDENT = { namespace: ["shop"], name: "events" };
const column = (name: string, type: Type) => ({ name, required: false, type });
const SCHEMA = newSchema(
  [
    { name: "id", required: true, type: { kind: "long" } },
    column("v", { kind: "variant" }),
    column("g", { kind: "geometry", crs: "OGC:CRS84" }),
    column("h", { kind: "geography", crs: "OGC:CRS84", algorithm: "spherical" }),
  ],
  ["id"],
);
/** POINT (30 10). */
const POINT = Uint8Array.from(Buffer.from("01010000000000000000003e400000000000002440", "hex"));
const BASE64 = Buffer.from(POINT).toString("base64");

const object = (fields: Readonly<Record<string, VariantValue>>): Variant =>
  encodeVariant({ kind: "object", fields: new Map(Object.entries(fields)) });
const FIRST = object({
  big: { kind: "int64", value: 9007199254740993n },
  price: { kind: "decimal16", unscaled: 12345678901234567890n, scale: 3 },
  small: { kind: "int8", value: 7n },
  at: { kind: "timestamptz", value: 1n },
  day: { kind: "date", value: 0 },
  raw: { kind: "binary", value: Uint8Array.of(1, 2) },
  tags: { kind: "array", items: [{ kind: "string", value: "x" }, { kind: "null" }] },
  none: { kind: "null" },
});
const FIRST_JSON =
  '{"at":"1970-01-01T00:00:00.000001Z","big":"9007199254740993","day":"1970-01-01","none":null,"price":"12345678901234567.890","raw":"AQI=","small":7,"tags":["x",null]}';
const LINES = [
  `{"id":1,"v":${FIRST_JSON},"g":"${BASE64}","h":"${BASE64}"}`,
  '{"id":2,"v":null,"g":null,"h":null}',
  `{"id":3,"v":"text","g":"${BASE64}","h":null}`,
];

let warehouse: Warehouse & AsyncDisposable;
let first: bigint;
beforeAll(async () => {
  warehouse = await temporaryWarehouse();
  await createTable(warehouse, IDENT, SCHEMA);
  const text = encodeVariant({ kind: "string", value: "text" });
  first = await appendColumns(warehouse, IDENT, [
    [1n, 2n, 3n],
    [FIRST, null, text],
    [POINT, null, POINT],
    [POINT, null, null],
  ]);
});
afterAll(() => warehouse[Symbol.asyncDispose]());

const table = async () => must(await warehouse.catalog.loadTable(IDENT), "the table");

async function scanned<T>(
  choice: RowChoice,
  use: (scan: Awaited<ReturnType<typeof openScan>>) => Promise<T>,
): Promise<T> {
  const scan = await openScan(warehouse, tableNow(await table()), choice);
  try {
    return await use(scan);
  } finally {
    await scan.close();
  }
}

it("rows have the same JSON, whoever reads them", async () => {
  // By DuckDB, by DuckDB with a condition of its own, and by the table format.
  for (const where of [undefined, "id % 10 < 9", "id < 9"]) {
    expect((await scanned(rowChoice({ where }), jsonLines)).sort()).toEqual(LINES);
  }
});

it("SQL looks into variants", async () => {
  const sql =
    "SELECT id, v.small::INT AS small, v.price::DECIMAL(38,3)::VARCHAR AS price FROM shop.events WHERE v.big::BIGINT > 5";
  expect(await queryLines(warehouse, sql)).toEqual(['{"id":1,"small":7,"price":"12345678901234567.890"}']);
});

it("Arrow has variants as JSON and shapes as bytes, with their names", async () => {
  const read = await scanned(ALL_ROWS, async (scan) => {
    expect(scan.types.map(({ typeId }) => DuckDBTypeId[typeId])).toEqual(["BIGINT", "VARIANT", "GEOMETRY", "GEOMETRY"]);
    const stream = arrowStream(scan);
    const parts = [stream.start];
    for await (const rows of scan.chunks()) parts.push(stream.batch(rows));
    return tableFromIPC(Buffer.concat([...parts, stream.end]));
  });
  const [, v, g] = read.schema.fields;
  expect([v?.type, v?.metadata.get("ARROW:extension:name")]).toEqual([new Utf8(), "arrow.json"]);
  expect([g?.type, g?.metadata.get("ARROW:extension:name")]).toEqual([new Binary(), "geoarrow.wkb"]);
  const rows = read
    .toArray()
    .map((row) => row?.toJSON() as Record<string, unknown>)
    .sort((a, b) => Number(a["id"]) - Number(b["id"]));
  expect(rows.map((row) => row["v"])).toEqual([FIRST_JSON, null, '"text"']);
  expect(rows[0]?.["g"]).toEqual(POINT);
});

it("changes tell of variants that are others", async () => {
  const second = await appendColumns(warehouse, IDENT, [
    [4n],
    [object({ a: { kind: "int8", value: 1n } })],
    [null],
    [null],
  ]);
  const diff = await openDiff(warehouse, await table(), `${first}..${second}`);
  expect(await jsonLines(diff)).toEqual(['{"_op":"insert","id":4,"v":{"a":1},"g":null,"h":null}']);
  await diff.close();
});
