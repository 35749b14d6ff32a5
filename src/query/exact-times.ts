import { isDeepStrictEqual } from "node:util";
import {
  type Cell,
  cellAt,
  type DataFile,
  type FileIO,
  type NestedField,
  readColumns,
  type TableMetadata,
  type Type,
} from "../../table-format/index.ts";
import type { RowPlace } from "../core/restored-rows.ts";

/** Two rows that are one to DuckDB. */
export interface RowPair {
  readonly before: RowPlace;
  readonly now: RowPlace;
}

/** Whether two values of a type may be one to DuckDB, in whatever depth; see `duckdbType`. */
export function isCutOffWithin(type: Type): boolean {
  switch (type.kind) {
    case "timestamptz_ns":
      return true;
    case "struct":
      return type.fields.some((field) => isCutOffWithin(field.type));
    case "list":
      return isCutOffWithin(type.element);
    case "map":
      return isCutOffWithin(type.key) || isCutOffWithin(type.value);
    default:
      return false;
  }
}

/**
 * Of pairs of rows those that differ in these columns, read by the project's own reader, which cuts nothing off. Both files of a pair are read
 * whole as far as the columns go; the values of all pairs are held.
 */
export async function differingPairs(
  io: FileIO,
  metadata: TableMetadata,
  fields: readonly NestedField[],
  pairs: readonly RowPair[],
): Promise<RowPair[]> {
  const before = await valuesAt(
    io,
    metadata,
    fields,
    pairs.map((pair) => pair.before),
  );
  const now = await valuesAt(
    io,
    metadata,
    fields,
    pairs.map((pair) => pair.now),
  );
  return pairs.filter((_, index) => !isDeepStrictEqual(before[index], now[index]));
}

/** The values at some places, in their order. */
async function valuesAt(
  io: FileIO,
  metadata: TableMetadata,
  fields: readonly NestedField[],
  places: readonly RowPlace[],
): Promise<(readonly (Cell | null)[])[]> {
  const values: (readonly (Cell | null)[])[] = [];
  const numbered = places.map((place, index) => ({ ...place, index }));
  for (const part of Map.groupBy(numbered, ({ file }) => file.filePath).values()) {
    const wanted = part.toSorted((a, b) => a.position - b.position);
    const [first] = wanted;
    if (first === undefined) continue;
    let next = 0;
    let start = 0;
    const file: DataFile = first.file;
    for await (const { length, columns } of readColumns(io, metadata, file, fields)) {
      for (let place = wanted[next]; place !== undefined && place.position < start + length; place = wanted[++next]) {
        const row = place.position - start;
        values[place.index] = columns.map((column) => cellAt(column, row));
      }
      start += length;
    }
  }
  return values;
}
