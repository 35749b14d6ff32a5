import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLocalStorage } from "../../../../src/storage/local.ts";
import {
  addFiles,
  cellAt,
  currentSchema,
  currentSnapshot,
  decodeValue,
  parsePartitionBy,
  type PrimitiveType,
  scanRows,
  type Schema,
  updateSchema,
} from "../../../../table-format/index.ts";
import { WrittenTable } from "./written-table.ts";

const types: Readonly<Record<string, PrimitiveType>> = {
  id: { kind: "long" },
  part: { kind: "string" },
  small: { kind: "int" },
  ratio: { kind: "double" },
  flag: { kind: "boolean" },
  at: { kind: "timestamptz" },
  day: { kind: "date" },
};
function schemaOf(columns: Readonly<Record<string, PrimitiveType>>, required: readonly string[] = ["id"]): Schema {
  const fields = Object.entries(columns).map(([name, type], i) => {
    return { id: i + 1, name, type, required: required.includes(name) };
  });
  return { schemaId: 0, fields, identifierFieldIds: [] };
}

let folder: string;
let duckdb: DuckDBConnection;
let tables = 0;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "frazil-add-files-"));
  duckdb = await (await DuckDBInstance.create()).connect();
});
afterAll(() => {
  duckdb.closeSync();
  rmSync(folder, { recursive: true, force: true });
});

