import type { Column } from "../arrow/column.ts";
import { must } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { MATCHED_ROWS_HELD } from "../limits.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { explicitRowIds, ROW_ID_FIELD } from "../parquet/lineage.ts";
import { valueKey } from "../partition/tuple.ts";
import type { NestedField, Schema } from "../schema/types.ts";
import { type AnyColumn, cellAt } from "../values/cell.ts";
import { valueAt } from "../values/single-value.ts";
import { type ChangedRows, type ChangelogPlan, countRows } from "./changelog.ts";
import { fileRows, inTurn, type ScannedRows } from "./file-rows.ts";
import { leafColumn, part } from "./row-filter.ts";
import { boundedKey, cellKey } from "./row-key.ts";
import { RowMarks } from "./row-marks.ts";
import { RowsByKey } from "./rows-by-key.ts";

/** What tells that a row that came is one that went, changed: the values of identifier fields, or row ids. */
export type RowIdentity =
  | { readonly by: "fields"; readonly fieldIds: readonly number[] }
  | { readonly by: "row-id" }
  | { readonly by: "nothing" };

/** Of which table, and by which of its schemas. */
export interface MatchedTable {
  readonly io: FileIO;
  readonly metadata: TableMetadata;
  /** That the rows are read by, and that the filter of a changelog was bound to. */
  readonly schema: Schema;
}

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
 * as many rows as `heldRows`, in one pass for each so many rows of the shorter list, a bit or so for each row that is matched, and the
 * first row groups of a few files. Rows that share an identity are held together, however many they are.
 *
 * @param compared rows are equal when they are in these fields, which hold those of the identity; null: rows are not compared, and all that
 * share an identity are updates
 * @throws FrazilError as `readColumns`
 */
export async function matchRows(
  table: MatchedTable,
  plan: Pick<ChangelogPlan, "deleted" | "inserted">,
  identity: RowIdentity,
  compared: readonly NestedField[] | null,
  heldRows: number = MATCHED_ROWS_HELD,
): Promise<MatchedRows> {
  const sides = (): Sides => ({ deleted: new RowMarks(), inserted: new RowMarks() });
  const [unchanged, updated] = [sides(), sides()];
  const match = async (key: RowKey, whole: RowKey | null): Promise<void> => {
    const left = (list: "deleted" | "inserted"): List => ({
      rows: plan[list],
      count: countRows(plan[list]) - unchanged[list].count - updated[list].count,
      isLeft: (file, position) => !unchanged[list].has(file, position) && !updated[list].has(file, position),
      unchanged: unchanged[list],
      updated: updated[list],
    });
    const lists = [left("deleted"), left("inserted")] as const;
    const [held, other] = lists[0].count <= lists[1].count ? lists : [lists[1], lists[0]];
    if (held.count === 0) return;
    const passes = Math.ceil(held.count / heldRows);
    for (let pass = 0; pass < passes; pass++) await matchPass(table, key, whole, held, other, { pass, passes });
  };
  const values = compared === null ? null : valuesKey(compared);
  if (identity.by === "fields") await match(fieldsKey(table.schema, identity.fieldIds), values);
  if (identity.by === "row-id") await match(ROW_ID_KEY, values === null ? null : bothKeys(ROW_ID_KEY, values));
  // Rows with equal values have one key, and are matched already.
  if (identity.by !== "fields" && values !== null) await match(values, values);
  return { unchanged, updated };
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
  /** The key of a row of a batch, whose columns are those of `fields`; null: it has none. */
  of(columns: readonly AnyColumn[], batch: Pick<ScannedRows, "file" | "positions">): KeyReader;
}

type KeyReader = (row: number) => string | null;

