import { FrazilError } from "../errors.ts";
import type { SortField, SortOrder } from "../metadata/table-metadata.ts";
import { parseTransform, transformResultType } from "../partition/transform.ts";
import { fieldById, fieldByName } from "../schema/schema.ts";
import { isPrimitive, typeText } from "../schema/type-json.ts";
import type { Schema } from "../schema/types.ts";

/** The order of a table whose rows have none (spec, "Sorting"). */
export const UNSORTED: SortOrder = { orderId: 0, fields: [] };

const HINT = "write region, ts desc, bucket(16, id) asc nulls last";

/**
 * Builds a sort order from a job's `sort_by`: `region`, `ts desc`, `bucket(16, id) asc nulls last`. Nulls stand first where a column rises
 * and last where it falls, as other engines have it, unless the expression says otherwise. The id is the table's to give.
 * @throws FrazilError kind `config`, code `SORT_BY`, naming the expression and what is wrong with it.
 */
export function parseSortBy(expressions: readonly string[], schema: Schema): SortOrder {
  const fields: SortField[] = [];
  for (const expression of expressions) {
    const { transform, column, direction, nullOrder } = parseExpression(expression);
    const source = fieldByName(schema, column);
    if (source === null) {
      const known = schema.fields.map(({ name }) => name).join(", ");
      throw refused(expression, `column ${JSON.stringify(column)} does not exist`, known);
    }
    if (!isPrimitive(source.type)) throw refused(expression, `${typeText(source.type)} has no order`, HINT);
    const parsed = parseTransform(transform);
    if (parsed.kind === "other") throw refused(expression, `transform ${transform} is not known`, HINT);
    try {
      transformResultType(parsed, source.type);
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      throw refused(expression, `${transform} does not take ${typeText(source.type)}`, error.hint ?? HINT);
    }
    if (fields.some((field) => field.sourceId === source.id && field.transform === transform)) {
      throw refused(expression, `the rows are already sorted by ${column} in this way`, "keep one of the two");
    }
    fields.push({ transform, sourceId: source.id, direction, nullOrder });
  }
  return { orderId: fields.length === 0 ? UNSORTED.orderId : 1, fields };
}

/** A sort order as `sort_by` has it, spelled out; `nameOf` gives the names of columns by their ids. */
export function sortByTexts(order: SortOrder, nameOf: (fieldId: number) => string): string[] {
  return order.fields.map(({ transform, sourceId, direction, nullOrder }) =>
    termText({ transform, column: nameOf(sourceId), direction, nullOrder }),
  );
}

/** `sort_by` spelled out in the form of `sortByTexts`, so that equal orders have equal texts. */
export function normalSortBy(expressions: readonly string[]): string[] {
  return expressions.map((expression) => termText(parseExpression(expression)));
}

/** Whether every column of an order is in a schema with a type that its transform takes: without them no row can be placed. */
export function orderApplies(order: SortOrder, schema: Schema): boolean {
  return order.fields.every(({ sourceId, transform }) => {
    const source = fieldById(schema, sourceId);
    if (source === null || !isPrimitive(source.type) || !schema.fields.includes(source)) return false;
    try {
      transformResultType(parseTransform(transform), source.type);
      return true;
    } catch {
      return false;
    }
  });
}

interface Term {
  readonly transform: string;
  readonly column: string;
  readonly direction: SortField["direction"];
  readonly nullOrder: SortField["nullOrder"];
}

function parseExpression(expression: string): Term {
  const parts = /^\s*(.*?)(?:\s+(asc|desc))?(?:\s+nulls\s+(first|last))?\s*$/i.exec(expression);
  const direction = parts?.[2]?.toLowerCase() === "desc" ? "desc" : "asc";
  const said = parts?.[3]?.toLowerCase();
  const first = said === undefined ? direction === "asc" : said === "first";
  const term = parts?.[1] ?? "";
  const call = /^([a-z]+)\s*\(\s*(?:(\d+)\s*,\s*)?(.+?)\s*\)$/i.exec(term);
  const name = (call?.[1] ?? "identity").toLowerCase();
  return {
    transform: call?.[2] === undefined ? name : `${name}[${call[2]}]`,
    column: call?.[3] ?? term,
    direction,
    nullOrder: first ? "nulls-first" : "nulls-last",
  };
}

function termText({ transform, column, direction, nullOrder }: Term): string {
  const call = /^([a-z]+)(?:\[(\d+)\])?$/.exec(transform);
  const term =
    transform === "identity"
      ? column
      : call === null
        ? `${transform}(${column})`
        : `${call[1]}(${call[2] === undefined ? "" : `${call[2]}, `}${column})`;
  return `${term} ${direction} ${nullOrder === "nulls-first" ? "nulls first" : "nulls last"}`;
}

function refused(expression: string, why: string, hint: string): FrazilError {
  return new FrazilError("config", "SORT_BY", `sort_by ${JSON.stringify(expression)}: ${why}`, { hint });
}
