import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { portableStatement } from "../../../src/query/portable.ts";
import { openSession } from "../../../src/query/session.ts";
import { openQuery } from "../../../src/query/query.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { newSchema, type PrimitiveType, type Schema } from "../../../table-format/index.ts";
import { TestTable } from "../table-format/test-table.ts";
import { appendColumns, commit, createTable, queryLines, temporaryWarehouse } from "./local-warehouse.ts";

let warehouse: Warehouse & AsyncDisposable;
beforeAll(async () => {
  warehouse = await temporaryWarehouse();
});
afterAll(() => warehouse[Symbol.asyncDispose]());

const lines = (sql: string, asOf: string | null = null) => queryLines(warehouse, sql, asOf);
const error = (sql: string, asOf: string | null = null) =>
  lines(sql, asOf).then(
    (found) => {
      throw new Error(`gave ${found.join("\n")}`);
    },
    (reason: { kind: string; code: string; message: string; hint?: string }) => reason,
  );

describe("a table that lives", () => {
  for (const formatVersion of [2, 3] as const) {
    it(`reads every snapshot as it was, format version ${formatVersion}`, async () => {
      await using place = await temporaryWarehouse();
      const table = await TestTable.create(place.io, place.catalog, { formatVersion });
      const row = (id: number, name: string | null = `n${id}`) => ({ id: BigInt(id), name, day: 20_000 + id });
      await table.change({ insert: [row(1), row(2), row(3, null), row(4)] });
      await table.change({ insert: [row(5), row(6)] });
      await table.change({ delete: [1n], insert: [row(1, "eins")] });
      await table.change({ delete: [2n, 5n], insert: [row(2, "zwei"), row(7)] });
      await table.change({ delete: [6n] });
      await table.change({ rewrite: table.paths.slice(0, 2), operation: "replace" });
      await table.change({ delete: [1n, 2n, 3n, 4n, 7n] });
      expect(table.history.size).toBe(7);
      for (const [snapshotId, rows] of table.history) {
        const expected = rows.map(({ id, name, day }) =>
          JSON.stringify({ id: Number(id), name, day: new Date(day! * 86_400_000).toISOString().slice(0, 10) }),
        );
        const sql = "SELECT * FROM ns.t ORDER BY id";
        expect(await queryLines(place, sql, String(snapshotId))).toEqual(expected);
        expect(await queryLines(place, "SELECT count(*) AS n FROM ns.t", String(snapshotId))).toEqual([
          `{"n":${rows.length}}`,
        ]);
      }
      expect(await queryLines(place, "FROM ns.t")).toEqual([]);
    });
  }
});

describe("a folder whose name is a pattern", () => {
  it("is the folder of that name, whatever else the pattern fits", async () => {
    await using place = await temporaryWarehouse("a[b]*c?d/lake");
    const table = await TestTable.create(place.io, place.catalog, { formatVersion: 3 });
    await table.change({ insert: [{ id: 1n, name: "right", day: 1 }] });
    // What DuckDB's pattern would find too.
    const twin = join(place.location, "../../ab-cxd/lake");
    cpSync(place.location, twin, { recursive: true });
    expect(await queryLines(place, "SELECT name FROM ns.t")).toEqual(['{"name":"right"}']);
    await table.change({ delete: [1n], insert: [{ id: 2n, name: "new", day: 1 }] });
    expect(await queryLines(place, "SELECT name FROM ns.t")).toEqual(['{"name":"new"}']);
    const statement = await portableStatement(place, "SELECT count(*) AS n FROM ns.t", "main", {});
    expect(statement).toContain("count(*)");
    const session = await openSession(place);
    const { chunks } = await session.query("SELECT name FROM ns.t", null);
    expect(await Array.fromAsync(chunks())).toEqual([[["new"]]]);
    await session.close();
  });
});

