import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bindExpression } from "../../../../table-format/expression/bind.ts";
import type { BoundExpression } from "../../../../table-format/expression/bound.ts";
import { evaluator } from "../../../../table-format/expression/evaluate.ts";
import type { Expression } from "../../../../table-format/expression/expression.ts";
import { rangeOfSummary } from "../../../../table-format/expression/metrics-range.ts";
import {
  partitionColumns,
  type PartitionTuple,
  projectExpression,
  residualEvaluator,
} from "../../../../table-format/expression/projection.ts";
import { mayMatch } from "../../../../table-format/expression/value-range.ts";
import type { Value } from "../../../../table-format/manifest/data-file.ts";
import { summarizePartitions } from "../../../../table-format/manifest/partition-summary.ts";
import {
  applyTransform,
  parseTransform,
  takesSource,
  transformResultType,
} from "../../../../table-format/partition/transform.ts";
import { parsePrimitiveType, typeText } from "../../../../table-format/schema/type-json.ts";
import type { PrimitiveType, Schema } from "../../../../table-format/schema/types.ts";
import { must } from "../../../../table-format/errors.ts";
import { ALL_TYPES, anyRows } from "../columns.ts";
import { anyPredicate, truthOf } from "./filters.ts";

const TRANSFORMS = [
  "identity",
  "bucket[4]",
  "truncate[1]",
  "truncate[3]",
  "truncate[10]",
  "year",
  "month",
  "day",
  "hour",
  "void",
];

const schemaOf = (type: PrimitiveType): Schema => ({
  schemaId: 0,
  fields: [{ id: 1, name: "c", required: false, type }],
  identifierFieldIds: [],
});

/** Partition field 1000 of a transform of the column. */
function columnsOf(transform: string, type: PrimitiveType) {
  const fields = [{ sourceId: 1, fieldId: 1000, name: "p", transform }];
  return partitionColumns({ specId: 0, fields }, [transformResultType(parseTransform(transform), type)]);
}

const valuesOfTuple = (expression: BoundExpression) =>
  evaluator(expression, () => (tuple: PartitionTuple) => tuple[0] ?? null);

/** The lowest value of a type, from where truncating leaves its range: Java's result wraps around there. */
const LOWEST: Partial<Record<string, bigint>> = { int: -(2n ** 31n), long: -(2n ** 63n) };

const pairs = ALL_TYPES.flatMap((type) =>
  TRANSFORMS.filter((text) => takesSource(parseTransform(text), type)).map(
    (text) => [text, typeText(type), type] as const,
  ),
);

