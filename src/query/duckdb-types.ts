import { FrazilError, type NestedField, type Type } from "../../table-format/index.ts";

/** A name as DuckDB reads it back unchanged. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text constant. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The path of one file for DuckDB, which reads `*`, `?` and `[` in a path as patterns: each becomes a class of itself. */
export function filePattern(path: string): string {
  return path.replace(/[*?[]/g, (character) => `[${character}]`);
}

/**
 * The DuckDB type that holds every value of an Iceberg type exactly, but for one: DuckDB reads times with a zone in microseconds
 * only, so the last three digits of a `timestamptz_ns` are cut off.
 */
export function duckdbType(type: Type): string {
  switch (type.kind) {
    case "boolean":
      return "BOOLEAN";
    case "int":
      return "INTEGER";
    case "long":
      return "BIGINT";
    case "float":
      return "FLOAT";
    case "double":
      return "DOUBLE";
    case "date":
      return "DATE";
    case "time":
      return "TIME";
    case "timestamp":
      return "TIMESTAMP";
    case "timestamptz":
    case "timestamptz_ns":
      return "TIMESTAMPTZ";
    case "timestamp_ns":
      return "TIMESTAMP_NS";
    case "string":
      return "VARCHAR";
    case "uuid":
      return "UUID";
    case "binary":
    case "fixed":
      return "BLOB";
    case "geometry":
    case "geography":
      return "GEOMETRY";
    case "decimal":
      return `DECIMAL(${type.precision},${type.scale})`;
    case "unknown":
      return '"NULL"';
    case "variant":
      return "VARIANT";
    case "struct":
      return `STRUCT(${type.fields.map((field) => `${quoteName(field.name)} ${duckdbType(field.type)}`).join(", ")})`;
    case "list":
      return `${duckdbType(type.element)}[]`;
    case "map":
      return `MAP(${duckdbType(type.key)}, ${duckdbType(type.value)})`;
  }
}

/** Whether two values of a column may be one to DuckDB; see `duckdbType`. */
export function isCutOff({ type }: NestedField): boolean {
  return type.kind === "timestamptz_ns";
}

/** The column of a field inside `read_parquet`: a name that meets none of the function's own (`file_row_number`). */
export function columnName(field: NestedField): string {
  return `c${field.id}`;
}

/**
 * The `schema` argument of `read_parquet`: columns by field id, so that renamed, added and widened ones are read right.
 *
 * @throws FrazilError `unsupported` for types or defaults that DuckDB cannot hold.
 */
export function parquetSchema(fields: readonly NestedField[]): string {
  const entries = fields.map((field) => {
    const type = quoteText(duckdbType(field.type));
    return `${field.id}: {name: '${columnName(field)}', type: ${type}, default_value: ${defaultText(field)}}`;
  });
  return `MAP {${entries.join(", ")}}`;
}

/** The value of rows older than the column (spec, "Default Values") as text that DuckDB casts to the column's type. */
function defaultText(field: NestedField): string {
  const value = field.initialDefault;
  if (value === undefined || value === null) return "NULL::VARCHAR";
  if (
    typeof value !== "string" &&
    typeof value !== "number" &&
    typeof value !== "bigint" &&
    typeof value !== "boolean"
  ) {
    throw new FrazilError("unsupported", "UNSUPPORTED_DEFAULT", `the default of column ${field.name} cannot be read`);
  }
  const text = String(value);
  if (field.type.kind !== "binary" && field.type.kind !== "fixed") return quoteText(text);
  return quoteText(text.replace(/../g, (pair) => `\\x${pair.toUpperCase()}`));
}
