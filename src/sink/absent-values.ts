import {
  type Column,
  createBuilder,
  type FileIO,
  isPrimitive,
  isValid,
  type NestedField,
  readDataFile,
  type Schema,
} from "../../table-format/index.ts";
import { Op } from "../core/change-batch.ts";
import { FrazilError, must } from "../core/errors.ts";
import type { BufferedBatch } from "./buffered-changes.ts";
import { type ColumnPlan, fieldSources } from "./data-files.ts";
import { KeyMap } from "./key-map.ts";
import type { Locations } from "./key-resolver.ts";
import { KEY_WORDS } from "./key-words.ts";
import type { Selection } from "./selection.ts";
import type { TableState } from "./table-state.ts";

/** Whether some update or key change among the rows leaves out a column that its batch has: its value is then the row's current one, not null. */
export function hasAbsentValues(batches: readonly BufferedBatch[]): boolean {
  return batches.some(({ batch, from }) =>
    batch.absent.some((bitmap) => bitmap !== null && hasAbsentUpdate(batch, bitmap, from)),
  );
}

/** Deletes carry their key only, so absent values alone say nothing. */
function hasAbsentUpdate(batch: BufferedBatch["batch"], bitmap: Uint8Array, from: number): boolean {
  for (let row = from; row < batch.length; row++) {
    const byte = bitmap[row >> 3] as number;
    if (byte === 0) row |= 7;
    else if (isSet(bitmap, row) && (batch.ops[row] === Op.update || isKeyChange(batch, row))) return true;
  }
  return false;
}

/**
 * Where one column's values of the rows to be written come from when updates leave columns out: the last change of the same key in the
 * checkpoint that sent it, else the row that the table holds now, read by position. Inserts without a value mean null, but for those of a
 * key change: the value stood in the row of the old key.
 *
 * @param locations where the table holds each row to be written now.
 * @returns the plan, and whether it read from the table (then it belongs to the mirrored snapshot only).
 * @throws FrazilError `data` when a change leaves the column out and no row is known to take it from: null would be a wrong value.
 */
export async function planWithAbsent(
  io: FileIO,
  target: string,
  schema: Schema,
  field: NestedField,
  batches: readonly BufferedBatch[],
  keysOf: readonly Uint32Array[],
  selection: Selection,
  state: TableState,
  locations: Locations,
): Promise<{ plan: ColumnPlan; fromTable: boolean }> {
  const sources = fieldSources(field, batches);
  const bitmaps = batches.map(({ batch }) => {
    const index = batch.fields.findIndex((candidate) => candidate.name === field.name);
    return index < 0 ? null : (batch.absent[index] ?? null);
  });
  if (bitmaps.every((bitmap) => bitmap === null)) {
    return { plan: { sources, sourceOf: selection.sourceOf, rows: selection.rows }, fromTable: false };
  }
  const nullSource = sources.length;
  const tableSource = sources.length + 1;
  const latest = latestSent(batches, keysOf, bitmaps, nullSource, tableSource);
  const sourceOf = selection.sourceOf.slice();
  const rows = selection.rows.slice();
  const wanted: number[] = [];
  for (let i = 0; i < rows.length; i++) {
    const source = sourceOf[i] as number;
    const row = rows[i] as number;
    const bitmap = bitmaps[source] ?? null;
    const { batch } = must(batches[source], "a batch");
    if (bitmap === null || !isSet(bitmap, row)) continue;
    if (batch.ops[row] !== Op.update && !isKeyChange(batch, row)) continue;
    const slot = latest.find(selection.keys, i * KEY_WORDS);
    if (slot >= 0 && latest.fileAt(slot) !== tableSource) {
      sourceOf[i] = latest.fileAt(slot);
      rows[i] = latest.positionAt(slot);
      continue;
    }
    if (slot >= 0 || selection.truncated || (locations.files[i] as number) < 0) {
      throw new FrazilError(
        "data",
        "ABSENT_VALUE",
        `table ${target}: a change of ${batch.split} before point ${batch.points.after(row)} leaves out column ${field.name}, and no row of its key is known to take it from`,
        {
          hint: "let the source send whole rows (PostgreSQL: REPLICA IDENTITY FULL), or load the topic from its start",
        },
      );
    }
    sourceOf[i] = tableSource;
    rows[i] = wanted.length;
    wanted.push(i);
  }
  const fetched = wanted.length === 0 ? null : await currentValues(io, schema, field, state, locations, wanted);
  return { plan: { sources: [...sources, null, fetched], sourceOf, rows }, fromTable: fetched !== null };
}