describe("projections of random predicates hold for random rows", () => {
  test.each(pairs)("%s of %s", (text, _name, type) => {
    const transform = parseTransform(text);
    const columns = columnsOf(text, type);
    const resultType = must(columns[0], "a field").ref.type;
    const isTime = ["year", "month", "day", "hour"].includes(text) && !(text === "day" && type.kind === "date");
    const lowest = transform.kind === "truncate" ? LOWEST[type.kind] : undefined;
    const cases = fc
      .integer({ min: 1, max: 4 })
      .chain((length) => anyRows(type, length))
      .filter(
        (rows) => lowest === undefined || rows.every((v) => v === null || BigInt(v as bigint | number) > lowest + 10n),
      )
      .chain((rows) => fc.tuple(fc.constant(rows), anyPredicate("c", type, rows)));
    fc.assert(
      fc.property(cases, ([rows, predicate]) => {
        const bound = bindExpression(predicate, schemaOf(type));
        const inclusive = projectExpression(bound, columns, "inclusive");
        const mayHold = valuesOfTuple(inclusive);
        const holdsForAll = valuesOfTuple(projectExpression(bound, columns, "strict"));
        const residual = residualEvaluator(bound, columns);
        const results: (Value | null)[] = [];
        for (const value of rows) {
          const isTrue = truthOf(predicate, () => value) === true;
          const result = applyTransform(transform, type, value);
          results.push(result);
          // Java once stored negative years, months, days and hours one too high.
          const stored = isTime && (result as number) < 0 ? [result, (result as number) + 1] : [result];
          for (const each of stored) {
            if (isTrue) expect(mayHold([each])).toBe(true);
            if (holdsForAll([each])) expect(isTrue).toBe(true);
            const left = evaluator(residual([each]), () => (row: Value | null) => row);
            expect(left(value)).toBe(isTrue);
          }
        }
        if (text === "hour" && results.some((hour) => Math.abs(hour as number) > 0x7fffffff)) return;
        const [summary] = summarizePartitions(
          [resultType],
          results.map((result) => [result]),
        );
        const range = rangeOfSummary(must(summary, "a summary"), resultType);
        const isAnyTrue = rows.some((value) => truthOf(predicate, () => value) === true);
        if (isAnyTrue) expect(mayMatch(inclusive, () => range)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

/** An expression on the partition as text. */
function shown(expression: BoundExpression): string {
  switch (expression.kind) {
    case "true":
    case "false":
      return expression.kind;
    case "and":
    case "or":
      return `(${shown(expression.left)} ${expression.kind} ${shown(expression.right)})`;
    case "unary":
      return `${expression.operation}(${expression.ref.name})`;
    case "set":
      return `${expression.ref.name} ${expression.operation} ${expression.set.values.join(" ")}`;
    case "literal":
      return `${expression.ref.name} ${expression.operation} ${String(expression.value)}`;
  }
}

describe("projections are as sharp as the reference's", () => {
  const term = "c";
  const cases: readonly [transform: string, type: string, Expression, inclusive: string, strict: string][] = [
    ["identity", "long", { type: "lt", term, value: 5n }, "p lt 5", "p lt 5"],
    ["bucket[16]", "int", { type: "eq", term, value: 34 }, `p eq ${2017239379 % 16}`, "false"],
    ["bucket[16]", "int", { type: "not-eq", term, value: 34 }, "true", `p not-eq ${2017239379 % 16}`],
    ["bucket[16]", "int", { type: "lt", term, value: 34 }, "true", "false"],
    ["bucket[16]", "int", { type: "is-null", term }, "is-null(p)", "is-null(p)"],
    ["truncate[10]", "long", { type: "lt", term, value: 100n }, "p lt-eq 90", "p lt 100"],
    ["truncate[10]", "long", { type: "lt-eq", term, value: 100n }, "p lt-eq 100", "p lt 100"],
    ["truncate[10]", "long", { type: "lt-eq", term, value: 99n }, "p lt-eq 90", "p lt 100"],
    ["truncate[10]", "long", { type: "gt", term, value: 99n }, "p gt-eq 100", "p gt 90"],
    ["truncate[10]", "long", { type: "gt-eq", term, value: 100n }, "p gt-eq 100", "p gt 90"],
    ["truncate[10]", "long", { type: "lt", term, value: -5n }, "p lt-eq -10", "p lt -10"],
    ["truncate[10]", "long", { type: "eq", term, value: -1n }, "p eq -10", "false"],
    ["truncate[10]", "long", { type: "not-eq", term, value: -1n }, "true", "p not-eq -10"],
    ["truncate[10]", "long", { type: "in", term, values: [1n, 2n, 11n] }, "p in 0 10", "false"],
    ["truncate[10]", "decimal(9, 2)", { type: "lt", term, value: "100.00" }, "p lt-eq 9990", "p lt 10000"],
    ["truncate[3]", "string", { type: "lt", term, value: "abcde" }, "p lt-eq abc", "p lt abc"],
    ["truncate[3]", "string", { type: "gt-eq", term, value: "abcde" }, "p gt-eq abc", "p gt abc"],
    ["truncate[3]", "string", { type: "starts-with", term, value: "ab" }, "p starts-with ab", "p starts-with ab"],
    ["truncate[3]", "string", { type: "starts-with", term, value: "abc" }, "p eq abc", "p eq abc"],
    ["truncate[3]", "string", { type: "starts-with", term, value: "abcd" }, "p eq abc", "false"],
    [
      "truncate[3]",
      "string",
      { type: "not-starts-with", term, value: "ab" },
      "p not-starts-with ab",
      "p not-starts-with ab",
    ],
    ["truncate[3]", "string", { type: "not-starts-with", term, value: "abc" }, "p not-eq abc", "p not-eq abc"],
    ["truncate[3]", "string", { type: "not-starts-with", term, value: "abcd" }, "true", "p not-eq abc"],
    ["year", "date", { type: "lt", term, value: "2017-01-01" }, "p lt-eq 46", "p lt 47"],
    ["year", "date", { type: "lt-eq", term, value: "2017-12-31" }, "p lt-eq 47", "p lt 48"],
    ["year", "date", { type: "gt", term, value: "2017-12-31" }, "p gt-eq 48", "p gt 47"],
    ["year", "date", { type: "eq", term, value: "2017-06-06" }, "p eq 47", "false"],
    ["year", "date", { type: "lt", term, value: "1970-01-01" }, "p lt-eq 0", "p lt 0"],
    ["year", "date", { type: "eq", term, value: "1969-06-06" }, "p in -1 0", "false"],
    ["year", "date", { type: "gt-eq", term, value: "1969-01-01" }, "p gt-eq -1", "p gt -1"],
    ["month", "date", { type: "not-eq", term, value: "1969-12-06" }, "true", "p not-in -1 0"],
    ["day", "date", { type: "lt", term, value: "1970-01-01" }, "p lt-eq -1", "p lt 0"],
    ["day", "timestamp", { type: "lt", term, value: "1970-01-01T00:00:00" }, "p lt-eq 0", "p lt 0"],
    ["day", "timestamp", { type: "gt", term, value: "2017-12-01T10:00:00" }, "p gt-eq 17501", "p gt 17501"],
    ["hour", "timestamptz", { type: "lt-eq", term, value: "1970-01-01T09:59:59.999999+00:00" }, "p lt-eq 9", "p lt 10"],
    ["hour", "timestamp_ns", { type: "lt", term, value: "1970-01-01T10:00:00" }, "p lt-eq 9", "p lt 10"],
    ["void", "int", { type: "eq", term, value: 1 }, "true", "false"],
  ];
  test.each(cases)("%s of %s: %o", (transform, type, filter, inclusive, strict) => {
    const primitive = parsePrimitiveType(type);
    const bound = bindExpression(filter, schemaOf(primitive));
    const columns = columnsOf(transform, primitive);
    expect([
      shown(projectExpression(bound, columns, "inclusive")),
      shown(projectExpression(bound, columns, "strict")),
    ]).toEqual([inclusive, strict]);
  });

  test("an unknown transform, and a column that no partition field is of, say nothing", () => {
    const long: PrimitiveType = { kind: "long" };
    const bound = bindExpression({ type: "eq", term, value: 1n }, schemaOf(long));
    const spec = {
      specId: 0,
      fields: [
        { sourceId: 1, fieldId: 1000, name: "p", transform: "zorder[3]" },
        { sourceId: 2, fieldId: 1001, name: "q", transform: "identity" },
      ],
    };
    const columns = partitionColumns(spec, [null, long]);
    expect([
      shown(projectExpression(bound, columns, "inclusive")),
      shown(projectExpression(bound, columns, "strict")),
    ]).toEqual(["true", "false"]);
  });

  test("two fields of one column both count", () => {
    const long: PrimitiveType = { kind: "long" };
    const bound = bindExpression({ type: "eq", term, value: 17n }, schemaOf(long));
    const fields = ["identity", "truncate[10]"].map((transform, i) => {
      return { sourceId: 1, fieldId: 1000 + i, name: `p${i}`, transform };
    });
    const columns = partitionColumns({ specId: 0, fields }, [long, long]);
    expect(shown(projectExpression(bound, columns, "inclusive"))).toBe("(p0 eq 17 and p1 eq 10)");
    expect(shown(projectExpression(bound, columns, "strict"))).toBe("p0 eq 17");
  });
});
