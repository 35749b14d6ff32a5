import type { ChangedRows, RoaringBitmap } from "../../table-format/index.ts";
import type { TableAt } from "./as-of.ts";
import type { Duckdb } from "./duckdb.ts";
import type { LocalFiles } from "./local-files.ts";
import { checkFieldIds, internalNames, positionJoin, rowPlaces, selectRows, toRead } from "./table-sql.ts";

/** Rows at positions of data files, for DuckDB. */
export interface PlacedRows {
  /** One SELECT or none for whole files, one or none for parts of files, of all columns under their internal names. */
  readonly selects: readonly string[];
  /** The files that they open. */
  readonly paths: readonly string[];
  /** By the number that the column of the file holds. */
  readonly files: readonly ChangedRows["file"][];
}

/**
 * Makes positions known to DuckDB, and selects the rows at them.
 *
 * @param positions The table under `_frazil` to fill with the positions.
 * @param placeNames What to call the columns of a row's file and position, quoted, in front of the others; null: without them.
 */
export async function changedRows(
  duckdb: Duckdb,
  files: LocalFiles,
  at: TableAt,
  positions: string,
  choices: readonly ChangedRows[],
  placeNames: readonly [file: string, position: string] | null = null,
): Promise<PlacedRows> {
  const whole = choices.filter((each) => each.positions === null);
  const partial = choices.filter((each): each is ChangedRows & { positions: RoaringBitmap } => each.positions !== null);
  const names = internalNames(at);
  const places = (first: number) => (placeNames === null ? [] : rowPlaces(...placeNames, first));
  const wholePaths = await files.paths(whole.map(({ file }) => toRead(file)));
  const partialPaths = await files.paths(partial.map(({ file }) => toRead(file)));
  await checkFieldIds(duckdb, at, [...wholePaths, ...partialPaths]);
  const selects: string[] = [];
  if (wholePaths.length > 0) selects.push(selectRows(at, wholePaths, names, "", places(0)));
  if (partialPaths.length > 0) {
    await duckdb.createPositions(
      positions,
      partial.map((each) => each.positions),
    );
    selects.push(selectRows(at, partialPaths, names, positionJoin("SEMI", positions), places(wholePaths.length)));
  }
  return {
    selects,
    paths: [...wholePaths, ...partialPaths],
    files: [...whole, ...partial].map(({ file }) => file),
  };
}
