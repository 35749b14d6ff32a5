import {
  type ChangedRows,
  type ChangelogPlan,
  fieldByName,
  RoaringBitmap,
  type Schema,
  type Snapshot,
} from "../../../table-format/index.ts";
import { TABLE_PAIRED_ROWS } from "../../core/limits.ts";
import { rowKey } from "./row-key.ts";
import { countOf, readRows, type TableFiles } from "./rows.ts";

/** Which rows that went and rows that came belong together, by their places in the two lists of a changelog. */
export interface Pairing {
  /** The old and the new rows of updates. */
  readonly before: RoaringBitmap;
  readonly after: RoaringBitmap;
  /** Rows that an engine has written anew as they were: no change at all. */
  readonly sameBefore: RoaringBitmap;
  readonly sameAfter: RoaringBitmap;
}

/**
 * Pairs the rows that went with those that came, by key. Where data files were removed, rows that are equal in all columns cancel each other
 * out first, copy for copy: engines that copy on write move rows which they do not change.
 *
 * Reads the key columns of both sides once and holds one key for each row of the smaller one. Beyond `TABLE_PAIRED_ROWS` of them nothing is
 * paired: an update is then told as a delete and an insert.
 *
 * @param key names of columns; null: rows have no key
 */
export async function pairRows(
  files: TableFiles,
  schema: Schema,
  to: Snapshot,
  { deleted, inserted }: ChangelogPlan,
  key: readonly string[] | null,
): Promise<Pairing> {
  const none = { before: new RoaringBitmap(), after: new RoaringBitmap() };
  const counts = [deleted, inserted].map((choices) => choices.reduce((sum, choice) => sum + countOf(choice), 0));
  const fewer = Math.min(...counts);
  if (fewer === 0 || fewer > TABLE_PAIRED_ROWS) {
    return { ...none, sameBefore: none.before, sameAfter: none.after };
  }
  const match = (fieldIds: readonly number[], left: Matched) =>
    matchRows(files, schema, fieldIds, deleted, inserted, left);
  const rewritten = to.summary.has("deleted-data-files");
  const all = schema.fields.map(({ id }) => id);
  const same = rewritten ? await match(all, none) : none;
  const keyIds = key?.map((name) => fieldByName(schema, name)?.id) ?? [];
  const hasKey = keyIds.length > 0 && keyIds.every((id) => id !== undefined);
  const paired = hasKey
    ? await match(
        keyIds.flatMap((id) => id ?? []),
        same,
      )
    : none;
  return { ...paired, sameBefore: same.before, sameAfter: same.after };
}

interface Matched {
  readonly before: RoaringBitmap;
  readonly after: RoaringBitmap;
}

/** Matches rows with equal values, each with one at most, in their order. @param left rows that take no part. */
async function matchRows(
  files: TableFiles,
  schema: Schema,
  fieldIds: readonly number[],
  deleted: readonly ChangedRows[],
  inserted: readonly ChangedRows[],
  left: Matched,
): Promise<Matched> {
  const sides = [
    { choices: deleted, left: left.before, matched: new RoaringBitmap() },
    { choices: inserted, left: left.after, matched: new RoaringBitmap() },
  ] as const;
  const rowsOf = (choices: readonly ChangedRows[]) => choices.reduce((sum, choice) => sum + countOf(choice), 0);
  const [held, other] = rowsOf(deleted) <= rowsOf(inserted) ? sides : [sides[1], sides[0]];
  const places = new Map<string, number | number[]>();
  for await (const { length, columns, numbers } of readRows(
    files,
    schema,
    fieldIds,
    held.choices,
    outside(held.left),
  )) {
    for (let row = 0; row < length; row++) {
      const key = rowKey(columns, row);
      const number = numbers[row] as number;
      const known = places.get(key);
      if (known === undefined) places.set(key, number);
      else if (typeof known === "number") places.set(key, [known, number]);
      else known.push(number);
    }
  }
  for await (const { length, columns, numbers } of readRows(
    files,
    schema,
    fieldIds,
    other.choices,
    outside(other.left),
  )) {
    for (let row = 0; row < length; row++) {
      const key = rowKey(columns, row);
      const known = places.get(key);
      if (known === undefined) continue;
      const number = typeof known === "number" ? known : (known.shift() as number);
      if (typeof known === "number" || known.length === 0) places.delete(key);
      held.matched.add(number);
      other.matched.add(numbers[row] as number);
    }
  }
  return { before: sides[0].matched, after: sides[1].matched };
}

function outside(left: RoaringBitmap) {
  return { from: 0, keep: left.cardinality === 0 ? null : (number: number) => !left.has(number) };
}
