import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bindExpression } from "../../../../table-format/expression/bind.ts";
import { evaluator } from "../../../../table-format/expression/evaluate.ts";
import type { Expression } from "../../../../table-format/expression/expression.ts";
import { rangeOfMetrics } from "../../../../table-format/expression/metrics-range.ts";
import { mayMatch, mustMatch } from "../../../../table-format/expression/value-range.ts";
import type { DataFile, Value } from "../../../../table-format/manifest/data-file.ts";
import { measure } from "../../../../table-format/parquet/bounds.ts";
import { fileMetrics } from "../../../../table-format/parquet/metrics.ts";
import { typeText } from "../../../../table-format/schema/type-json.ts";
import type { PrimitiveType, Schema } from "../../../../table-format/schema/types.ts";
import { encodeValue } from "../../../../table-format/values/single-value.ts";
import { ALL_TYPES, anyRows, columnOf } from "../columns.ts";
import { dataFile } from "../data-file.ts";
import { anyPredicate, truthOf } from "./filters.ts";

const schemaOf = (type: PrimitiveType): Schema => ({
  schemaId: 0,
  fields: [{ id: 1, name: "c", required: false, type }],
  identifierFieldIds: [],
});

/** The file entry that the library's writer makes of the rows. */
function fileOf(type: PrimitiveType, rows: readonly (Value | null)[]): DataFile {
  const column = columnOf(type, rows);
  const statistics = measure([{ column, start: 0, end: rows.length }]);
  const mode = { truncate: 16 };
  const metrics = fileMetrics([{ id: 1, type, mode, isRepeated: false, sizeBytes: 0, statistics }]);
  return dataFile({ recordCount: BigInt(rows.length), ...metrics });
}

/** Some of the metrics, as files have them whose writers knew less. */
const anyLoss = fc.record({
  valueCounts: fc.boolean(),
  nullValueCounts: fc.boolean(),
  nanValueCounts: fc.boolean(),
  lowerBounds: fc.boolean(),
  upperBounds: fc.boolean(),
});

describe("what metrics and rows say of random predicates", () => {
  test.each(ALL_TYPES.map((type) => [typeText(type), type] as const))("%s", (_name, type) => {
    const schema = schemaOf(type);
    const cases = fc
      .integer({ min: 1, max: 6 })
      .chain((length) => anyRows(type, length))
      .chain((rows) => fc.tuple(fc.constant(rows), anyPredicate("c", type, rows), anyLoss));
    fc.assert(
      fc.property(cases, ([rows, predicate, loss]) => {
        const truths = rows.map((value) => truthOf(predicate, () => value) === true);
        const bound = bindExpression(predicate, schema);
        const isTrue = evaluator(bound, () => (value: Value | null) => value);
        expect(rows.map(isTrue)).toEqual(truths);

        const whole = fileOf(type, rows);
        const lost = Object.fromEntries(Object.entries(loss).flatMap(([key, isLost]) => (isLost ? [[key, null]] : [])));
        for (const file of [whole, { ...whole, ...lost }]) {
          const range = rangeOfMetrics(file);
          if (truths.includes(true)) expect(mayMatch(bound, range)).toBe(true);
          if (mustMatch(bound, range)) expect(truths).not.toContain(false);
        }
      }),
      { numRuns: 120 },
    );
  });
});

type Facts = "never" | "always" | "open";

const factsOf = (type: PrimitiveType, rows: readonly (Value | null)[], filter: Expression): Facts => {
  const bound = bindExpression(filter, schemaOf(type));
  const range = rangeOfMetrics(fileOf(type, rows));
  return !mayMatch(bound, range) ? "never" : mustMatch(bound, range) ? "always" : "open";
};

