import {
  type Cell,
  type ChangelogOptions,
  type ChangelogRows,
  changelogScan,
  cellAt,
  type FileIO,
  must,
  type NestedField,
  scanRows,
  type Snapshot,
  type TableMetadata,
} from "../../table-format/index.ts";
import { canonicalLines, type CanonicalRow } from "../readers/canonical.ts";
import { canonicalCell } from "./canonical-cells.ts";

/** A row of a changelog, its columns in canonical form. */
export interface ChangeRow {
  readonly type: string;
  readonly ordinal: number;
  readonly snapshotId: bigint;
  readonly values: string;
  /** What pairs it: of the identifier column, or the row id. */
  readonly identity: string | null;
}

/** Reads a changelog. @param key place of the identifier column; null: rows are paired by row id or not at all */
export async function changelogRows(
  io: FileIO,
  metadata: TableMetadata,
  options: ChangelogOptions,
  key: number | null,
): Promise<ChangeRow[]> {
  const found: ChangeRow[] = [];
  for await (const batch of changelogScan(io, metadata, options)) found.push(...rowsOf(batch, key));
  return found;
}

/** All columns of a changelog, as the readers of `test/readers` give rows: canonical JSON lines, sorted. */
export async function changelogLines(
  io: FileIO,
  metadata: TableMetadata,
  options: ChangelogOptions,
): Promise<string[]> {
  const rows: CanonicalRow[] = [];
  let names: readonly string[] = [];
  for await (const { length, fields, columns } of changelogScan(io, metadata, options)) {
    names = fields.map(({ name }) => name);
    for (let row = 0; row < length; row++) {
      const cells = fields.map(({ name, type }, k) => [
        name,
        canonicalCell(type, cellAt(must(columns[k], "a column"), row)),
      ]);
      rows.push(Object.fromEntries(cells) as CanonicalRow);
    }
  }
  return canonicalLines(names, rows);
}

function rowsOf({ length, fields, columns }: ChangelogRows, key: number | null): ChangeRow[] {
  const rows: ChangeRow[] = [];
  const own = fields.filter(({ name, id }) => !(id > 2_147_483_447 && name.startsWith("_")));
  for (let row = 0; row < length; row++) {
    const cells = columns.map((column) => cellAt(column, row));
    const [type, ordinal, snapshotId] = cells.slice(-3) as [string, number, bigint];
    const identity = key !== null ? own[key] : fields.find(({ name }) => name === "_row_id");
    rows.push({
      type,
      ordinal,
      snapshotId,
      values: valuesText(own, cells),
      identity:
        identity === undefined ? null : identityText(identity, cells[fields.indexOf(identity)] ?? null, key !== null),
    });
  }
  return rows;
}

function valuesText(fields: readonly NestedField[], cells: readonly (Cell | null)[]): string {
  return JSON.stringify(fields.map(({ type }, k) => canonicalCell(type, cells[k] ?? null)));
}

/** @param isKey nulls are equal as keys; a row without an id is no other row */
function identityText(field: NestedField, cell: Cell | null, isKey: boolean): string | null {
  return cell === null && !isKey ? null : JSON.stringify(canonicalCell(field.type, cell));
}

export interface FullRow {
  readonly values: string;
  readonly identity: string | null;
  /** Of a column, by its name. */
  readonly valueOf: (term: string) => Cell | null;
}

const ROW_ID: NestedField = { id: 2147483540, name: "_row_id", required: false, type: { kind: "long" } };

/** All rows of a snapshot, each with what identifies it. */
export async function fullRows(
  io: FileIO,
  metadata: TableMetadata,
  snapshot: Snapshot | null,
  fields: readonly NestedField[],
  key: number | null,
): Promise<FullRow[]> {
  const rows: FullRow[] = [];
  if (snapshot === null) return rows;
  for await (const { file, positions, length, columns } of scanRows(io, metadata, snapshot, {
    fields: [...fields, ROW_ID],
  })) {
    for (let row = 0; row < length; row++) {
      const cells = columns.map((column) => cellAt(column, row));
      const stored = cells.at(-1) as bigint | null;
      const first = metadata.formatVersion >= 3 ? file.firstRowId : null;
      const id = first === null ? null : (stored ?? first + BigInt(must(positions[row], "a position")));
      const field = key === null ? ROW_ID : must(fields[key], "a key");
      rows.push({
        values: valuesText(fields, cells),
        identity: identityText(field, key === null ? id : (cells[key] ?? null), key !== null),
        valueOf: (term) => cells[fields.findIndex(({ name }) => name === term)] ?? null,
      });
    }
  }
  return rows;
}

/** What changed between two lists of all rows: the rows on either side, and of each identity how many of them are updates. */
export interface Changes {
  readonly went: readonly string[];
  readonly came: readonly string[];
  readonly updates: readonly string[];
}

/**
 * Compares all rows of two states. By key: what is equal drops out, of the rest rows of one key are updates. By row id: rows of one id are
 * the same row; of those left, what is equal drops out.
 */
export function compareAll(before: readonly FullRow[], after: readonly FullRow[], byRowId: boolean): Changes {
  const went = [...before];
  let came = [...after];
  const updated: string[] = [];
  const take = (
    isSame: (old: FullRow, now: FullRow) => boolean,
    visit?: (old: FullRow, now: FullRow) => void,
  ): void => {
    for (let at = 0; at < went.length;) {
      const old = must(went[at], "a row");
      const now = came.findIndex((each) => isSame(old, each));
      if (now < 0) {
        at++;
        continue;
      }
      visit?.(old, must(came[now], "a row"));
      went.splice(at, 1);
      came = came.toSpliced(now, 1);
    }
  };
  const sides: { old: FullRow; now: FullRow }[] = [];
  const isSameRow = (old: FullRow, now: FullRow) => old.identity !== null && old.identity === now.identity;
  const asUpdate = (old: FullRow, now: FullRow) => {
    if (old.values === now.values) return;
    sides.push({ old, now });
    updated.push(must(old.identity, "an identity"));
  };
  if (byRowId) take(isSameRow, asUpdate);
  take((old, now) => old.values === now.values);
  if (!byRowId) take(isSameRow, asUpdate);
  return {
    went: [...went, ...sides.map(({ old }) => old)].map(({ values }) => values).sort(),
    came: [...came, ...sides.map(({ now }) => now)].map(({ values }) => values).sort(),
    updates: updated.sort(),
  };
}

/** The same of rows of a changelog. */
export function changesOf(rows: readonly ChangeRow[]): Changes & { readonly updatesAfter: readonly string[] } {
  const of = (...types: string[]) => rows.filter(({ type }) => types.includes(type));
  const values = (some: readonly ChangeRow[]) => some.map((row) => row.values).sort();
  const identities = (some: readonly ChangeRow[]) => some.map(({ identity }) => must(identity, "an identity")).sort();
  return {
    went: values(of("DELETE", "UPDATE_BEFORE")),
    came: values(of("INSERT", "UPDATE_AFTER")),
    updates: identities(of("UPDATE_BEFORE")),
    updatesAfter: identities(of("UPDATE_AFTER")),
  };
}