async function make(schema: Schema, partitionBy: readonly string[] = []): Promise<WrittenTable> {
  return WrittenTable.create({
    schema,
    io: createLocalStorage(),
    warehouse: join(folder, `w${tables++}`),
    spec: parsePartitionBy(partitionBy, schema),
  });
}
let written = 0;
async function byDuckDb(select: string, name = `f${written++}.parquet`): Promise<string> {
  const path = join(folder, name);
  await duckdb.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`);
  return path;
}
async function rowsOf(table: WrittenTable) {
  const { metadata } = await table.load();
  const { fields } = currentSchema(metadata);
  const rows: unknown[][] = [];
  for await (const { length, columns } of scanRows(table.io, metadata, currentSnapshot(metadata)!, { fields })) {
    for (let row = 0; row < length; row++) rows.push(columns.map((column) => cellAt(column, row)));
  }
  return rows.sort((a, b) => (String(a) < String(b) ? -1 : 1));
}
const added = async (table: WrittenTable) => (await table.plan()).dataFiles.map((each) => each.file);

/** Made by parquetjs-lite 0.8.7: rows 10 to 14, `part` "a", times in milliseconds, nulls in the fourth row. */
const PARQUETJS = new URL("../../../golden/added-files/parquetjs-lite.parquet", import.meta.url);

describe("a file of parquetjs-lite", () => {
  const copy = async (table: WrittenTable) => {
    const location = join(folder, `js-${tables}.parquet`);
    await table.io.write(location, new Uint8Array(readFileSync(PARQUETJS)));
    return location;
  };

  test("is added with the table's columns by name, its metrics and its partition", async () => {
    const table = await make(schemaOf(types), ["part", "day(at)", "bucket(4, part)"]);
    await table.commit(addFiles({ locations: [await copy(table)] }));
    const [file] = await added(table);
    expect(file!.recordCount).toBe(5n);
    expect(file!.partition).toEqual(["a", 19_675, 2]);
    const bound = (id: number, type: PrimitiveType) =>
      [file!.lowerBounds, file!.upperBounds].map((bounds) => {
        const bytes = bounds!.get(id);
        return bytes === undefined ? null : decodeValue(type, bytes);
      });
    expect(bound(1, types["id"]!)).toEqual([10n, 14n]);
    expect(bound(3, types["small"]!)).toEqual([-2, 2]);
    expect(bound(4, types["ratio"]!)).toEqual([-0, 1]);
    // Milliseconds in the file, microseconds in the table.
    expect(bound(6, types["at"]!)).toEqual([1_700_000_000_123_000n, 1_700_000_000_127_000n]);
    // It compares texts by UTF-16 units; bounds of one value hold in any order.
    expect(bound(2, types["part"]!)).toEqual(["a", "a"]);
    expect(Object.fromEntries(file!.nullValueCounts!)).toEqual({ 1: 0n, 2: 0n, 3: 1n, 4: 1n, 5: 0n, 6: 0n, 7: 0n });
    expect(file!.valueCounts!.get(3)).toBe(5n);
    expect(file!.splitOffsets).toEqual([4n]);
    expect((await rowsOf(table))[3]).toEqual([13n, "a", null, null, false, 1_700_000_000_126_000n, 19_003]);
  });

  test("is read by old names once columns have new ones", async () => {
    const table = await make(schemaOf(types));
    await table.commit(addFiles({ locations: [await copy(table)] }));
    await table.commit(
      updateSchema([
        { change: "rename-column", name: "small", to: "little" },
        { change: "add-column", name: "more", type: { kind: "string" } },
      ]),
    );
    expect((await rowsOf(table))[0]).toEqual([10n, "a", -2, 0, true, 1_700_000_000_123_000n, 19_000, null]);
  });
});

describe("files of DuckDB", () => {
  test("with every flat type keep their values, bounds included", async () => {
    const columns: Readonly<Record<string, PrimitiveType>> = {
      i: { kind: "int" },
      l: { kind: "long" },
      d9: { kind: "decimal", precision: 9, scale: 2 },
      d38: { kind: "decimal", precision: 38, scale: 2 },
      f: { kind: "float" },
      t: { kind: "time" },
      ts: { kind: "timestamp" },
      tz: { kind: "timestamptz" },
      s: { kind: "string" },
      u: { kind: "uuid" },
      b: { kind: "binary" },
    };
    const table = await make(schemaOf(columns, []));
    const location = await byDuckDb(
      `SELECT * FROM (VALUES
        (1::INT, 9007199254740993::BIGINT, -1.50::DECIMAL(9,2), 12345678901234567890123456789.01::DECIMAL(38,2), -0.0::FLOAT, TIME '12:00:00.000001', TIMESTAMP '1969-12-31 23:59:59.999999', TIMESTAMPTZ '2024-02-29 12:00:00+00', 'Ä' || repeat('x', 20), 'f79c3e09-677c-4bbd-a479-3f349cb785e7'::UUID, '\\x00\\xFF'::BLOB),
        (NULL, -1, NULL, -0.01, 2.5, NULL, NULL, NULL, '', NULL, NULL)) v(i, l, d9, d38, f, t, ts, tz, s, u, b)`,
    );
    await table.commit(addFiles({ locations: [location] }));
    expect(await rowsOf(table)).toMatchInlineSnapshot(`
      [
        [
          null,
          -1n,
          null,
          -1n,
          2.5,
          null,
          null,
          null,
          "",
          null,
          null,
        ],
        [
          1,
          9007199254740993n,
          -150n,
          1234567890123456789012345678901n,
          -0,
          43200000001n,
          -1n,
          1709208000000000n,
          "Äxxxxxxxxxxxxxxxxxxxx",
          Uint8Array [
            247,
            156,
            62,
            9,
            103,
            124,
            75,
            189,
            164,
            121,
            63,
            52,
            156,
            183,
            133,
            231,
          ],
          Uint8Array [
            0,
            255,
          ],
        ],
      ]
    `);
    const [file] = await added(table);
    const fields = currentSchema((await table.load()).metadata).fields;
    const bounds = fields.map(({ id, name, type }) => {
      const [low, high] = [file!.lowerBounds!.get(id), file!.upperBounds!.get(id)];
      const text = (bytes: Uint8Array | undefined) => {
        if (bytes === undefined) return "none";
        const value = decodeValue(type as PrimitiveType, bytes);
        return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : String(value);
      };
      return `${name} ${text(low)} ${text(high)} nulls ${file!.nullValueCounts!.get(id)}`;
    });
    expect(bounds).toMatchInlineSnapshot(`
      [
        "i 1 1 nulls 1",
        "l -1 9007199254740993 nulls 0",
        "d9 -150 -150 nulls 1",
        "d38 -1 1234567890123456789012345678901 nulls 0",
        "f 0 2.5 nulls 0",
        "t 43200000001 43200000001 nulls 1",
        "ts -1 -1 nulls 1",
        "tz 1709208000000000 1709208000000000 nulls 1",
        "s  Äxxxxxxxxxxxxxxy nulls 0",
        "u f79c3e09677c4bbda4793f349cb785e7 f79c3e09677c4bbda4793f349cb785e7 nulls 1",
        "b 00ff 00ff nulls 1",
      ]
    `);
  });

  test("in folders take columns that they lack from there", async () => {
    const columns = { id: types["id"]!, region: types["part"]!, n: types["small"]! };
    const table = await make(schemaOf(columns, ["id", "region"]), ["region", "n"]);
    await duckdb.run(
      `COPY (SELECT 1::BIGINT AS id, 'a b/c' AS region, 7 AS n UNION ALL SELECT 2, 'é', NULL) TO '${folder}/hive' (FORMAT parquet, PARTITION_BY (region, n))`,
    );
    const locations: string[] = [];
    for await (const { location } of table.io.list(join(folder, "hive"))) locations.push(location);
    await table.commit(addFiles({ locations }));
    expect(await rowsOf(table)).toEqual([
      [1n, "a b/c", 7],
      [2n, "é", null],
    ]);
    expect((await added(table)).map(({ partition }) => partition)).toContainEqual(["a b/c", 7]);
  });

  test("of several row groups, of lists and structs, and beside an open name mapping", async () => {
    const table = await make({
      schemaId: 0,
      fields: [
        { id: 1, name: "id", required: true, type: { kind: "long" } },
        {
          id: 2,
          name: "l",
          required: false,
          type: { kind: "list", elementId: 3, elementRequired: false, element: { kind: "int" } },
        },
        {
          id: 4,
          name: "s",
          required: false,
          type: { kind: "struct", fields: [{ id: 5, name: "x", required: false, type: { kind: "string" } }] },
        },
      ],
      identifierFieldIds: [],
    });
    const location = join(folder, "nested.parquet");
    await duckdb.run(
      `COPY (SELECT range AS id, [range::INT, NULL] AS l, {x: 'x' || range} AS s FROM range(5000)) TO '${location}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`,
    );
    await table.commit(addFiles({ locations: [location] }));
    const [file] = await added(table);
    expect(file!.splitOffsets!.length).toBeGreaterThan(1);
    expect([...file!.columnSizes!.keys()]).toEqual([1, 3, 5]);
    expect([...file!.lowerBounds!.keys()]).toEqual([1, 5]);
    expect(await rowsOf(table)).toHaveLength(5000);
  });
});

