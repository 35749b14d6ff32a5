import {
  deletedPositions,
  equalityDeletes,
  type FileIO,
  matchEqualityDeletes,
  type PlannedFile,
  planSnapshot,
} from "../../table-format/index.ts";
import type { TableAt } from "./as-of.ts";
import type { Duckdb } from "./duckdb.ts";
import type { LocalFiles } from "./local-files.ts";
import { filesInPart, type Part } from "./row-choice.ts";
import { checkFieldIds, checkReadable, positionJoin, selectRows, tableNames, toRead } from "./table-sql.ts";

/** The rows of a table at one point, for DuckDB. */
export interface TableRows {
  readonly select: string;
  /** The files that `select` opens. */
  readonly paths: readonly string[];
}

/**
 * Plans a table and makes its deletes known to DuckDB.
 *
 * @param deletesName The table under `_frazil` to fill with deleted positions.
 * @param part Of the data files; null: all.
 * @throws FrazilError `unsupported` for tables that cannot be read.
 */
export async function prepareTable(
  io: FileIO,
  duckdb: Duckdb,
  files: LocalFiles,
  at: TableAt,
  deletesName: string,
  part: Part | null = null,
): Promise<TableRows> {
  if (at.snapshot === null) return { select: selectRows(at, [], tableNames(at)), paths: [] };
  const plan = await planSnapshot(io, at.table.metadata, at.snapshot);
  checkReadable(
    at,
    plan.dataFiles.map(({ file }) => file),
    false,
  );
  const dataFiles = part === null ? plan.dataFiles : filesInPart(plan.dataFiles, part);
  const byEquality = matchEqualityDeletes(at.table.metadata, dataFiles, plan.equalityDeletes);
  const isDirty = ({ file }: PlannedFile): boolean => plan.deletes.has(file.filePath) || byEquality.has(file.filePath);
  // Files without deletes stay clear of the join, so that counting them reads nothing but footers.
  const clean = dataFiles.filter((each) => !isDirty(each));
  const dirty = dataFiles.filter(isDirty);
  const cleanPaths = await files.paths(clean.map(({ file }) => toRead(file)));
  await checkFieldIds(duckdb, at, cleanPaths);
  if (dirty.length === 0) return { select: selectRows(at, cleanPaths, tableNames(at)), paths: cleanPaths };

  const dirtyPaths = await files.paths(dirty.map(({ file }) => toRead(file)));
  await checkFieldIds(duckdb, at, dirtyPaths);
  const positions = deletedPositions(io);
  const equality = equalityDeletes(io, at.table.metadata);
  const bitmaps = await Promise.all(
    dirty.map(async ({ file }) => {
      const dead = positions.of(file, plan.deletes.get(file.filePath) ?? []);
      const equal = byEquality.get(file.filePath);
      return equal === undefined ? dead : (await dead).union(await equality.of(file, equal));
    }),
  );
  await duckdb.createPositions(deletesName, bitmaps);
  const selects = [selectRows(at, dirtyPaths, tableNames(at), positionJoin("ANTI", deletesName))];
  if (cleanPaths.length > 0) selects.unshift(selectRows(at, cleanPaths, tableNames(at)));
  return { select: selects.join(" UNION ALL "), paths: [...cleanPaths, ...dirtyPaths] };
}