describe("a schema that changes", () => {
  const ident = { namespace: ["shop"], name: "items" };
  const int: PrimitiveType = { kind: "int" };
  const first = newSchema(
    [
      { name: "id", type: int, required: true },
      { name: "nm", type: { kind: "string" }, required: false },
      { name: "price", type: { kind: "decimal", precision: 9, scale: 2 }, required: false },
      { name: "gone", type: int, required: false },
    ],
    ["id"],
  );
  const second: Schema = {
    schemaId: 1,
    identifierFieldIds: first.identifierFieldIds,
    fields: [
      { id: 3, name: "price", required: false, type: { kind: "decimal", precision: 20, scale: 2 } },
      { id: 1, name: "id", required: true, type: { kind: "long" } },
      { id: 2, name: "file_row_number", required: false, type: { kind: "string" } },
      { id: 5, name: "added", required: false, type: int, initialDefault: 42n },
      { id: 6, name: "gone", required: false, type: { kind: "string" } },
    ],
  };
  let before: bigint;
  let after: bigint;
  beforeAll(async () => {
    await createTable(warehouse, ident, first);
    before = await appendColumns(warehouse, ident, [
      [1, 2],
      ["a", null],
      [150n, null],
      [7, 8],
    ]);
    await commit(warehouse, ident, [
      { action: "add-schema", schema: second, lastColumnId: 6 },
      { action: "set-current-schema", schemaId: -1 },
      { action: "set-snapshot-ref", name: "v1", ref: { snapshotId: before, type: "tag" } },
    ]);
    after = await appendColumns(warehouse, ident, [
      [123456789012345678n, null],
      [9007199254740993n, 4n],
      ["b", "c"],
      [1, null],
      ["x", null],
    ]);
  });

  it("gives old rows under the new names, widened, with defaults, and dropped columns gone", async () => {
    expect(await lines("FROM shop.items ORDER BY id")).toEqual([
      '{"price":1.50,"id":1,"file_row_number":"a","added":42,"gone":null}',
      '{"price":null,"id":2,"file_row_number":null,"added":42,"gone":null}',
      '{"price":null,"id":4,"file_row_number":"c","added":null,"gone":null}',
      '{"price":"1234567890123456.78","id":"9007199254740993","file_row_number":"b","added":1,"gone":"x"}',
    ]);
  });

  it("shows the past in the schema of then: by id, tag and time", async () => {
    const past = ['{"id":1,"nm":"a","price":1.50,"gone":7}', '{"id":2,"nm":null,"price":null,"gone":8}'];
    const sql = "FROM shop.items ORDER BY id";
    expect(await lines(sql, String(before))).toEqual(past);
    expect(await lines(sql, "v1")).toEqual(past);
    const { metadata } = (await warehouse.catalog.loadTable(ident))!;
    const [one, two] = metadata.snapshots.map(({ timestampMs }) => new Date(Number(timestampMs)).toISOString());
    expect(await lines(sql, one ?? null)).toEqual(past);
    expect(await lines(sql, two!.replace("Z", "+00:00"))).toHaveLength(4);
    expect(await lines(sql, String(after))).toHaveLength(4);
    expect(await error(sql, "2020-01-01T00:00:00Z")).toMatchObject({
      kind: "not-found",
      code: "SNAPSHOT_NOT_FOUND",
      message: `shop.items has no snapshot at or before 2020-01-01T00:00:00Z; the oldest is of ${one}`,
    });
    expect(await error(sql, "v2")).toMatchObject({
      code: "SNAPSHOT_NOT_FOUND",
      message: 'shop.items has no snapshot, tag or branch "v2"',
      hint: "frazil snapshots shop.items lists what there is",
    });
    expect(await error(sql, "1")).toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
  });
});