describe("a file that does not fit is refused:", () => {
  test.each<[why: string, select: string, expected: RegExp]>([
    ["another type", "SELECT 'x' AS id, 1 AS small", /column id as long, found BYTE_ARRAY UTF8/],
    ["a narrowed type", "SELECT 1::BIGINT AS id, 1::BIGINT AS small", /column small as int, found INT64/],
    ["an unsigned type", "SELECT 1::UINTEGER AS id", /column id as long, found INT32/],
    [
      "a column too many",
      "SELECT 1::BIGINT AS id, 2 AS more",
      /the table's columns, found more, which the table lacks/,
    ],
    ["a required column missing", "SELECT 1 AS small", /column id, which the table requires, found none/],
    [
      "nulls in a required column",
      "SELECT NULL::BIGINT AS id",
      /no nulls in column id, which the table requires, found 1/,
    ],
    [
      "a time without zone",
      "SELECT 1::BIGINT AS id, TIMESTAMP '2024-01-01' AS at",
      /column at as timestamptz, found INT64 TIMESTAMP \(isAdjustedToUTC false/,
    ],
    ["a list", "SELECT 1::BIGINT AS id, [1] AS small", /column small as int, found a list/],
    ["a date as a number", "SELECT 1::BIGINT AS id, 1 AS day", /column day as date, found INT32/],
  ])("%s", async (_, select, expected) => {
    const table = await make(schemaOf(types));
    const refused = table.commit(addFiles({ locations: [await byDuckDb(select)] }));
    await expect(refused).rejects.toMatchObject({ kind: "data", code: "FILE_SCHEMA" });
    await expect(refused).rejects.toThrow(expected);
    expect((await table.load()).metadata.properties.size).toBe(0);
  });

  test.each<[why: string, partitionBy: string, select: string]>([
    ["several values", "part", "SELECT i::BIGINT AS id, 'p' || i AS part FROM range(2) t(i)"],
    ["a value and nulls", "part", "SELECT i::BIGINT AS id, CASE WHEN i = 1 THEN 'p' END AS part FROM range(2) t(i)"],
    [
      "several days",
      "day(at)",
      "SELECT i::BIGINT AS id, TIMESTAMPTZ '2024-01-01 12:00:00+00' + i * INTERVAL 1 DAY AS at FROM range(2) t(i)",
    ],
    ["a bucket that only the ends share", "bucket(1, id)", "SELECT range AS id FROM range(3)"],
  ])("of several partitions: %s", async (_, partitionBy, select) => {
    const table = await make(schemaOf(types), [partitionBy]);
    await expect(table.commit(addFiles({ locations: [await byDuckDb(select)] }))).rejects.toMatchObject({
      kind: "data",
      code: "FILE_PARTITION",
    });
  });

  test("in a folder that names no value", async () => {
    const columns = { id: types["id"]!, n: types["small"]! };
    const table = await make(schemaOf(columns), ["n"]);
    await table.io.write(join(folder, "n=seven", "x.parquet"), readFileSync(await byDuckDb("SELECT 1::BIGINT AS id")));
    await expect(table.commit(addFiles({ locations: [join(folder, "n=seven", "x.parquet")] }))).rejects.toMatchObject({
      code: "FILE_PARTITION",
    });
  });

  test("missing, twice, there already, or no Parquet at all", async () => {
    const table = await make(schemaOf(types));
    const location = await byDuckDb("SELECT 1::BIGINT AS id");
    expect(() => addFiles({ locations: [location, location] })).toThrow(/found one twice/);
    await table.commit(addFiles({ locations: [location] }));
    await expect(table.commit(addFiles({ locations: [location] }))).rejects.toMatchObject({ code: "DUPLICATE_FILE" });
    await expect(table.commit(addFiles({ locations: [join(folder, "none")] }))).rejects.toMatchObject({
      kind: "not-found",
    });
    await table.io.write(join(folder, "text"), new TextEncoder().encode("no Parquet file"));
    await expect(table.commit(addFiles({ locations: [join(folder, "text")] }))).rejects.toMatchObject({
      kind: "corrupt",
    });
  });
});
