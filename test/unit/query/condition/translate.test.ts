import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tableNow } from "../../../../src/query/as-of.ts";
import { conditionExpression } from "../../../../src/query/condition/translate.ts";
import { allRows, type Duckdb } from "../../../../src/query/duckdb.ts";
import { openReading } from "../../../../src/query/duckdb-reading.ts";
import { prepareTable } from "../../../../src/query/table-rows.ts";
import type { Warehouse } from "../../../../src/warehouse.ts";
import { type Cell, cellAt, must, scanRows, type TableMetadata } from "../../../../table-format/index.ts";
import { seededRandom } from "../../../support/virtual-runtime.ts";
import { appendColumns, createTable, temporaryWarehouse } from "../local-warehouse.ts";
import { CONDITION_COLUMNS, CONDITION_SCHEMA } from "./columns.ts";

const IDENT = { namespace: ["shop"], name: "things" };
const FILES = 4;
const ROWS = 60;

let warehouse: Warehouse & AsyncDisposable;
let metadata: TableMetadata;
let reading: { readonly duckdb: Duckdb; close(): Promise<void> };

/** Rows of all kinds in one file, in the others few values of each column, so that their bounds are close. */
async function appendRandom(file: number, random: { uint32(): number }): Promise<void> {
  const pick = <T>(from: readonly T[]): T => from[random.uint32() % from.length] as T;
  const few = (values: readonly Cell[]): readonly Cell[] => (file === 0 ? values : [pick(values), pick(values)]);
  const column = (values: readonly Cell[]): (Cell | null)[] => {
    const some = few(values);
    const nulls = file === 1 ? 0 : 5;
    return Array.from({ length: ROWS }, () => (nulls > 0 && random.uint32() % nulls === 0 ? null : pick(some)));
  };
  const cities = column(["ab", "b", "ünï"]);
  await appendColumns(warehouse, IDENT, [
    Array.from({ length: ROWS }, (_, row) => BigInt(file * ROWS + row)),
    ...CONDITION_COLUMNS.map(({ values }) => column(values)),
    cities.map((city, row) => (row % 7 === 0 ? null : { city, area: BigInt(row % 5) })),
  ]);
}

beforeAll(async () => {
  warehouse = await temporaryWarehouse();
  await createTable(warehouse, IDENT, CONDITION_SCHEMA);
  const random = seededRandom(11);
  for (let file = 0; file < FILES; file++) await appendRandom(file, random);
  const at = tableNow(must(await warehouse.catalog.loadTable(IDENT), "the table"));
  ({ metadata } = at.table);
  reading = await openReading(warehouse, async (duckdb, files) => {
    const { select } = await prepareTable(warehouse.io, duckdb, files, at, "deletes");
    await duckdb.run(`CREATE TABLE _frazil.things AS ${select}`);
    return { duckdb };
  });
});

afterAll(async () => {
  await reading?.close();
  await warehouse?.[Symbol.asyncDispose]();
});

/** The ids of the rows of which DuckDB says that the condition is true; null when it refuses. */
async function byDuckdb(where: string): Promise<bigint[] | null> {
  try {
    const result = await reading.duckdb.query(
      `SELECT id FROM (SELECT * FROM _frazil.things) WHERE (\n${where}\n) ORDER BY id`,
    );
    return (await allRows(result)).map(([id]) => id as bigint);
  } catch {
    return null;
  }
}

/** Those that the table format reads for it; null where it leaves the condition to DuckDB. */
async function byPlan(where: string): Promise<bigint[] | null> {
  const filter = conditionExpression(where, CONDITION_SCHEMA);
  if (filter === null) return null;
  const fields = CONDITION_SCHEMA.fields.slice(0, 1);
  const ids: bigint[] = [];
  const snapshot = must(metadata.snapshots.at(-1), "a snapshot");
  for await (const { length, columns } of scanRows(warehouse.io, metadata, snapshot, { filter, fields })) {
    for (let row = 0; row < length; row++) ids.push(cellAt(columns[0]!, row) as bigint);
  }
  return ids.sort((a, b) => Number(a - b));
}

const column = fc.constantFrom(
  ...CONDITION_COLUMNS.map(({ name, literals, type }) => ({ sql: `"${name}"`, literals, kind: type.kind })),
  { sql: "NAME", literals: ["'a'", "'ab'"], kind: "string" },
  { sql: "place.city", literals: ["'ab'", "'b'"], kind: "string" },
  { sql: `"PLACE".Area`, literals: ["2", "3.5"], kind: "long" },
);
const operator = fc.constantFrom("=", "==", "<>", "!=", "<", "<=", ">", ">=");

const predicate = column.chain(({ sql, literals, kind }) => {
  const literal = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...literals) },
    { weight: 1, arbitrary: fc.constant("NULL") },
  );
  const not = fc.constantFrom("", "NOT ");
  const some = fc.array(literal, { minLength: 1, maxLength: 4 });
  const one = fc.oneof(
    fc.tuple(operator, literal).map(([sign, value]) => `${sql} ${sign} ${value}`),
    fc.tuple(operator, literal).map(([sign, value]) => `${value} ${sign} ${sql}`),
    fc.tuple(not, some).map(([no, values]) => `${sql} ${no}IN (${values.join(", ")})`),
    fc.tuple(not, literal, literal).map(([no, low, high]) => `${sql} ${no}BETWEEN ${low} AND ${high}`),
    not.map((no) => `${sql} IS ${no}NULL`),
    ...(kind === "boolean" ? [fc.constant(sql)] : []),
    ...(kind === "float" || kind === "double" ? [not.map((no) => `${no}isnan(${sql})`)] : []),
    ...(kind === "string"
      ? [
          fc
            .tuple(not, fc.constantFrom("a%", "ab%", "ü%", "abc", "%", "a_%", "%b", "50%%", "it''s%"))
            .map(([no, pattern]) => `${sql} ${no}LIKE '${pattern}'`),
        ]
      : []),
  );
  return one;
});

const condition = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    predicate,
    tie("any").map((inner) => `NOT (${inner})`),
    predicate.map((inner) => `NOT ${inner}`),
    fc.tuple(tie("any"), tie("any")).map(([left, right]) => `(${left}) AND (${right})`),
    fc.tuple(tie("any"), tie("any")).map(([left, right]) => `(${left}) OR (${right})`),
    fc.tuple(predicate, predicate, predicate).map(([a, b, c]) => `${a} or ${b} AND ${c}`),
    fc.constantFrom("true", "NULL", "false"),
  ),
})).any;

const RUNS = Number(process.env["FRAZIL_CONDITIONS"] ?? 200);

describe("a condition", () => {
  it("is true of the rows of which it is true to DuckDB, or is left to it", async () => {
    let [planned, found] = [0, 0];
    await fc.assert(
      fc.asyncProperty(condition, async (where) => {
        const mine = await byPlan(where);
        if (mine === null) return;
        planned++;
        found += mine.length > 0 ? 1 : 0;
        expect(mine).toEqual(await byDuckdb(where));
      }),
      { numRuns: RUNS },
    );
    expect(planned).toBeGreaterThan(RUNS / 3);
    expect(found).toBeGreaterThan(RUNS / 8);
  });

  it("is compared as DuckDB compares, literal by literal", async () => {
    for (const { name, literals } of CONDITION_COLUMNS) {
      for (const literal of literals) {
        const where = `"${name}" < ${literal}`;
        const mine = await byPlan(where);
        if (mine !== null) expect(mine, where).toEqual(await byDuckdb(where));
      }
    }
  });
});