/**
 * For each key the last row of the checkpoint that says what the column is: a sent value, or null by an insert or a delete.
 * `lostSource` stands where that row took over another key's and left the column out.
 */
function latestSent(
  batches: readonly BufferedBatch[],
  keysOf: readonly Uint32Array[],
  bitmaps: readonly (Uint8Array | null)[],
  nullSource: number,
  lostSource: number,
): KeyMap {
  let latest = new KeyMap();
  for (const [source, { batch, from }] of batches.entries()) {
    const bitmap = bitmaps[source] ?? null;
    const sends = batch.fields.length > 0;
    for (let row = from; row < batch.length; row++) {
      const op = batch.ops[row];
      const at = row * KEY_WORDS;
      const keys = must(keysOf[source], "keys of a batch");
      const sent = sends && (bitmap === null || !isSet(bitmap, row));
      if (op === Op.truncate) latest = new KeyMap();
      else if (op === Op.delete) latest.put(keys, at, nullSource, 0);
      else if (op === Op.insert && !sent && isKeyChange(batch, row)) latest.put(keys, at, lostSource, 0);
      else if (op === Op.insert || sent) latest.put(keys, at, source, row);
    }
  }
  return latest;
}

function isSet(bitmap: Uint8Array, row: number): boolean {
  return ((bitmap[row >> 3] as number) & (1 << (row & 7))) !== 0;
}

/** Whether a row is the second half of a key change: an insert that shares its point with the delete before it. */
function isKeyChange({ ops, points }: BufferedBatch["batch"], row: number): boolean {
  return row > 0 && ops[row] === Op.insert && ops[row - 1] === Op.delete && points.after(row - 1) === points.after(row);
}

/** The column's present values of the rows `wanted`, in their order. */
async function currentValues(
  io: FileIO,
  schema: Schema,
  field: NestedField,
  state: TableState,
  locations: Locations,
  wanted: readonly number[],
): Promise<Column> {
  if (!isPrimitive(field.type)) throw new FrazilError("internal", "NESTED_COLUMN", `column ${field.name} is nested`);
  const byFile = Map.groupBy(wanted.keys(), (index) => locations.files[wanted[index] as number] as number);
  const found: { column: Column; row: number }[] = [];
  for (const [number, members] of byFile) {
    const entry = must(state.files.get(number), "the row's file is live");
    const byPosition = new Map(members.map((index) => [locations.positions[wanted[index] as number] as number, index]));
    let first = 0;
    for await (const batch of readDataFile(io, entry.live.file, schema, [field.id])) {
      const column = must(batch.columns[0], "one column asked for");
      // Copied out: a reference would keep the whole column of every touched file in memory.
      const values = createBuilder(field.type);
      const indexes: number[] = [];
      for (const [position, index] of byPosition) {
        if (position < first || position >= first + batch.length) continue;
        if (isValid(column, position - first)) values.appendFrom(column, position - first);
        else values.appendNull();
        indexes.push(index);
      }
      const copied = values.finish();
      for (const [row, index] of indexes.entries()) found[index] = { column: copied, row };
      first += batch.length;
    }
  }
  const builder = createBuilder(field.type);
  for (const { column, row } of found) {
    if (isValid(column, row)) builder.appendFrom(column, row);
    else builder.appendNull();
  }
  return builder.finish();
}
