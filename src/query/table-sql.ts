import { type DataFile, FrazilError, identText, type NestedField, type Type } from "../../table-format/index.ts";
import type { TableAt } from "./as-of.ts";
import type { Duckdb } from "./duckdb.ts";
import { columnName, duckdbType, filePattern, parquetSchema, quoteName, quoteText } from "./duckdb-types.ts";

/** What the columns of a SELECT are called, beside the schema's fields. */
export function tableNames(at: TableAt): readonly string[] {
  return at.schema.fields.map((field) => quoteName(field.name));
}

/** The columns as `read_parquet` gives them. */
export function internalNames(at: TableAt): readonly string[] {
  return at.schema.fields.map(columnName);
}

/**
 * The rows of some files as a SELECT over the schema's columns.
 *
 * @param names What to call the columns, quoted.
 * @param filter What stands behind FROM, over `t` (`t.file_index`, `t.file_row_number`).
 * @param places Where the rows stand: columns in front of the schema's, one SQL of `t` each; without files they are null.
 */
export function selectRows(
  at: TableAt,
  paths: readonly string[],
  names: readonly string[],
  filter = "",
  places: readonly { readonly sql: string; readonly name: string }[] = [],
): string {
  const { fields } = at.schema;
  if (paths.length === 0) {
    const nulls = [
      ...places.map(({ name }) => `NULL::BIGINT AS ${name}`),
      ...fields.map((field, index) => `NULL::${duckdbType(field.type)} AS ${names[index]}`),
    ];
    return `SELECT ${nulls.join(", ")} WHERE false`;
  }
  const columns = [
    ...places.map(({ sql, name }) => `${sql} AS ${name}`),
    ...fields.map((field, index) => `${columnValue(at, field)} AS ${names[index]}`),
  ];
  const list = fileList(paths);
  return `SELECT ${columns.join(", ")} FROM read_parquet([${list}], schema = ${parquetSchema(fields)}) t ${filter}`;
}

/** The columns of a row's file, numbered from `first`, and of its position, for `selectRows`. */
export function rowPlaces(
  file: string,
  position: string,
  first = 0,
): { readonly sql: string; readonly name: string }[] {
  return [
    { sql: `t.file_index::BIGINT + ${first}`, name: file },
    { sql: "t.file_row_number::BIGINT", name: position },
  ];
}

/** The filter of `selectRows` for the rows alone, or for all but those, that `createPositions` has put into a table of `_frazil`. */
export function positionJoin(kind: "SEMI" | "ANTI", positions: string): string {
  return `${kind} JOIN _frazil.${positions} d ON t.file_index = d.fi AND t.file_row_number = d.pos`;
}

function fileList(paths: readonly string[]): string {
  return paths.map((path) => quoteText(filePattern(path))).join(", ");
}

/** Types whose values a filter's constant is rounded to where a file holds them and the column is of a wider type. */
const ROUNDED: ReadonlySet<Type["kind"]> = new Set(["float", "date"]);

/**
 * A column of `read_parquet`. DuckDB hands a filter on it down to files of a narrower type with its constant rounded to that type:
 * `c > 0.1` misses the float 0.1, which is more. A filter on an expression stays above, so columns that were widened are made one.
 */
function columnValue(at: TableAt, field: NestedField): string {
  const column = `t.${columnName(field)}`;
  const wasNarrow = at.table.metadata.schemas.some(({ fields }) =>
    fields.some(({ id, type }) => id === field.id && type.kind !== field.type.kind && ROUNDED.has(type.kind)),
  );
  return wasNarrow ? `coalesce(${column}, NULL)` : column;
}

/**
 * Refuses what would be read wrong.
 *
 * @throws FrazilError `unsupported`: files that are not Parquet, live equality deletes, renamed fields inside of structs.
 */
export function checkReadable(at: TableAt, files: readonly DataFile[], hasEqualityDeletes: boolean): void {
  const name = identText(at.table.ident);
  if (hasEqualityDeletes) {
    throw new FrazilError(
      "unsupported",
      "EQUALITY_DELETES",
      `${name} holds live equality deletes, which cannot be read yet`,
      {
        hint: "compact the table with the engine that wrote them",
      },
    );
  }
  const odd = files.find((file) => file.fileFormat !== "PARQUET");
  if (odd !== undefined) {
    const message = `${name} holds ${odd.fileFormat} files, and only Parquet can be read: ${odd.filePath}`;
    throw new FrazilError("unsupported", "UNSUPPORTED_FILE_FORMAT", message);
  }
  // DuckDB finds columns by field id, but the fields inside of a column by name.
  const names = new Map<number, string>();
  for (const schema of at.table.metadata.schemas) {
    for (const field of schema.fields) {
      for (const inner of innerFields(field.type)) {
        const before = names.get(inner.id) ?? inner.name;
        names.set(inner.id, inner.name);
        if (before === inner.name) continue;
        const message = `${name}: field ${field.name} holds ${inner.name}, which was renamed from ${before}; that cannot be read yet`;
        throw new FrazilError("unsupported", "NESTED_RENAME", message);
      }
    }
  }
}

function* innerFields(type: Type): Generator<NestedField> {
  if (type.kind === "list") yield* innerFields(type.element);
  if (type.kind === "map") {
    yield* innerFields(type.key);
    yield* innerFields(type.value);
  }
  if (type.kind !== "struct") return;
  for (const field of type.fields) {
    yield field;
    yield* innerFields(field.type);
  }
}

/** The bytes of a file, for fetching. */
export function toRead(file: DataFile): { location: string; sizeBytes: bigint } {
  return { location: file.filePath, sizeBytes: file.fileSizeBytes };
}

/**
 * Refuses files without field ids, which tables with a name mapping may hold: DuckDB would find none of their columns and give nulls.
 *
 * @throws FrazilError `unsupported`, code `NAME_MAPPING`.
 */
export async function checkFieldIds(duckdb: Duckdb, at: TableAt, paths: readonly string[]): Promise<void> {
  if (paths.length === 0 || !at.table.metadata.properties.has("schema.name-mapping.default")) return;
  const { chunks } = await duckdb.query(
    `SELECT file_name FROM parquet_schema([${fileList(paths)}])
     WHERE field_id IS NULL AND type IS NOT NULL AND num_children IS NULL LIMIT 1`,
  );
  for await (const [row] of chunks()) {
    if (row === undefined) continue;
    const message = `${identText(at.table.ident)} holds files without field ids, which cannot be read yet: ${String(row[0])}`;
    throw new FrazilError("unsupported", "NAME_MAPPING", message);
  }
}
