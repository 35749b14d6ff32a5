import type { FileIO } from "../io/file-io.ts";
import { MATCHED_ROWS_HELD } from "../limits.ts";
import type { DataFile } from "../manifest/data-file.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { explicitRowIds, ROW_ID_FIELD } from "../parquet/lineage.ts";
import { valueKey } from "../partition/tuple.ts";
import type { NestedField, Schema } from "../schema/types.ts";
import type { Column } from "../arrow/column.ts";
import { must } from "../errors.ts";
import { type AnyColumn, cellAt } from "../values/cell.ts";
import { valueAt } from "../values/single-value.ts";
import type { ChangedRows, ChangelogPlan } from "./changelog.ts";
import { readGroupsOf } from "./data-columns.ts";
import { leafColumn, part } from "./row-filter.ts";
import { boundedKey, cellKey } from "./row-key.ts";
import { RowMarks } from "./row-marks.ts";

/** What tells that a row that came is one that went, changed: the values of identifier fields, or row ids. */
export type RowIdentity =
  | { readonly by: "fields"; readonly fieldIds: readonly number[] }
  | { readonly by: "row-id" }
  | { readonly by: "nothing" };

/** The rows of a changelog that have a counterpart, of each of its lists. */
export interface MatchedRows {
  /** Went and came with equal values: no change. */
  readonly unchanged: Sides;
  /** The two states of a row that changed. */
  readonly updated: Sides;
}

interface Sides {
  readonly deleted: RowMarks;
  readonly inserted: RowMarks;
}

/**
 * Finds the rows of a changelog that went and came. With identifier fields, or without any identity, rows with equal values are matched
 * first, copy for copy; by row id, rows of one id first, and of those that have none in common the ones with equal values. Each row has
 * one counterpart at most.
 *
 * Reads the rows of both lists, file by file, up to three times; when one list is empty none. Held are the keys of as many rows as
 * `heldRows`, in one pass for each so many rows of the shorter list, and a bit or so for each row that is matched.
 *
 * @param schema has the columns; rows are equal when they are in `fields`
 * @throws FrazilError as `readColumns`
 */
export async function matchRows(
  table: { readonly io: FileIO; readonly metadata: TableMetadata },
  plan: Pick<ChangelogPlan, "deleted" | "inserted">,
  schema: Schema,
  fields: readonly NestedField[],
  identity: RowIdentity,
  heldRows: number = MATCHED_ROWS_HELD,
): Promise<MatchedRows> {
  const sides = (): Sides => ({ deleted: new RowMarks(), inserted: new RowMarks() });
  const [unchanged, updated] = [sides(), sides()];
  const counts = { deleted: rowsIn(plan.deleted), inserted: rowsIn(plan.inserted) };
  const match = async (key: RowKey, into: Sides): Promise<void> => {
    const left = (list: "deleted" | "inserted"): List => ({
      rows: plan[list],
      count: counts[list] - unchanged[list].count - updated[list].count,
      isLeft: (file, position) => !unchanged[list].has(file, position) && !updated[list].has(file, position),
      matched: into[list],
    });
    const lists = [left("deleted"), left("inserted")] as const;
    const [held, other] = lists[0].count <= lists[1].count ? lists : [lists[1], lists[0]];
    if (held.count === 0) return;
    const passes = Math.ceil(held.count / heldRows);
    for (let pass = 0; pass < passes; pass++) await matchPass(table, key, held, other, { pass, passes });
  };
  const values = valuesKey(fields);
  switch (identity.by) {
    case "fields":
      await match(values, unchanged);
      await match(fieldsKey(schema, identity.fieldIds), updated);
      break;
    case "row-id":
      await match(rowIdKey(values), unchanged);
      await match(rowIdKey(null), updated);
      await match(values, unchanged);
      break;
    case "nothing":
      await match(values, unchanged);
  }
  return { unchanged, updated };
}

/** How many rows a list names. */
function rowsIn(changes: readonly ChangedRows[]): number {
  let sum = 0;
  for (const { file, positions } of changes)
    sum += positions === null ? Number(file.recordCount) : positions.cardinality;
  return sum;
}

