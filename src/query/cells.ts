import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBGeometryValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  DuckDBUnionValue,
  type DuckDBValue,
  DuckDBVariantValue,
} from "@duckdb/node-api";

/** How the values of a column are printed. */
export interface CellPrinter {
  /** One JSON value; see `jsonCell`. */
  json(value: DuckDBValue): string;
  /** For people; a null is empty. */
  text(value: DuckDBValue): string;
  /** Numbers stand on the right. */
  readonly isNumber: boolean;
}

const NUMBER_TYPES: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.UINTEGER,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UHUGEINT,
  DuckDBTypeId.BIGNUM,
  DuckDBTypeId.FLOAT,
  DuckDBTypeId.DOUBLE,
  DuckDBTypeId.DECIMAL,
]);

/** The printer of a column's type. */
export function cellPrinter(type: DuckDBType): CellPrinter {
  const isNumber = NUMBER_TYPES.has(type.typeId);
  if (type.typeId !== DuckDBTypeId.FLOAT) return { json: jsonCell, text: textCell, isNumber };
  const shorten = (value: DuckDBValue): DuckDBValue => (typeof value === "number" ? shortestFloat(value) : value);
  return { json: (value) => jsonCell(shorten(value)), text: (value) => textCell(shorten(value)), isNumber };
}

/**
 * A value as JSON, exactly. Integers and decimals are numbers where a double holds them and strings otherwise; NaN and the
 * infinities are strings; times are ISO 8601, with a `Z` where they have a zone; binary and shapes (well-known binary) are base64; a map with text keys is an
 * object, any other a list of `{key, value}`; a variant is what it holds.
 */
export function jsonCell(value: DuckDBValue): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return Number.isFinite(value) ? JSON.stringify(value) : `"${value}"`;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? String(value) : `"${value}"`;
  if (value instanceof DuckDBDecimalValue) {
    // Fifteen significant digits survive a double.
    const digits = String(value.value).replace("-", "");
    return digits.length <= 15 ? value.toString() : `"${value.toString()}"`;
  }
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    return `[${value.items.map(jsonCell).join(",")}]`;
  }
  if (value instanceof DuckDBStructValue) {
    return jsonObject(Object.entries(value.entries));
  }
  if (value instanceof DuckDBMapValue) {
    const entries = value.entries.map(({ key, value: item }) => [key, item] as const);
    if (entries.every((entry): entry is readonly [string, DuckDBValue] => typeof entry[0] === "string")) {
      return jsonObject(entries);
    }
    return `[${entries.map(([key, item]) => `{"key":${jsonCell(key)},"value":${jsonCell(item)}}`).join(",")}]`;
  }
  if (value instanceof DuckDBUnionValue || value instanceof DuckDBVariantValue) return jsonCell(value.value);
  if (value instanceof DuckDBBlobValue || value instanceof DuckDBGeometryValue)
    return `"${Buffer.from(value.bytes).toString("base64")}"`;
  return JSON.stringify(isTimestamp(value) ? isoText(value) : String(value));
}

/** A row as one JSON object, without a newline. `cells` are JSON values beside the names. */
export function jsonRow(names: readonly string[], cells: readonly string[]): string {
  return `{${names.map((name, index) => `${JSON.stringify(name)}:${cells[index]}`).join(",")}}`;
}

function jsonObject(entries: readonly (readonly [string, DuckDBValue])[]): string {
  return jsonRow(
    entries.map(([name]) => name),
    entries.map(([, value]) => jsonCell(value)),
  );
}

/** Characters that would break a line or the terminal. */
const CONTROL = /\p{Cc}/gu;

function textCell(value: DuckDBValue): string {
  if (value === null) return "";
  if (typeof value === "string") return value.replace(CONTROL, (character) => JSON.stringify(character).slice(1, -1));
  if (value instanceof DuckDBTimestampTZValue) return isoText(value).replace("T", " ");
  if (value instanceof DuckDBVariantValue) return jsonCell(value);
  return String(value);
}

type Timestamp =
  | DuckDBTimestampValue
  | DuckDBTimestampTZValue
  | DuckDBTimestampNanosecondsValue
  | DuckDBTimestampMillisecondsValue
  | DuckDBTimestampSecondsValue;

/** Whether a value is a point in time, of any resolution. */
export function isTimestamp(value: object): value is Timestamp {
  return (
    value instanceof DuckDBTimestampValue ||
    value instanceof DuckDBTimestampTZValue ||
    value instanceof DuckDBTimestampNanosecondsValue ||
    value instanceof DuckDBTimestampMillisecondsValue ||
    value instanceof DuckDBTimestampSecondsValue
  );
}

/** ISO 8601, with a `Z` where it has a zone. */
export function isoText(value: Timestamp): string {
  if (!value.isFinite) return String(value);
  const zoned = value instanceof DuckDBTimestampTZValue;
  // The API prints a time with a zone in this machine's own; the same instant without one is printed as UTC.
  const text = String(zoned ? new DuckDBTimestampValue(value.micros) : value).replace(" ", "T");
  return zoned ? `${text}Z` : text;
}

/** The shortest decimal that is the same 32-bit float: 1.1, not 1.100000023841858. */
function shortestFloat(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}
