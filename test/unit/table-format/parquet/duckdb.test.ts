// DuckDB as the independent reader of our data files, and as the writer of foreign ones.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLocalStorage } from "../../../../src/storage/local.ts";
import type { Value } from "../../../../table-format/manifest/data-file.ts";
import type { PrimitiveType, Schema } from "../../../../table-format/schema/types.ts";
import { ALL_TYPES, anyRows } from "../columns.ts";
import { batchOf, readFile, schemaOf, writeFile } from "./files.ts";

const io = createLocalStorage();
let folder: string;
let instance: DuckDBInstance;
let duckdb: DuckDBConnection;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "frazil-parquet-"));
  instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  duckdb = await instance.connect();
  await duckdb.run("SET TimeZone = 'UTC'");
});

afterAll(async () => {
  duckdb?.closeSync();
  instance?.closeSync();
  await rm(folder, { recursive: true });
});

type Row = Record<string, unknown>;
const query = async (sql: string): Promise<Row[]> => (await duckdb.runAndReadAll(sql)).getRowObjectsJson();

/** An expression that gives DuckDB's value in a form that loses nothing: whole numbers as text, bytes as hex, floats as bits. */
function exact(type: PrimitiveType, column: string): string {
  switch (type.kind) {
    case "date":
      return `(${column} - DATE '1970-01-01')::VARCHAR`;
    case "time":
      return `epoch_us(${column})::VARCHAR`;
    case "timestamp":
    case "timestamptz":
    // DuckDB has no zoned type of nanoseconds: it cuts them.
    case "timestamptz_ns":
      return `epoch_us(${column})::VARCHAR`;
    case "timestamp_ns":
      return `epoch_ns(${column})::VARCHAR`;
    case "float":
    case "double":
      return `${column}::BIGINT::VARCHAR`;
    case "uuid":
      return `replace(${column}::VARCHAR, '-', '')`;
    case "fixed":
    case "binary":
      return `hex(${column})`;
    case "string":
      return `hex(encode(${column}))`;
    default:
      return `${column}::VARCHAR`;
  }
}

/** Our value in the form of `exact`. */
function exactText(type: PrimitiveType, value: Value | null): string | null {
  if (value === null) return null;
  switch (type.kind) {
    case "string":
      return Buffer.from(value as string)
        .toString("hex")
        .toUpperCase();
    case "uuid":
      return Buffer.from(value as Uint8Array).toString("hex");
    case "fixed":
    case "binary":
      return Buffer.from(value as Uint8Array)
        .toString("hex")
        .toUpperCase();
    case "decimal": {
      const digits = String(value)
        .replace("-", "")
        .padStart(type.scale + 1, "0");
      const whole = digits.slice(0, digits.length - type.scale);
      const text = type.scale === 0 ? whole : `${whole}.${digits.slice(-type.scale)}`;
      return (value as bigint) < 0n ? `-${text}` : text;
    }
    case "timestamptz_ns":
      return String((value as bigint) / 1000n);
    default:
      return Object.is(value, -0) ? "0" : String(value);
  }
}

/** DuckDB's timestamps and dates have narrower ranges, and it prints floats in its own way: those are drawn from what both hold and print. */
function rowsFor(type: PrimitiveType, length: number): fc.Arbitrary<(Value | null)[]> {
  switch (type.kind) {
    case "date":
      return fc.array(fc.option(fc.integer({ min: -700_000, max: 2_000_000 })), {
        minLength: length,
        maxLength: length,
      });
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return fc.array(fc.option(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n })), {
        minLength: length,
        maxLength: length,
      });
    case "float":
    case "double":
      return fc.array(fc.option(fc.integer({ min: -1_000_000, max: 1_000_000 })), {
        minLength: length,
        maxLength: length,
      });
    default:
      return anyRows(type, length);
  }
}

