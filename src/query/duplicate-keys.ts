import {
  deletedPositions,
  fieldById,
  identText,
  type NestedField,
  planSnapshot,
  withLineage,
} from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { VERIFY_MEMORY_BYTES } from "../core/limits.ts";
import type { TableAt } from "./as-of.ts";
import { cellPrinter } from "./cells.ts";
import { allRows, type Duckdb } from "./duckdb.ts";
import { openReading } from "./duckdb-reading.ts";
import { isCutOff, quoteName } from "./duckdb-types.ts";
import type { LocalFiles } from "./local-files.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";
import { checkFieldIds, checkReadable, positionJoin, rowPlaces, selectRows, toRead } from "./table-sql.ts";

/** A live row, by where it lies. */
export interface PlacedRow {
  /** Equal for rows of one key, for people: `{"id":7}`. */
  readonly key: string;
  readonly dataFile: string;
  readonly position: number;
  /** Which commit gave the row its values, where the file says it (format version 3): rows that a compaction moved keep theirs. */
  readonly updated: bigint | null;
}

/** The keys of a table's live rows. */
export interface KeyCount {
  /** Live rows. */
  readonly rows: bigint;
  /** Keys with more than one of them. */
  readonly doubledKeys: bigint;
  /** Rows of such keys, some of them, by key. */
  readonly doubled: readonly PlacedRow[];
}

/**
 * Looks for keys that several live rows have, by the identifier fields of the table. What does not fit in memory goes to a temporary folder.
 *
 * @param limit of the rows that are given
 * @returns null for a table without identifier fields, and for keys that DuckDB does not tell apart
 * @throws FrazilError `corrupt`, `data` or `not-found` for files that cannot be read, `unsupported` for tables that cannot.
 */
export async function countKeys(warehouse: QueryWarehouse, at: TableAt, limit: number): Promise<KeyCount | null> {
  const keys = keyFieldsOf(at);
  if (keys === null) return null;
  const reading = await openReading(warehouse, async (duckdb, files) => ({
    counted: await countIn(warehouse, { duckdb, files, at, keys, limit }),
  }));
  await reading.close();
  return reading.counted;
}

interface Counting {
  readonly duckdb: Duckdb;
  readonly files: LocalFiles;
  readonly at: TableAt;
  readonly keys: readonly NestedField[];
  readonly limit: number;
}

async function countIn({ io }: QueryWarehouse, { duckdb, files, at, keys, limit }: Counting): Promise<KeyCount> {
  const { table, snapshot } = at;
  const nothing = { rows: 0n, doubledKeys: 0n, doubled: [] };
  if (snapshot === null) return nothing;
  const plan = await planSnapshot(io, table.metadata, snapshot);
  const dataFiles = plan.dataFiles.map(({ file }) => file);
  checkReadable(at, dataFiles, plan.hasEqualityDeletes);
  if (dataFiles.length === 0) return nothing;
  const paths = await files.paths(dataFiles.map(toRead));
  await duckdb.run(`SET memory_limit = '${VERIFY_MEMORY_BYTES}B'`);
  await checkFieldIds(duckdb, at, paths);
  const positions = deletedPositions(io);
  const bitmaps = await Promise.all(dataFiles.map((file) => positions.of(file, plan.deletes.get(file.filePath) ?? [])));
  await duckdb.createPositions("deleted", bitmaps);
  const lineage = withLineage(at.schema).fields.at(-1) as NestedField;
  const placed = { ...at, schema: { ...at.schema, fields: [...keys, lineage] } };
  const names = keys.map(({ name }) => quoteName(name));
  const places = rowPlaces("_file", "_position");
  const live = selectRows(placed, paths, [...names, "_updated"], positionJoin("ANTI", "deleted"), places);
  const list = names.join(", ");
  await duckdb.run(
    `CREATE TABLE _frazil.doubled AS SELECT ${list}, count(*) AS _rows FROM (${live}) GROUP BY ${list} HAVING count(*) > 1`,
  );
  const [[rows] = []] = await allRows(await duckdb.query(`SELECT count(*) FROM (${live})`));
  const [[doubledKeys] = []] = await allRows(await duckdb.query("SELECT count(*) FROM _frazil.doubled"));
  if (doubledKeys === 0n) return { ...nothing, rows: rows as bigint };
  const matches = names.map((name) => `l.${name} IS NOT DISTINCT FROM k.${name}`).join(" AND ");
  const found = await duckdb.query(
    `SELECT ${names.map((name) => `l.${name}`).join(", ")}, l._updated, l._file, l._position
     FROM (${live}) l SEMI JOIN _frazil.doubled k ON ${matches} ORDER BY ALL LIMIT ${limit}`,
  );
  const printers = found.types.map(cellPrinter);
  const doubled = (await allRows(found)).map((row): PlacedRow => {
    const cells = keys.map(({ name }, index) => `${JSON.stringify(name)}:${printers[index]?.json(row[index] ?? null)}`);
    const [updated, file, position] = row.slice(keys.length);
    return {
      key: `{${cells.join(",")}}`,
      dataFile: dataFiles[Number(file)]?.filePath ?? "",
      position: Number(position),
      updated: typeof updated === "bigint" ? updated : null,
    };
  });
  return { rows: rows as bigint, doubledKeys: doubledKeys as bigint, doubled };
}

/** @throws FrazilError `unsupported` for a key inside of a struct. */
function keyFieldsOf({ table, schema }: TableAt): readonly NestedField[] | null {
  if (schema.identifierFieldIds.length === 0) return null;
  const keys = schema.identifierFieldIds.map((id) => {
    const field = schema.fields.find((candidate) => candidate.id === id);
    if (field !== undefined) return field;
    const name = fieldById(schema, id)?.name ?? String(id);
    throw new FrazilError("unsupported", "NESTED_KEY", `${identText(table.ident)}: the key ${name} lies in a struct`);
  });
  return keys.some(isCutOff) ? null : keys;
}
