import { FrazilError } from "../errors.ts";
import { MAX_EXPRESSION_DEPTH } from "../limits.ts";
import type { Value } from "../manifest/data-file.ts";
import { isComparable, isPrimitive, typeText } from "../schema/type-json.ts";
import type { NestedField, PrimitiveType, Schema } from "../schema/types.ts";
import {
  type BoundExpression,
  type BoundReference,
  bothOf,
  eitherOf,
  FALSE,
  oppositeOf,
  setPredicate,
  TRUE,
} from "./bound.ts";
import type { Expression, LiteralOperation, Predicate, SetOperation, UnaryOperation } from "./expression.ts";
import { type Literal, literalOf } from "./literal.ts";

/**
 * Looks an expression's names up in a schema, converts its literals to the columns' types, and moves every `not` into the operations.
 * What the schema alone decides is decided: a required column is not null, an int is below 3,000,000,000 unless it is null.
 *
 * @throws FrazilError kind `config`: a column that does not exist or has two meanings, a type that the operation does not take, a literal
 * that is no value of the type
 */
export function bindExpression(expression: Expression, schema: Schema): BoundExpression {
  return bind(expression, schema, false, 0);
}

function bind(expression: Expression, schema: Schema, negated: boolean, depth: number): BoundExpression {
  if (depth > MAX_EXPRESSION_DEPTH) {
    throw new FrazilError(
      "config",
      "FILTER_DEPTH",
      `a filter: expected at most ${MAX_EXPRESSION_DEPTH} levels, found more`,
      { hint: "build it with and(…) and or(…) of many conditions, or use in" },
    );
  }
  switch (expression.type) {
    case "true":
    case "false":
      return (expression.type === "true") === negated ? FALSE : TRUE;
    case "not":
      return bind(expression.child, schema, !negated, depth + 1);
    case "and":
    case "or": {
      const left = bind(expression.left, schema, negated, depth + 1);
      const right = bind(expression.right, schema, negated, depth + 1);
      return (expression.type === "and") === negated ? eitherOf(left, right) : bothOf(left, right);
    }
    default:
      return bindPredicate(expression, schema, negated);
  }
}

function bindPredicate(predicate: Predicate, schema: Schema, negated: boolean): BoundExpression {
  const column = findColumn(schema, predicate.term);
  switch (predicate.type) {
    case "is-null":
    case "not-null":
    case "is-nan":
    case "not-nan":
      return bindUnary(negated ? oppositeOf(predicate.type) : predicate.type, column);
    case "in":
    case "not-in":
      return bindSet(negated ? oppositeOf(predicate.type) : predicate.type, column, predicate.values);
    default:
      return bindLiteral(negated ? oppositeOf(predicate.type) : predicate.type, column, predicate.value);
  }
}

function bindUnary(operation: UnaryOperation, column: Column): BoundExpression {
  const { ref, isRequired } = column;
  if (operation === "is-nan" || operation === "not-nan") {
    if (ref.type.kind !== "float" && ref.type.kind !== "double") throw wrongType(operation, ref, "float and double");
  } else if (isRequired) {
    return operation === "is-null" ? FALSE : TRUE;
  }
  return { kind: "unary", operation, ref };
}

function bindLiteral(operation: LiteralOperation, column: Column, given: Value): BoundExpression {
  const { ref } = column;
  const type = comparable(operation, ref);
  const literal = literalOf(ref.name, type, given);
  if (typeof literal === "object") return { kind: "literal", operation, ref, type, value: literal.value };
  return isTrueOfAll(operation, literal) ? bindUnary("not-null", column) : FALSE;
}

/** Whether all values stand so to a literal that lies on one side of them. */
function isTrueOfAll(operation: LiteralOperation, side: Literal & string): boolean {
  if (operation === "not-eq") return true;
  return side === "above" ? operation === "lt" || operation === "lt-eq" : operation === "gt" || operation === "gt-eq";
}

function bindSet(operation: SetOperation, column: Column, given: readonly Value[]): BoundExpression {
  const { ref } = column;
  const type = comparable(operation, ref);
  const values = given
    .map((value) => literalOf(ref.name, type, value))
    .flatMap((literal) => (typeof literal === "object" ? [literal.value] : []));
  if (values.length > 0) return setPredicate(operation, ref, type, values);
  if (operation === "in") return FALSE;
  // Nothing was asked of the value: even null is not in an empty list.
  return given.length === 0 ? TRUE : bindUnary("not-null", column);
}

function comparable(operation: LiteralOperation | SetOperation, ref: BoundReference): PrimitiveType {
  const { type } = ref;
  if (operation === "starts-with" || operation === "not-starts-with") {
    if (type.kind !== "string") throw wrongType(operation, ref, "string");
    return type;
  }
  if (!isComparable(type))
    throw wrongType(operation, ref, isPrimitive(type) ? "types with an order" : "primitive types");
  return type;
}

function wrongType(operation: string, { name, type }: BoundReference, expected: string): FrazilError {
  const message = `filter on column ${name}: ${operation} takes ${expected}, found ${typeText(type)}`;
  return new FrazilError("config", "FILTER_TYPE", message);
}

interface Column {
  readonly ref: BoundReference;
  /** And so are the structs around it. */
  readonly isRequired: boolean;
}

function findColumn(schema: Schema, name: string): Column {
  const found = [...columnsNamed(schema.fields, name, "", true)];
  const [column] = found;
  if (column !== undefined && found.length === 1) return column;
  const message =
    found.length === 0
      ? `filter: expected a column, found ${JSON.stringify(name)}, which the schema does not hold outside of lists and maps`
      : `filter: ${JSON.stringify(name)} is the name of a column and of a field of a struct`;
  throw new FrazilError("config", "FILTER_COLUMN", message, {
    hint: `columns: ${schema.fields.map((field) => field.name).join(", ")}`,
  });
}

function* columnsNamed(
  fields: readonly NestedField[],
  name: string,
  prefix: string,
  isRequired: boolean,
): Generator<Column> {
  for (const field of fields) {
    const full = prefix + field.name;
    const required = isRequired && field.required;
    if (full === name) {
      const ref = { fieldId: field.id, name, type: field.type, isNested: prefix !== "" };
      yield { ref, isRequired: required };
    } else if (field.type.kind === "struct" && name.startsWith(`${full}.`)) {
      yield* columnsNamed(field.type.fields, name, `${full}.`, required);
    }
  }
}