describe("a file of ours, read by DuckDB", () => {
  it("has every value of every type", async () => {
    const schema = schemaOf(ALL_TYPES);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.tuple(...ALL_TYPES.map((type) => rowsFor(type, 60))), async (columns) => {
        const at = join(folder, `ours-${run++}.parquet`);
        await writeFile(io, at, schema, [batchOf(schema, columns)], 3000);
        const select = schema.fields.map(({ name, type }) => `${exact(type as PrimitiveType, name)} AS ${name}`);
        const rows = await query(`SELECT ${select.join(", ")} FROM '${at}'`);
        for (const [k, type] of ALL_TYPES.entries()) {
          const expected = (columns[k] ?? []).map((value) => exactText(type, value));
          expect(rows.map((row) => row[`f${k + 1}`])).toEqual(expected);
        }
      }),
      { numRuns: 15, endOnFailure: true },
    );
  });

  it("keeps floats bit by bit", async () => {
    const schema = schemaOf([{ kind: "double" }, { kind: "float" }]);
    const values = [0, -0, NaN, Infinity, -Infinity, 5e-324, Number.MAX_VALUE, 0.1];
    const floats = values.map((value) => Math.fround(value));
    const at = join(folder, "floats.parquet");
    await writeFile(io, at, schema, [batchOf(schema, [values, floats])]);
    const reader = await duckdb.runAndReadAll(`SELECT f1, f2 FROM '${at}'`);
    expect(reader.getColumns()).toEqual([values, floats]);
  });

  it("declares field ids, REQUIRED, and the types of the specification", async () => {
    const schema = schemaOf(ALL_TYPES.map((type, k) => ({ ...type, required: k % 2 === 0 })));
    const at = join(folder, "schema.parquet");
    await writeFile(io, at, schema, []);
    const elements = await query(
      `SELECT name, type, type_length, repetition_type, field_id, converted_type, logical_type, scale, precision
       FROM parquet_schema('${at}') WHERE num_children IS NULL`,
    );
    expect(elements.map((e) => [e["name"], e["field_id"], e["repetition_type"]])).toEqual(
      schema.fields.map(({ name, id, required }) => [name, String(id), required ? "REQUIRED" : "OPTIONAL"]),
    );
    const physical = elements.map((e) => [e["type"], e["type_length"] === null ? null : Number(e["type_length"])]);
    expect(physical).toEqual([
      ["BOOLEAN", null],
      ["INT32", null],
      ["INT64", null],
      ["FLOAT", null],
      ["DOUBLE", null],
      ["INT32", null],
      ["INT64", null],
      ["INT64", null],
      ["INT64", null],
      ["INT64", null],
      ["INT64", null],
      ["BYTE_ARRAY", null],
      ["FIXED_LEN_BYTE_ARRAY", 16],
      ["BYTE_ARRAY", null],
      ["INT32", null],
      ["INT64", null],
      ["FIXED_LEN_BYTE_ARRAY", 9],
      ["FIXED_LEN_BYTE_ARRAY", 16],
      ["FIXED_LEN_BYTE_ARRAY", 5],
    ]);
    const types = await query(`DESCRIBE SELECT * FROM '${at}'`);
    expect(types.map((row) => row["column_type"])).toEqual([
      "BOOLEAN",
      "INTEGER",
      "BIGINT",
      "FLOAT",
      "DOUBLE",
      "DATE",
      "TIME",
      "TIMESTAMP",
      "TIMESTAMP WITH TIME ZONE",
      "TIMESTAMP_NS",
      expect.stringMatching(/^TIMESTAMP/),
      "VARCHAR",
      "UUID",
      "BLOB",
      "DECIMAL(9,2)",
      "DECIMAL(18,0)",
      "DECIMAL(19,4)",
      "DECIMAL(38,10)",
      "BLOB",
    ]);
    expect(await query(`SELECT count(*)::INT AS n FROM '${at}'`)).toEqual([{ n: 0 }]);
  });

  it("has statistics that lose no row to a filter", async () => {
    const schema = schemaOf([{ kind: "long" }, { kind: "string" }, { kind: "decimal", precision: 25, scale: 3 }]);
    const length = 400;
    const longs = Array.from({ length }, (_, k) => BigInt(k - 200) * 4_000_000_000_000_000n);
    const texts = longs.map((value, k) => `${k % 2 === 0 ? "a common prefix that is long" : "zebra"} ${value}`);
    const at = join(folder, "statistics.parquet");
    const file = await writeFile(io, at, schema, [batchOf(schema, [longs, texts, longs])], 3000);
    const groups = file.splitOffsets?.length ?? 0;
    expect(groups).toBeGreaterThan(5);
    const chunks = await query(`SELECT stats_min_value, stats_null_count, compression FROM parquet_metadata('${at}')`);
    expect(chunks.length).toBe(groups * 3);
    expect(new Set(chunks.map((chunk) => chunk["compression"]))).toEqual(new Set(["ZSTD"]));
    expect(chunks.every((chunk) => chunk["stats_min_value"] !== null && chunk["stats_null_count"] === "0")).toBe(true);
    for (const k of [0, 1, 77, 200, 399]) {
      const found = await query(
        `SELECT f1::VARCHAR AS f1 FROM '${at}'
         WHERE f1 = ${longs[k]} AND f2 = '${texts[k]}' AND f3 = ${exactText(schema.fields[2]?.type as PrimitiveType, longs[k] ?? null)}`,
      );
      expect(found).toEqual([{ f1: String(longs[k]) }]);
    }
  });

  it("reports the sizes of its columns and where its row groups start", async () => {
    const schema = schemaOf([{ kind: "long" }, { kind: "string" }]);
    const rows = Array.from({ length: 1000 }, (_, k) => BigInt(k));
    const at = join(folder, "sizes.parquet");
    const file = await writeFile(io, at, schema, [batchOf(schema, [rows, rows.map((k) => `row ${k}`)])], 8000);
    const sizes = await query(
      `SELECT path_in_schema AS name, sum(total_compressed_size)::BIGINT AS size FROM parquet_metadata('${at}') GROUP BY ALL`,
    );
    expect(new Map(sizes.map(({ name, size }) => [Number(String(name).slice(1)), BigInt(size as string)]))).toEqual(
      file.columnSizes,
    );
    const starts = await query(
      `SELECT min(coalesce(dictionary_page_offset, data_page_offset))::BIGINT AS start
       FROM parquet_metadata('${at}') GROUP BY row_group_id ORDER BY 1`,
    );
    expect(starts.map(({ start }) => BigInt(start as string))).toEqual(file.splitOffsets);
  });
});