const ROW_ID_KEY: RowKey = {
  fields: [ROW_ID_FIELD],
  of: ([stored], { file, positions }) => {
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

function bothKeys(one: RowKey, other: RowKey): RowKey {
  return {
    fields: [...one.fields, ...other.fields],
    of: (columns, batch) => {
      const readers = [
        one.of(columns.slice(0, one.fields.length), batch),
        other.of(columns.slice(one.fields.length), batch),
      ];
      return (row) => boundedKey(readers.map((read) => read(row)).join("|"));
    },
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

/** Matches the rows whose identities fall to one of several passes. @param whole is equal for equal rows of one identity */
async function matchPass(
  table: MatchedTable,
  key: RowKey,
  whole: RowKey | null,
  held: List,
  other: List,
  { pass, passes }: { readonly pass: number; readonly passes: number },
): Promise<void> {
  const isMine = passes === 1 ? () => true : (text: string) => bucketOf(text, passes) === pass;
  const [rows, changed] = [new Places(), new Places()];
  const [byIdentity, byValue, changedByIdentity] = [new RowsByKey(), new RowsByKey(), new RowsByKey()];
  await eachKey(table, key, whole, held, (identity, file, position, value) => {
    if (!isMine(identity)) return;
    const row = rows.add(file, position);
    byIdentity.add(identity, row);
    if (whole !== null) byValue.add(value(), row);
  });
  await eachKey(table, key, whole, other, (identity, file, position, value) => {
    const copies = byIdentity.count(identity);
    if (copies === 0) return;
    const equal = whole === null ? undefined : byValue.take(value());
    if (equal !== undefined) {
      rows.mark(held.unchanged, equal);
      other.unchanged.mark(file, position);
    } else if (changedByIdentity.count(identity) < copies) {
      // An equal row may still come: what has changed is known at the end.
      changedByIdentity.add(identity, changed.add(file, position));
    }
  });
  for (const identity of changedByIdentity.keys()) {
    const unequal = byIdentity.rowsOf(identity).filter((row) => !rows.isMarked(held.unchanged, row));
    const counterparts = changedByIdentity.rowsOf(identity);
    for (const [k, row] of unequal.slice(0, counterparts.length).entries()) {
      rows.mark(held.updated, row);
      changed.mark(other.updated, counterparts[k] as number);
    }
  }
}

/** Places of rows, by the number that each is given. */
class Places {
  readonly #files: number[] = [];
  readonly #positions: number[] = [];

  add(file: number, position: number): number {
    this.#files.push(file);
    return this.#positions.push(position) - 1;
  }

  mark(marks: RowMarks, row: number): void {
    marks.mark(this.#files[row] as number, this.#positions[row] as number);
  }

  isMarked(marks: RowMarks, row: number): boolean {
    return marks.has(this.#files[row] as number, this.#positions[row] as number);
  }
}

/** Reads the identities of the rows of a list that are left, and the place of each; the whole row's key where it is asked for. */
async function eachKey(
  { io, metadata, schema }: MatchedTable,
  key: RowKey,
  whole: RowKey | null,
  list: List,
  visit: (identity: string, file: number, position: number, value: () => string) => void,
): Promise<void> {
  // A column that both want is read once.
  const fields = [...new Set([...key.fields, ...(whole?.fields ?? [])])];
  const placesOf = (some: RowKey): number[] => some.fields.map((field) => fields.indexOf(field));
  const [ofKey, ofWhole] = [placesOf(key), whole === null ? [] : placesOf(whole)];
  const open = async ([index, change]: readonly [number, ChangedRows]) => {
    const isWanted = (position: number): boolean => list.isLeft(index, position);
    return fileRows(io, metadata, { ...change, isWanted }, schema, fields);
  };
  const files = inTurn(list.rows.entries(), ([, { file }]) => file.fileSizeBytes, open);
  for await (const [[index], batch] of files) {
    const chosen = (places: readonly number[]) => places.map((place) => batch.columns[place] as AnyColumn);
    const identityOf = key.of(chosen(ofKey), batch);
    const valueOf = whole?.of(chosen(ofWhole), batch);
    for (let row = 0; row < batch.length; row++) {
      const identity = identityOf(row);
      if (identity === null) continue;
      visit(identity, index, batch.positions[row] as number, () => must(valueOf?.(row), "the key of a whole row"));
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
