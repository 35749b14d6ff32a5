import { must } from "../errors.ts";
import { type BoundExpression, predicatesOf } from "../expression/bound.ts";
import { evaluator } from "../expression/evaluate.ts";
import type { NestedField, Schema } from "../schema/types.ts";
import { type AnyColumn, type Cell, cellAt, type CellStruct } from "../values/cell.ts";

/** Tells of rows whether an expression is true of them. */
export interface RowFilter {
  /** What must be read to tell: top-level fields, of structs only what leads to the columns of the expression. */
  readonly fields: readonly NestedField[];
  /** @param columns of `fields` */
  test(columns: readonly AnyColumn[]): (row: number) => boolean;
}

/** @param schema that the expression was bound to */
export function rowFilter(expression: BoundExpression, schema: Schema): RowFilter {
  const columns = new Map<number, LeafColumn>();
  for (const { ref } of predicatesOf(expression)) {
    if (columns.has(ref.fieldId)) continue;
    columns.set(ref.fieldId, must(leafColumn(schema, ref.fieldId), `the schema has column ${ref.name}`));
  }
  const places = new Map([...columns.keys()].map((id, place) => [id, place]));
  return {
    fields: [...columns.values()].map(({ field }) => field),
    test: (read) =>
      evaluator(expression, ({ fieldId }) => {
        const place = must(places.get(fieldId), `field ${fieldId}`);
        const column = must(read[place], `column ${place}`);
        const { path } = must(columns.get(fieldId), `field ${fieldId}`);
        return path.length === 0 ? (row) => cellAt(column, row) : (row) => part(cellAt(column, row), path);
      }),
  };
}

/** A top-level field, or a column within structs. */
export interface LeafColumn {
  /** The top-level field, of a struct only what leads to the column. */
  readonly field: NestedField;
  /** Names from the top-level field's struct to the column. */
  readonly path: readonly string[];
}

/** What must be read for the values of a column. */
export function leafColumn(schema: Schema, id: number): LeafColumn | null {
  for (const field of schema.fields) {
    const found = within(field, id);
    if (found !== null) return found;
  }
  return null;
}

function within(field: NestedField, id: number): LeafColumn | null {
  if (field.id === id) return { field, path: [] };
  const { type } = field;
  if (type.kind !== "struct") return null;
  for (const child of type.fields) {
    const found = within(child, id);
    if (found === null) continue;
    return { field: { ...field, type: { ...type, fields: [found.field] } }, path: [child.name, ...found.path] };
  }
  return null;
}

/** The part of a top-level column's value that a path leads to; null when a struct on the way is null. */
export function part(cell: Cell | null, path: readonly string[]): Cell | null {
  let found = cell;
  for (const name of path) found = (found as CellStruct | null)?.[name] ?? null;
  return found;
}