describe("a file of DuckDB's, read by us", () => {
  const field = (id: number, name: string, type: PrimitiveType): Schema["fields"][number] => {
    return { id, name, required: false, type };
  };
  const schema: Schema = {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [
      field(1, "flag", { kind: "boolean" }),
      field(2, "n", { kind: "long" }),
      field(3, "small", { kind: "long" }),
      field(4, "ratio", { kind: "double" }),
      field(5, "money", { kind: "decimal", precision: 38, scale: 2 }),
      field(6, "huge", { kind: "decimal", precision: 38, scale: 3 }),
      field(7, "day", { kind: "date" }),
      field(8, "at", { kind: "timestamp" }),
      field(9, "at_ns", { kind: "timestamp_ns" }),
      field(10, "at_ms", { kind: "timestamp" }),
      field(11, "zoned", { kind: "timestamptz" }),
      field(12, "text", { kind: "string" }),
      field(13, "id", { kind: "uuid" }),
      field(14, "raw", { kind: "binary" }),
      field(15, "word", { kind: "string" }),
      field(16, "since", { kind: "timestamp" }),
    ],
  };
  const select = `SELECT
    CASE WHEN i % 3 = 0 THEN NULL ELSE i % 2 = 0 END AS flag,
    (9223372036854775807 - i)::BIGINT AS n,
    (i - 5)::INTEGER AS small,
    (i / 2)::FLOAT AS ratio,
    (i - 3)::DECIMAL(15, 2) AS money,
    ('-123456789012345678901234567890.' || lpad(i::VARCHAR, 3, '0'))::DECIMAL(38, 3) AS huge,
    DATE '1969-12-31' + i::INTEGER AS day,
    TIMESTAMP '1969-12-31 23:59:59.999999' + to_microseconds(i) AS at,
    TIMESTAMP_NS '2020-01-01 00:00:00.000000001' AS at_ns,
    TIMESTAMP_MS '1969-12-31 23:59:59.999' AS at_ms,
    TIMESTAMPTZ '2020-06-01 12:00:00+02' AS zoned,
    CASE WHEN i % 4 = 0 THEN NULL ELSE 'text ' || i || ' ü😀' END AS text,
    ('00112233-4455-6677-8899-aabbccddee' || lpad((i % 100)::VARCHAR, 2, '0'))::UUID AS id,
    encode('bytes ' || i) AS raw,
    ['red', 'green', 'blue'][i % 3 + 1] AS word,
    DATE '1970-01-02' AS since
  FROM range(700) t(i)`;
  const ids = schema.fields.map(({ id, name }) => `"${name}": ${id}`).join(", ");

  const expected = (k: number): (Value | null)[] => {
    const i = BigInt(k);
    const id = `00112233445566778899aabbccddee${String(k % 100).padStart(2, "0")}`;
    return [
      k % 3 === 0 ? null : k % 2 === 0,
      9223372036854775807n - i,
      i - 5n,
      Math.fround(k / 2),
      (i - 3n) * 100n,
      -(123456789012345678901234567890n * 1000n + i),
      k - 1,
      i - 1n,
      1577836800000000001n,
      -1000n,
      1591005600000000n,
      k % 4 === 0 ? null : `text ${k} ü😀`,
      new Uint8Array(Buffer.from(id, "hex")),
      new TextEncoder().encode(`bytes ${k}`),
      ["red", "green", "blue"][k % 3] as string,
      86_400_000_000n,
    ];
  };

  it.each([
    ["snappy", "V1"],
    ["zstd", "V1"],
    ["zstd", "V2"],
    ["gzip", "V1"],
    ["uncompressed", "V2"],
    ["brotli", "V1"],
  ])("is exact with %s, pages of %s", async (codec, version) => {
    const at = join(folder, `duckdb-${codec}-${version}.parquet`);
    await duckdb.run(
      `COPY (${select}) TO '${at}'
       (FORMAT parquet, COMPRESSION ${codec}, PARQUET_VERSION ${version}, ROW_GROUP_SIZE 2048, FIELD_IDS {${ids}})`,
    );
    const { columns } = await readFile(io, at, schema);
    const rows = Array.from({ length: 700 }, (_, k) => expected(k));
    for (const [k, { name }] of schema.fields.entries()) {
      expect(columns[k], name).toEqual(rows.map((row) => row[k]));
    }
  });

  it("fills columns that the file lacks, and refuses what it cannot be", async () => {
    const at = join(folder, "lacking.parquet");
    await duckdb.run(`COPY (SELECT 1::INTEGER AS a) TO '${at}' (FORMAT parquet, FIELD_IDS {a: 1})`);
    const later: Schema = {
      ...schema,
      fields: [
        field(1, "renamed", { kind: "long" }),
        field(2, "added", { kind: "string" }),
        { ...field(3, "count", { kind: "int" }), required: true, initialDefault: 7n },
        { ...field(4, "price", { kind: "decimal", precision: 9, scale: 2 }), initialDefault: "-1.50" },
        { ...field(5, "day", { kind: "date" }), initialDefault: "1969-12-31" },
        { ...field(6, "at", { kind: "timestamptz" }), initialDefault: "1970-01-01T00:00:01.5+00:00" },
        { ...field(7, "raw", { kind: "binary" }), initialDefault: "00ff" },
        { ...field(8, "none", { kind: "int" }), required: true },
        field(9, "other", { kind: "unknown" }),
      ],
    };
    const { columns } = await readFile(io, at, later, [1, 2, 3, 4, 5, 6, 7, 9]);
    const raw = Uint8Array.of(0, 255);
    expect(columns).toEqual([[1n], [null], [7], [-150n], [-1], [1_500_000n], [raw], [null]]);
    await expect(readFile(io, at, later, [8])).rejects.toMatchObject({ kind: "corrupt", code: "MISSING_COLUMN" });
    const narrowed: Schema = { ...later, fields: [field(1, "a", { kind: "string" })] };
    await expect(readFile(io, at, narrowed)).rejects.toMatchObject({ kind: "corrupt", code: "WRONG_COLUMN_TYPE" });
  });

  it("refuses files without field ids, cut files and files that are no Parquet", async () => {
    const at = join(folder, "plain.parquet");
    await duckdb.run(`COPY (SELECT range AS a FROM range(1000)) TO '${at}' (FORMAT parquet)`);
    const one: Schema = { ...schema, fields: [field(1, "a", { kind: "long" })] };
    await expect(readFile(io, at, one)).rejects.toMatchObject({ kind: "unsupported", code: "NO_FIELD_IDS" });
    const bytes = await io.read(at);
    await io.write(join(folder, "cut.parquet"), bytes.subarray(0, bytes.length - 10));
    await expect(readFile(io, join(folder, "cut.parquet"), one)).rejects.toMatchObject({ kind: "corrupt" });
    await io.write(join(folder, "tiny"), Uint8Array.of(1, 2, 3));
    await expect(readFile(io, join(folder, "tiny"), one)).rejects.toMatchObject({ kind: "corrupt" });
  });

  it("names a column whose bytes are damaged", async () => {
    const at = join(folder, "damaged.parquet");
    await duckdb.run(
      `COPY (SELECT range AS a FROM range(1000)) TO '${at}' (FORMAT parquet, COMPRESSION zstd, FIELD_IDS {a: 1})`,
    );
    const bytes = new Uint8Array(await io.read(at));
    bytes.fill(0xa5, 40, 90);
    await io.write(at, bytes);
    const one: Schema = { ...schema, fields: [field(1, "a", { kind: "long" })] };
    await expect(readFile(io, at, one)).rejects.toMatchObject({ kind: "corrupt", code: "CORRUPT_COLUMN" });
  });
});