it("hands over every type exactly", async () => {
  const ident = { namespace: ["shop"], name: "Types" };
  const plain = (kind: string) => ({ kind }) as PrimitiveType;
  const fields: [string, PrimitiveType][] = [
    ["b", plain("boolean")],
    ["i", plain("int")],
    ["l", plain("long")],
    ["f", plain("float")],
    ["d", plain("double")],
    ["dt", plain("date")],
    ["tm", plain("time")],
    ["ts", plain("timestamp")],
    ["tz", plain("timestamptz")],
    ["ns", plain("timestamp_ns")],
    ["nz", plain("timestamptz_ns")],
    ["s", plain("string")],
    ["u", plain("uuid")],
    ["x", plain("binary")],
    ["dec", { kind: "decimal", precision: 38, scale: 10 }],
    ["fx", { kind: "fixed", length: 3 }],
  ];
  const schema = newSchema(
    fields.map(([name, type]) => ({ name, type, required: false })),
    [],
  );
  await createTable(warehouse, ident, schema);
  await appendColumns(warehouse, ident, [
    [true, null],
    [-2147483648, null],
    [-9223372036854775808n, null],
    [Math.fround(1.1), null],
    [Number.NaN, null],
    [-1, null],
    [86_399_999_999n, null],
    [1_600_000_000_123_456n, null],
    [-1n, null],
    [1_600_000_000_123_456_789n, null],
    // DuckDB has no place for the last three digits.
    [1999n, null],
    ["ein 🧊\n", null],
    [Uint8Array.from({ length: 16 }, (_, index) => index), null],
    [Uint8Array.of(0, 255), null],
    [-12345678901234567890123456789n, null],
    [Uint8Array.of(1, 2, 3), null],
  ]);
  const [row, empty] = await lines("SELECT * FROM shop.types");
  expect(row).toBe(
    `{"b":true,"i":-2147483648,"l":"-9223372036854775808","f":1.1,"d":"NaN","dt":"1969-12-31","tm":"23:59:59.999999",` +
      `"ts":"2020-09-13T12:26:40.123456","tz":"1969-12-31T23:59:59.999999Z","ns":"2020-09-13T12:26:40.123456789",` +
      `"nz":"1970-01-01T00:00:00.000001Z","s":"ein 🧊\\n","u":"00010203-0405-0607-0809-0a0b0c0d0e0f","x":"AP8=",` +
      `"dec":"-1234567890123456789.0123456789","fx":"AQID"}`,
  );
  expect(Object.values(JSON.parse(empty!) as object).every((value) => value === null)).toBe(true);
  const types = await lines("SELECT column_name || ' ' || column_type AS t FROM (DESCRIBE shop.Types)");
  expect(types.map((line) => (JSON.parse(line) as { t: string }).t)).toEqual([
    "b BOOLEAN",
    "i INTEGER",
    "l BIGINT",
    "f FLOAT",
    "d DOUBLE",
    "dt DATE",
    "tm TIME",
    "ts TIMESTAMP",
    "tz TIMESTAMP WITH TIME ZONE",
    "ns TIMESTAMP_NS",
    "nz TIMESTAMP WITH TIME ZONE",
    "s VARCHAR",
    "u UUID",
    "x BLOB",
    "dec DECIMAL(38,10)",
    "fx BLOB",
  ]);
});

