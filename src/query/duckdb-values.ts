import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBGeometryValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  GEOMETRY,
  INTEGER,
  LIST,
  MAP,
  SQLNULL,
  STRUCT,
  TIME,
  TIMESTAMP,
  TIMESTAMP_NS,
  TIMESTAMPTZ,
  UUID,
  VARCHAR,
  VARIANT,
} from "@duckdb/node-api";
import type { Cell, CellStruct, Type, Variant } from "../../table-format/index.ts";
import { uuidValue, variantValue } from "./duckdb-variant.ts";

/** What a column gives, in the form in which DuckDB gives it. */
export interface DuckdbColumn {
  readonly type: DuckDBType;
  /** Bytes are views of the cell's. */
  value(cell: Cell): DuckDBValue;
}

/**
 * The values of a type as DuckDB gives those of `duckdbType`. Null for times that DuckDB holds with fewer digits.
 */
export function duckdbColumn(type: Type): DuckdbColumn | null {
  switch (type.kind) {
    case "boolean":
      return { type: BOOLEAN, value: plain };
    case "int":
      return { type: INTEGER, value: plain };
    case "long":
      return { type: BIGINT, value: plain };
    case "float":
      return { type: FLOAT, value: plain };
    case "double":
      return { type: DOUBLE, value: plain };
    case "string":
      return { type: VARCHAR, value: plain };
    case "unknown":
      return { type: SQLNULL, value: () => null };
    case "date":
      return { type: DATE, value: (cell) => new DuckDBDateValue(cell as number) };
    case "time":
      return { type: TIME, value: (cell) => new DuckDBTimeValue(cell as bigint) };
    case "timestamp":
      return { type: TIMESTAMP, value: (cell) => new DuckDBTimestampValue(cell as bigint) };
    case "timestamptz":
      return { type: TIMESTAMPTZ, value: (cell) => new DuckDBTimestampTZValue(cell as bigint) };
    case "timestamp_ns":
      return { type: TIMESTAMP_NS, value: (cell) => new DuckDBTimestampNanosecondsValue(cell as bigint) };
    case "decimal": {
      const { precision, scale } = type;
      return {
        type: DECIMAL(precision, scale),
        value: (cell) => new DuckDBDecimalValue(cell as bigint, precision, scale),
      };
    }
    case "uuid":
      return { type: UUID, value: (cell) => uuidValue(cell as Uint8Array) };
    case "variant":
      return { type: VARIANT, value: (cell) => variantValue(cell as Variant) };
    case "binary":
    case "fixed":
      return { type: BLOB, value: (cell) => new DuckDBBlobValue(cell as Uint8Array) };
    case "geometry":
    case "geography":
      return { type: GEOMETRY, value: (cell) => new DuckDBGeometryValue(cell as Uint8Array) };
    case "struct":
    case "list":
    case "map":
      return nestedColumn(type);
    case "timestamptz_ns":
      return null;
  }
}

function plain(cell: Cell): DuckDBValue {
  return cell as boolean | number | bigint | string;
}

function nestedColumn(type: Type & { kind: "struct" | "list" | "map" }): DuckdbColumn | null {
  switch (type.kind) {
    case "struct": {
      const parts = type.fields.map(({ name, type: part }) => ({ name, column: duckdbColumn(part) }));
      if (!parts.every((part): part is typeof part & { column: DuckdbColumn } => part.column !== null)) return null;
      return {
        type: STRUCT(Object.fromEntries(parts.map(({ name, column }) => [name, column.type]))),
        value: (cell) =>
          new DuckDBStructValue(
            Object.fromEntries(parts.map(({ name, column }) => [name, orNull(column, (cell as CellStruct)[name])])),
          ),
      };
    }
    case "list": {
      const items = duckdbColumn(type.element);
      if (items === null) return null;
      return {
        type: LIST(items.type),
        value: (cell) => new DuckDBListValue((cell as readonly (Cell | null)[]).map((item) => orNull(items, item))),
      };
    }
    case "map": {
      const [keys, values] = [duckdbColumn(type.key), duckdbColumn(type.value)];
      if (keys === null || values === null) return null;
      return {
        type: MAP(keys.type, values.type),
        value: (cell) =>
          new DuckDBMapValue(
            (cell as readonly (readonly [Cell, Cell | null])[]).map(([key, value]) => ({
              key: keys.value(key),
              value: orNull(values, value),
            })),
          ),
      };
    }
  }
}

function orNull(column: DuckdbColumn, cell: Cell | null | undefined): DuckDBValue {
  return cell === null || cell === undefined ? null : column.value(cell);
}