/** A list of changed rows, of which some are left to be matched. */
interface List {
  readonly rows: readonly ChangedRows[];
  readonly count: number;
  readonly isLeft: (file: number, position: number) => boolean;
  readonly matched: RowMarks;
}

/** Reads the key of a row. */
interface RowKey {
  readonly fields: readonly NestedField[];
  /** The key of a row of a batch that begins at a position of a file; null: it has none. */
  of(columns: readonly AnyColumn[], file: DataFile, start: number): (row: number) => string | null;
}

function valuesKey(fields: readonly NestedField[]): RowKey {
  return {
    fields,
    of: (columns) => (row) =>
      boundedKey(fields.map(({ type }, k) => cellKey(type, cellAt(columns[k] as AnyColumn, row))).join("|")),
  };
}

function fieldsKey(schema: Schema, fieldIds: readonly number[]): RowKey {
  const leaves = fieldIds.map((id) => must(leafColumn(schema, id), `the schema has a field ${id}`));
  const values = leaves.map(({ field, path }) => {
    let { type } = field;
    for (const name of path)
      if (type.kind === "struct")
        type = must(
          type.fields.find((each) => each.name === name),
          name,
        ).type;
    return { path, type };
  });
  return {
    fields: leaves.map(({ field }) => field),
    of: (columns) => (row) =>
      boundedKey(
        values.map(({ path, type }, k) => cellKey(type, part(cellAt(columns[k] as AnyColumn, row), path))).join("|"),
      ),
  };
}

/** @param beside what must be equal, too */
function rowIdKey(beside: RowKey | null): RowKey {
  return {
    fields: [ROW_ID_FIELD, ...(beside?.fields ?? [])],
    of: (columns, file, start) => {
      const [stored, ...others] = columns;
      const ids = explicitRowIds(stored as Column, file, start);
      const rest = beside?.of(others, file, start);
      return (row) => {
        const id = valueAt(ids, row);
        return id === null ? null : `${valueKey(id)}|${rest?.(row) ?? ""}`;
      };
    },
  };
}

/** Matches the rows whose keys fall to one of several passes. */
async function matchPass(
  table: { readonly io: FileIO; readonly metadata: TableMetadata },
  key: RowKey,
  held: List,
  other: List,
  { pass, passes }: { readonly pass: number; readonly passes: number },
): Promise<void> {
  const isMine = passes === 1 ? () => true : (text: string) => bucketOf(text, passes) === pass;
  const places = new Map<string, Place[]>();
  await eachKey(table, key, held, (text, file, position) => {
    if (!isMine(text)) return;
    const known = places.get(text);
    if (known === undefined) places.set(text, [{ file, position }]);
    else known.push({ file, position });
  });
  // In their order: the first of each key goes with the first.
  for (const each of places.values()) each.reverse();
  await eachKey(table, key, other, (text, file, position) => {
    const counterpart = isMine(text) ? places.get(text)?.pop() : undefined;
    if (counterpart === undefined) return;
    held.matched.mark(counterpart.file, counterpart.position);
    other.matched.mark(file, position);
  });
}

interface Place {
  readonly file: number;
  readonly position: number;
}

/** Reads the keys of the rows of a list that are left, and the place of each. */
async function eachKey(
  { io, metadata }: { readonly io: FileIO; readonly metadata: TableMetadata },
  key: RowKey,
  list: List,
  visit: (key: string, file: number, position: number) => void,
): Promise<void> {
  for (const [index, { file, positions }] of list.rows.entries()) {
    for await (const { start, length, columns } of readGroupsOf(io, metadata, file, key.fields, positions)) {
      const keyOf = key.of(columns, file, start);
      for (let row = 0; row < length; row++) {
        const position = start + row;
        if (positions?.has(position) === false || !list.isLeft(index, position)) continue;
        const text = keyOf(row);
        if (text !== null) visit(text, index, position);
      }
    }
  }
}

/** A number below `buckets` that follows from the text. */
function bucketOf(text: string, buckets: number): number {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  // The lower bits alone would follow from the last characters.
  return ((hash ^ (hash >>> 15)) >>> 0) % buckets;
}
