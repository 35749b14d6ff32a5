import {
  type Column,
  createBuilder,
  type FileIO,
  isPrimitive,
  isValid,
  type NestedField,
  readDataFile,
  type Schema,
} from "../../../table-format/index.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { BufferedBatch } from "./buffered-changes.ts";
import { type ColumnPlan, fieldSources } from "../data-files.ts";
import type { Locations } from "../keys/key-resolver.ts";
import { IN_TABLE, isAbsent, type PartialChanges } from "./partial-changes.ts";
import type { Selection } from "./selection.ts";
import type { TableState } from "../keys/table-state.ts";

/**
 * Where one column's values of the rows to be written come from when changes leave columns out: the last change of the same row in the
 * checkpoint that sent it, else the row that the table holds now, read by position.
 */
export async function planWithAbsent(
  io: FileIO,
  schema: Schema,
  field: NestedField,
  batches: readonly BufferedBatch[],
  partial: PartialChanges,
  selection: Selection,
  state: TableState,
): Promise<ColumnPlan> {
  const sources = fieldSources(field, batches);
  const bitmaps = batches.map(({ batch }) => {
    const index = batch.fields.findIndex((candidate) => candidate.name === field.name);
    return index < 0 ? null : (batch.absent[index] ?? null);
  });
  if (bitmaps.every((bitmap) => bitmap === null)) {
    return { sources, sourceOf: selection.sourceOf, rows: selection.rows };
  }
  const sourceOf = selection.sourceOf.slice();
  const rows = selection.rows.slice();
  const wanted: number[] = [];
  for (let i = 0; i < rows.length; i++) {
    let source = sourceOf[i] as number;
    let row = rows[i] as number;
    for (;;) {
      const bitmap = bitmaps[source] ?? null;
      if (bitmap === null || !isAbsent(bitmap, row)) break;
      const number = partial.numbers[source]?.[row] ?? -1;
      // An insert without a value: null stands in its batch.
      if (number < 0) break;
      source = partial.beforeSource[number] as number;
      row = partial.beforeRow[number] as number;
      if (source === IN_TABLE) {
        source = sources.length;
        row = wanted.push(row) - 1;
        break;
      }
    }
    sourceOf[i] = source;
    rows[i] = row;
  }
  const fetched = wanted.length === 0 ? null : await currentValues(io, schema, field, state, partial.current, wanted);
  return { sources: [...sources, fetched], sourceOf, rows };
}

/** The column's present values of the rows `wanted` of the locations, in their order. */
export async function currentValues(
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
    // More than one where a row that stays gives its values to another one, too.
    const byPosition = Map.groupBy(members, (index) => locations.positions[wanted[index] as number] as number);
    let first = 0;
    for await (const batch of readDataFile(io, entry.live.file, schema, [field.id])) {
      const column = must(batch.columns[0], "one column asked for");
      // Copied out: a reference would keep the whole column of every touched file in memory.
      const values = createBuilder(field.type);
      const taken: number[][] = [];
      for (const [position, same] of byPosition) {
        if (position < first || position >= first + batch.length) continue;
        if (isValid(column, position - first)) values.appendFrom(column, position - first);
        else values.appendNull();
        taken.push(same);
      }
      const copied = values.finish();
      for (const [row, same] of taken.entries()) for (const index of same) found[index] = { column: copied, row };
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
