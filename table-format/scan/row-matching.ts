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
import { readRowsAt } from "./data-columns.ts";
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
 * Finds the rows of a changelog that went and came. Rows of one identity are matched, those with equal values first, copy for copy; then,
 * where rows are told by their ids or by nothing, rows without a counterpart that have equal values. Each row has one counterpart at most.
 *
 * Reads the rows of both lists, file by file, once or, by row id, up to two times; when one list is empty not at all. Held are the keys of
 * as many rows as `heldRows`, in one pass for each so many rows of the shorter list, and a bit or so for each row that is matched.
 *
 * @param schema has the columns; rows are equal when they are in `fields`, which hold those of the identity
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
  const match = async (keys: RowKeys): Promise<void> => {
    const left = (list: "deleted" | "inserted"): List => ({
      rows: plan[list],
      count: rowsIn(plan[list]) - unchanged[list].count - updated[list].count,
      isLeft: (file, position) => !unchanged[list].has(file, position) && !updated[list].has(file, position),
      unchanged: unchanged[list],
      updated: updated[list],
    });
    const lists = [left("deleted"), left("inserted")] as const;
    const [held, other] = lists[0].count <= lists[1].count ? lists : [lists[1], lists[0]];
    if (held.count === 0) return;
    const passes = Math.ceil(held.count / heldRows);
    for (let pass = 0; pass < passes; pass++) await matchPass(table, keys, held, other, { pass, passes });
  };
  const values = valuesKey(fields);
  if (identity.by === "fields") await match(both(fieldsKey(schema, identity.fieldIds), values));
  if (identity.by === "row-id") await match(both(ROW_ID_KEY, values));
  // Rows with equal values have one key, and are matched already.
  if (identity.by !== "fields") await match(both(values, NOTHING));
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
  readonly unchanged: RowMarks;
  readonly updated: RowMarks;
}

/** Reads a key of rows. */
interface RowKey {
  readonly fields: readonly NestedField[];
  /** The key of a row of a batch of rows at positions of a file; null: it has none. */
  of(columns: readonly AnyColumn[], file: DataFile, positions: Uint32Array): (row: number) => string | null;
}

/** What tells which row it is, and what tells how it is. */
interface RowKeys {
  readonly fields: readonly NestedField[];
  of(
    columns: readonly AnyColumn[],
    file: DataFile,
    positions: Uint32Array,
  ): Record<"identity" | "value", (row: number) => string | null>;
}

function both(identity: RowKey, value: RowKey): RowKeys {
  // A column that both want is read once.
  const fields = [...new Set([...identity.fields, ...value.fields])];
  const placesOf = (key: RowKey): number[] => key.fields.map((field) => fields.indexOf(field));
  const [ofIdentity, ofValue] = [placesOf(identity), placesOf(value)];
  return {
    fields,
    of: (columns, file, positions) => {
      const chosen = (places: readonly number[]) => places.map((place) => columns[place] as AnyColumn);
      return {
        identity: identity.of(chosen(ofIdentity), file, positions),
        value: value.of(chosen(ofValue), file, positions),
      };
    },
  };
}

/** All rows are alike. */
const NOTHING: RowKey = { fields: [], of: () => () => "" };

const ROW_ID_KEY: RowKey = {
  fields: [ROW_ID_FIELD],
  of: ([stored], file, positions) => {
    const ids = explicitRowIds(stored as Column, file, (row) => positions[row] as number);
    return (row) => {
      const id = valueAt(ids, row);
      return id === null ? null : valueKey(id);
    };
  },
};

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

/** Matches the rows whose identities fall to one of several passes. */
async function matchPass(
  table: { readonly io: FileIO; readonly metadata: TableMetadata },
  keys: RowKeys,
  held: List,
  other: List,
  { pass, passes }: { readonly pass: number; readonly passes: number },
): Promise<void> {
  const isMine = passes === 1 ? () => true : (text: string) => bucketOf(text, passes) === pass;
  const known = new Map<string, Known>();
  await eachKey(table, keys, held, (identity, file, position, value) => {
    if (!isMine(identity)) return;
    const row = { file, position, value: value() };
    const same = known.get(identity);
    if (same === undefined) known.set(identity, { rows: [row], changed: [] });
    else same.rows.push(row);
  });
  await eachKey(table, keys, other, (identity, file, position, value) => {
    const same = known.get(identity);
    if (same === undefined || same.rows.length === 0) return;
    const text = value();
    const equal = same.rows.findIndex((row) => row.value === text);
    const [counterpart] = equal < 0 ? [] : same.rows.splice(equal, 1);
    if (counterpart !== undefined) {
      held.unchanged.mark(counterpart.file, counterpart.position);
      other.unchanged.mark(file, position);
    } else if (same.changed.length < same.rows.length) {
      // An equal row may still come: what has changed is known at the end.
      same.changed.push({ file, position });
    }
  });
  for (const { rows, changed } of known.values()) {
    for (const [k, counterpart] of changed.slice(0, rows.length).entries()) {
      const row = rows[k] as Place;
      held.updated.mark(row.file, row.position);
      other.updated.mark(counterpart.file, counterpart.position);
    }
  }
}

interface Place {
  readonly file: number;
  readonly position: number;
}

/** The rows of one identity. */
interface Known {
  /** Of the list that is held, those that have no counterpart yet. */
  readonly rows: (Place & { readonly value: string | null })[];
  /** Of the other one, those that are equal to none of them. */
  readonly changed: Place[];
}

/** Reads the identities of the rows of a list that are left, and the place of each; its value where it is asked for. */
async function eachKey(
  { io, metadata }: { readonly io: FileIO; readonly metadata: TableMetadata },
  keys: RowKeys,
  list: List,
  visit: (identity: string, file: number, position: number, value: () => string | null) => void,
): Promise<void> {
  for (const [index, { file, positions: all }] of list.rows.entries()) {
    const isLeft = (position: number): boolean => list.isLeft(index, position);
    for await (const { positions, columns } of readRowsAt(io, metadata, file, keys.fields, all, isLeft)) {
      const keyOf = keys.of(columns, file, positions);
      for (let row = 0; row < positions.length; row++) {
        const identity = keyOf.identity(row);
        if (identity !== null) visit(identity, index, positions[row] as number, () => keyOf.value(row));
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