describe("a statement", () => {
  const id = newSchema([{ name: "id", type: { kind: "long" }, required: true }], ["id"]);
  beforeAll(async () => {
    for (const [namespace, name] of [
      ["a", "one"],
      ["a", "twice"],
      ["b", "twice"],
      ["b", "odd name"],
    ] as const) {
      const ident = { namespace: [namespace], name };
      await createTable(warehouse, ident, id);
      await appendColumns(warehouse, ident, [[1n, 2n]]);
    }
    await createTable(warehouse, { namespace: ["a"], name: "empty" }, id);
  });

  it.each([
    ["a join", "SELECT count(*) AS n FROM a.one JOIN b.twice USING (id)", '{"n":2}'],
    ["a subquery", "SELECT 1 AS n WHERE 1 IN (SELECT id FROM a.one)", '{"n":1}'],
    ["a CTE that hides a table", "WITH one AS (SELECT 7 AS id) SELECT id FROM one", '{"id":7}'],
    ["quotes", 'SELECT max(id) AS n FROM b."odd name"', '{"n":2}'],
    ["other letters' case", "SELECT max(id) AS n FROM A.ONE", '{"n":2}'],
    ["a bare name", "SELECT max(id) AS n FROM one", '{"n":2}'],
    ["a table without snapshots", "SELECT count(*) AS n FROM a.empty", '{"n":0}'],
    // The parser tells the alias with the name, which once was looked for as a table.
    [
      "aliases",
      'SELECT count(*) AS n FROM a.one o JOIN b."odd name" AS "x y" USING (id) JOIN a.one AS q(id) USING (id)',
      '{"n":2}',
    ],
    ["a pivot", "PIVOT a.one ON id USING count(*)", '{"1":1,"2":1}'],
    [
      "no table at all",
      "SELECT 1.50::DECIMAL(3,2) AS x, [1, NULL] AS l, {'k': 'v'} AS s",
      '{"x":1.50,"l":[1,null],"s":{"k":"v"}}',
    ],
    ["names twice", "SELECT 1 AS a, 2 AS a", '{"a":1,"a:1":2}'],
  ])("may have %s", async (_name, sql, line) => expect(await lines(sql)).toEqual([line]));

  it("may name DuckDB's own tables", async () => {
    expect(await lines("SELECT count(*) > 0 AS some FROM duckdb_settings()")).toEqual(['{"some":true}']);
    expect(await lines("SELECT count(*) >= 0 AS some FROM information_schema.tables")).toEqual(['{"some":true}']);
  });

  it.each([
    ["SELECT * FROM a.onne", "not-found", "TABLE_NOT_FOUND", /^there is no table a\.onne in /],
    ["SELECT * FROM twice", "config", "SQL_ERROR", /may be any of a\.twice, b\.twice/],
    ["SELECT * FROM nothing", "config", "SQL_ERROR", /nothing does not exist/],
    ["SELEC 1", "config", "SQL_ERROR", /syntax error/],
    ["SELECT idd FROM a.one", "config", "SQL_ERROR", /"idd" not found/],
    ["SELECT 1; SELECT 2", "config", "SQL_ERROR", /expected one statement, found 2/],
    ["SELECT 'x'::INTEGER FROM a.one", "data", "QUERY_FAILED", /Could not convert/],
  ])("is refused: %s", async (sql, kind, code, message) => {
    const found = await error(sql);
    expect(found).toMatchObject({ kind, code });
    expect(found.message).toMatch(message);
  });

  it("suggests the table that was meant", async () => {
    expect((await error("SELECT * FROM a.onne")).hint).toBe("did you mean a.one?");
  });

  it.each([
    "SELECT * FROM read_csv('/etc/passwd')",
    "COPY (SELECT 1) TO '/tmp/frazil-should-not-be-there.csv'",
    "SET enable_external_access = true",
    "INSTALL httpfs",
    "ATTACH '/tmp/frazil-should-not-be-there.db' AS x",
  ])("cannot reach outside: %s", async (sql) => {
    expect((await error(sql)).message).toMatch(/disabled|locked|configuration|not allowed/i);
  });

  it("says which data file is missing", async () => {
    const ident = { namespace: ["a"], name: "broken" };
    await createTable(warehouse, ident, id);
    const snapshotId = await appendColumns(warehouse, ident, [[1n]]);
    const path = `${warehouse.location}/a/broken/data/${snapshotId}.parquet`;
    rmSync(path);
    const found = await error("FROM a.broken");
    expect(found).toMatchObject({ kind: "corrupt", code: "FILE_UNREADABLE" });
    expect(found.message).toContain(path);
  });

  it("refuses files without field ids, and reads those that have them beside a name mapping", async () => {
    const ident = { namespace: ["a"], name: "mapped" };
    await createTable(warehouse, ident, id);
    const snapshotId = await appendColumns(warehouse, ident, [[1n]]);
    await commit(warehouse, ident, [
      { action: "set-properties", updates: new Map([["schema.name-mapping.default", "[]"]]) },
    ]);
    expect(await lines("FROM a.mapped")).toEqual(['{"id":1}']);
    const path = `${warehouse.location}/a/mapped/data/${snapshotId}.parquet`;
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    await connection.run(`COPY (SELECT 1::BIGINT AS id) TO '${path}' (FORMAT parquet)`);
    connection.closeSync();
    instance.closeSync();
    expect(await error("FROM a.mapped")).toMatchObject({ kind: "unsupported", code: "NAME_MAPPING" });
  });

  it("leaves no temporary files behind", async () => {
    // Of its own: in the one that all share other tests make folders meanwhile.
    const folder = mkdtempSync(join(tmpdir(), "frazil-leftovers-"));
    vi.stubEnv("TMPDIR", folder);
    try {
      const query = await openQuery(warehouse, "SELECT 1", null);
      expect(readdirSync(folder)).toHaveLength(1);
      await query.close();
      await error("SELEC");
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true });
    }
  });
});