describe("metrics decide what they can", () => {
  const long = { kind: "long" } as const;
  const double = { kind: "double" } as const;
  const string = { kind: "string" } as const;
  const term = "c";
  test.each<[PrimitiveType, (Value | null)[], Expression, Facts]>([
    [long, [3n, 5n], { type: "lt", term, value: 3n }, "never"],
    [long, [3n, 5n], { type: "lt-eq", term, value: 3n }, "open"],
    [long, [3n, 5n], { type: "lt", term, value: 6n }, "always"],
    [long, [3n, null], { type: "lt", term, value: 6n }, "open"],
    [long, [3n, 5n], { type: "gt", term, value: 5n }, "never"],
    [long, [3n, 5n], { type: "gt-eq", term, value: 3n }, "always"],
    [long, [3n, 5n], { type: "eq", term, value: 4n }, "open"],
    [long, [3n, 5n], { type: "eq", term, value: 6n }, "never"],
    [long, [4n, 4n], { type: "eq", term, value: 4n }, "always"],
    [long, [4n, null], { type: "not-eq", term, value: 4n }, "never"],
    [long, [3n, 5n], { type: "not-eq", term, value: 7n }, "always"],
    [long, [3n, 9n], { type: "in", term, values: [1n, 2n, 10n] }, "never"],
    [long, [3n, 9n], { type: "not-in", term, values: [1n, 2n, 10n] }, "always"],
    [long, [4n, 4n], { type: "not-in", term, values: [4n, 5n] }, "never"],
    [long, [null, null], { type: "not-eq", term, value: 4n }, "never"],
    [long, [null, null], { type: "is-null", term }, "always"],
    [long, [null, 1n], { type: "is-null", term }, "open"],
    [long, [1n], { type: "is-null", term }, "never"],
    [double, [NaN, NaN], { type: "lt", term, value: 1 }, "never"],
    [double, [NaN, 2], { type: "gt", term, value: 2 }, "never"],
    [double, [NaN, 2], { type: "lt", term, value: 3 }, "open"],
    [double, [NaN, NaN], { type: "is-nan", term }, "always"],
    [double, [1, null], { type: "is-nan", term }, "never"],
    [double, [1, null], { type: "not-nan", term }, "always"],
    [double, [-0, -0], { type: "eq", term, value: 0 }, "always"],
    [double, [0, 0], { type: "lt", term, value: -0 }, "never"],
    [string, ["b", "d"], { type: "starts-with", term, value: "a" }, "never"],
    [string, ["b", "d"], { type: "starts-with", term, value: "da" }, "never"],
    [string, ["abc", "abz"], { type: "starts-with", term, value: "ab" }, "always"],
    [string, ["abc", "abz"], { type: "not-starts-with", term, value: "ab" }, "never"],
    [string, ["abc", "abz"], { type: "not-starts-with", term, value: "b" }, "always"],
    [string, [`${"x".repeat(16)}y`], { type: "gt", term, value: `${"x".repeat(15)}z` }, "never"],
    [string, [`${"x".repeat(16)}y`], { type: "eq", term, value: `${"x".repeat(16)}y` }, "open"],
  ])("%o %o %o: %s", (type, rows, filter, facts) => {
    expect(factsOf(type, rows, filter)).toBe(facts);
  });
});

describe("metrics of other writers", () => {
  const ask = (type: PrimitiveType, file: Partial<DataFile>, filter: Expression) =>
    mayMatch(bindExpression(filter, schemaOf(type)), rangeOfMetrics(dataFile({ recordCount: 2n, ...file })));
  const both = (bytes: Uint8Array) => ({ lowerBounds: new Map([[1, bytes]]), upperBounds: new Map([[1, bytes]]) });

  test("NaN as a bound says nothing", () => {
    const double = { kind: "double" } as const;
    expect(ask(double, both(encodeValue(double, NaN)), { type: "gt", term: "c", value: 5 })).toBe(true);
  });

  test("nulls alone are no NaN, whether those were counted or not", () => {
    const counts = { valueCounts: new Map([[1, 2n]]), nullValueCounts: new Map([[1, 2n]]) };
    expect(ask({ kind: "double" }, counts, { type: "is-nan", term: "c" })).toBe(false);
  });

  test("a bound from before the column was widened counts", () => {
    const four = encodeValue({ kind: "int" }, 4);
    expect(ask({ kind: "long" }, both(four), { type: "gt", term: "c", value: 4n })).toBe(false);
    expect(ask({ kind: "long" }, both(four), { type: "gt", term: "c", value: 3n })).toBe(true);
  });

  test("a text that was cut within a character says nothing", () => {
    const cut = Buffer.from("ü").subarray(0, 1);
    expect(ask({ kind: "string" }, both(cut), { type: "eq", term: "c", value: "zzz" })).toBe(true);
  });

  test("uuids may have been ordered as Java orders them", () => {
    const uuid = { kind: "uuid" } as const;
    const low = Buffer.from("8000000000000000".padEnd(32, "0"), "hex");
    const high = Buffer.from("7fffffffffffffff".padEnd(32, "0"), "hex");
    const bounds = { lowerBounds: new Map([[1, low]]), upperBounds: new Map([[1, high]]) };
    expect(ask(uuid, bounds, { type: "eq", term: "c", value: Buffer.alloc(16) })).toBe(true);
  });

  test("rows of a null struct may be missing from the counts of its fields", () => {
    const schema: Schema = {
      schemaId: 0,
      fields: [
        {
          id: 2,
          name: "s",
          required: false,
          type: { kind: "struct", fields: [{ id: 1, name: "c", required: true, type: { kind: "int" } }] },
        },
      ],
      identifierFieldIds: [],
    };
    const filter = bindExpression({ type: "is-null", term: "s.c" }, schema);
    const file = (values: bigint) =>
      dataFile({ recordCount: 3n, valueCounts: new Map([[1, values]]), nullValueCounts: new Map([[1, 0n]]) });
    expect([file(2n), file(3n)].map((each) => mayMatch(filter, rangeOfMetrics(each)))).toEqual([true, false]);
  });
});
