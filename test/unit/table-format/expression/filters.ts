// Random filters, and an evaluation of them that shares nothing with the library's: three truth values, row by row.
import fc from "fast-check";
import type {
  Expression,
  LiteralOperation,
  SetOperation,
  UnaryOperation,
} from "../../../../table-format/expression/expression.ts";
import type { Value } from "../../../../table-format/manifest/data-file.ts";
import { isPrimitive } from "../../../../table-format/schema/type-json.ts";
import type { PrimitiveType, Schema } from "../../../../table-format/schema/types.ts";
import type { Dice } from "../../../support/fuzz/mutate.ts";
import { POOLS } from "../../../support/random-values.ts";
import { anyValue } from "../columns.ts";

const UNARY: readonly UnaryOperation[] = ["is-null", "not-null"];
const NAN: readonly UnaryOperation[] = ["is-nan", "not-nan"];
const COMPARISONS: readonly LiteralOperation[] = ["lt", "lt-eq", "gt", "gt-eq", "eq", "not-eq"];
const PREFIXES: readonly LiteralOperation[] = ["starts-with", "not-starts-with"];
const SETS: readonly SetOperation[] = ["in", "not-in"];

const isReal = ({ kind }: PrimitiveType): boolean => kind === "float" || kind === "double";

/** Whether an expression is true of a row, or unknown (null). Order says nothing of NaN. */
export function truthOf(expression: Expression, valueOf: (term: string) => Value | null): boolean | null {
  switch (expression.type) {
    case "true":
      return true;
    case "false":
      return false;
    case "not": {
      const truth = truthOf(expression.child, valueOf);
      return truth === null ? null : !truth;
    }
    case "and":
    case "or": {
      const both = [truthOf(expression.left, valueOf), truthOf(expression.right, valueOf)];
      const decisive = expression.type === "or";
      return both.includes(decisive) ? decisive : both.includes(null) ? null : !decisive;
    }
  }
  const value = valueOf(expression.term);
  switch (expression.type) {
    case "is-null":
      return value === null;
    case "not-null":
      return value !== null;
    case "is-nan":
      return Number.isNaN(value);
    case "not-nan":
      return !Number.isNaN(value);
  }
  // Nothing is in an empty list, whatever it may be.
  if ("values" in expression && expression.values.length === 0) return expression.type === "not-in";
  if (value === null) return null;
  switch (expression.type) {
    case "in":
    case "not-in":
      return expression.values.some((each) => order(value, each) === 0) === (expression.type === "in");
    case "starts-with":
    case "not-starts-with": {
      const prefix = Buffer.from(expression.value as string);
      const start = Buffer.from(value as string).subarray(0, prefix.length);
      return start.equals(prefix) === (expression.type === "starts-with");
    }
  }
  const found = order(value, expression.value);
  if (expression.type === "eq") return found === 0;
  if (expression.type === "not-eq") return found !== 0;
  if (found === null) return null;
  switch (expression.type) {
    case "lt":
      return found < 0;
    case "lt-eq":
      return found <= 0;
    case "gt":
      return found > 0;
    case "gt-eq":
      return found >= 0;
  }
}

/** Null where NaN is one of them. */
function order(a: Value, b: Value): number | null {
  if (Number.isNaN(a) || Number.isNaN(b)) return null;
  if (typeof a === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The first code points of a text. */
function prefixOf(text: string, points: number): string {
  return Array.from(text).slice(0, points).join("");
}

/** A predicate on a column, often with a literal from `rows`. */
export function anyPredicate(
  term: string,
  type: PrimitiveType,
  rows: readonly (Value | null)[],
): fc.Arbitrary<Expression> {
  const known = rows.filter((value): value is Value => value !== null && !Number.isNaN(value));
  const other = anyValue(type).filter((value) => !Number.isNaN(value));
  const literal = known.length === 0 ? other : fc.oneof(fc.constantFrom(...known), other);
  const predicates: fc.Arbitrary<Expression>[] = [
    fc.constantFrom(...UNARY, ...(isReal(type) ? NAN : [])).map((operation) => ({ type: operation, term })),
    fc.tuple(fc.constantFrom(...COMPARISONS), literal).map(([operation, value]) => ({ type: operation, term, value })),
    fc
      .tuple(fc.constantFrom(...SETS), fc.array(literal, { maxLength: 4 }))
      .map(([operation, values]) => ({ type: operation, term, values })),
  ];
  if (type.kind === "string") {
    const prefix = fc
      .tuple(literal, fc.integer({ min: 0, max: 20 }))
      .map(([text, points]) => prefixOf(text as string, points));
    predicates.push(
      fc.tuple(fc.constantFrom(...PREFIXES), prefix).map(([operation, value]) => ({ type: operation, term, value })),
    );
  }
  return fc.oneof(...predicates).chain((child) => fc.constantFrom(child, { type: "not" as const, child }));
}

/** A column that filters may use. */
export interface FilterColumn {
  readonly term: string;
  readonly type: PrimitiveType;
  readonly values: readonly Value[];
}

/** The columns of a random table's schema that have values to compare with. */
export function filterColumns({ fields }: Schema): FilterColumn[] {
  return fields.flatMap(({ name, type }) => {
    const pool = POOLS.find(
      ([each]) =>
        each.kind === type.kind && (type.kind !== "decimal" || (each as { scale?: number }).scale === type.scale),
    );
    return pool === undefined || !isPrimitive(type) ? [] : [{ term: name, type, values: pool[1] }];
  });
}

/** A random filter on some columns, with literals of theirs. */
export function randomFilter(columns: readonly FilterColumn[], dice: Dice, depth = 3): Expression {
  const choice = depth === 0 ? 9 : dice.below(10);
  if (choice < 2) return { type: "not", child: randomFilter(columns, dice, depth - 1) };
  if (choice < 5) {
    return {
      type: dice.pick(["and", "or"] as const),
      left: randomFilter(columns, dice, depth - 1),
      right: randomFilter(columns, dice, depth - 1),
    };
  }
  const { term, type, values } = dice.pick(columns);
  const literals = values.filter((value) => !Number.isNaN(value));
  switch (dice.below(6)) {
    case 0:
      return { type: dice.pick([...UNARY, ...(isReal(type) ? NAN : [])]), term };
    case 1:
      return {
        type: dice.pick(SETS),
        term,
        values: Array.from({ length: dice.below(4) }, () => dice.pick(literals)),
      };
    case 2:
      if (type.kind === "string") {
        const prefix = prefixOf(dice.pick(literals) as string, dice.below(4));
        return { type: dice.pick(PREFIXES), term, value: prefix };
      }
  }
  return { type: dice.pick(COMPARISONS), term, value: dice.pick(literals) };
}
