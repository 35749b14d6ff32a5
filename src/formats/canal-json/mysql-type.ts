import type { PrimitiveType } from "../../../table-format/index.ts";

/** A MySQL column type, as far as its values' texts depend on it. */
export interface MysqlType {
  /** As `mysqlType` has it. */
  readonly text: string;
  /** The Iceberg type that one expects; null where the values' meaning cannot be told. */
  readonly type: PrimitiveType | null;
  /** Labels of an enum or a set by their numbers; null otherwise. */
  readonly labels: readonly string[] | null;
  /** What a number among the values of a labelled type is: an ordinal from 1 on, or a bit a label. */
  readonly isSet: boolean;
  /** Whether the values are bytes, each sent as the character of that number. */
  readonly isBinary: boolean;
  /** Bytes that every value has, zeros being left out at its end; 0 = as they come. */
  readonly padTo: number;
  readonly isJson: boolean;
}

const INT: PrimitiveType = { kind: "int" };
const LONG: PrimitiveType = { kind: "long" };
const STRING: PrimitiveType = { kind: "string" };
/** Every 64-bit unsigned integer. */
const UNSIGNED_LONG: PrimitiveType = { kind: "decimal", precision: 20, scale: 0 };

const MAX_PRECISION = 38;

/**
 * Reads a type as `mysqlType` writes it: `int(10) unsigned`, `DECIMAL(10,2)`, `enum('new','paid')`. Spatial types are bytes; types that are
 * not known are texts.
 */
export function parseMysqlType(text: string): MysqlType {
  const [, name = "", rest = ""] = /^\s*([a-z0-9_]+)(.*)$/is.exec(text) ?? [];
  const base = name.toLowerCase();
  const labelled = base === "enum" || base === "set";
  const labels = labelled ? labelsOf(rest) : null;
  const [first, second] = /^\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)/.exec(rest)?.slice(1) ?? [];
  const length = first === undefined ? null : Number(first);
  const scale = second === undefined ? 0 : Number(second);
  const unsigned = !labelled && /\b(unsigned|zerofill)\b/i.test(rest);
  // Without the labels a number says nothing of the value.
  const unreadable = labelled && labels?.length === 0;
  return {
    text,
    type: unreadable ? null : typeOf(base, length, scale, unsigned),
    labels: unreadable ? null : labels,
    isSet: base === "set",
    isBinary: isBinary(base),
    padTo: base === "binary" ? (length ?? 1) : 0,
    isJson: base === "json",
  };
}

function typeOf(base: string, length: number | null, scale: number, unsigned: boolean): PrimitiveType {
  if (isBinary(base)) return { kind: "binary" };
  switch (base) {
    case "tinyint":
    case "smallint":
    case "mediumint":
    case "bool":
    case "boolean":
    case "year":
      return INT;
    case "int":
    case "integer":
      return unsigned ? LONG : INT;
    case "bigint":
      return unsigned ? UNSIGNED_LONG : LONG;
    case "serial":
      return UNSIGNED_LONG;
    case "bit":
      return length === 64 ? UNSIGNED_LONG : LONG;
    case "decimal":
    case "dec":
    case "numeric":
    case "fixed":
      return (length ?? 10) > MAX_PRECISION ? STRING : { kind: "decimal", precision: length ?? 10, scale };
    case "float":
      return { kind: (length ?? 0) > 24 && scale === 0 ? "double" : "float" };
    case "double":
    case "real":
      return { kind: "double" };
    case "date":
      return { kind: "date" };
    case "datetime":
    case "timestamp":
      return { kind: "timestamp" };
    case "time":
      return { kind: "time" };
    default:
      return STRING;
  }
}

function isBinary(base: string): boolean {
  return /^((var)?binary|(tiny|medium|long)?blob|geometry|point|linestring|polygon|multi(point|linestring|polygon)|geom(etry)?collection)$/.test(
    base,
  );
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", 0: "\0", Z: "\x1a" };

/** Labels in quotes, a quote inside being written twice; what follows the list is not looked at. */
function labelsOf(list: string): string[] {
  const labels: string[] = [];
  const label = /\s*[(,]\s*'((?:[^'\\]|''|\\.)*)'/sy;
  for (let match = label.exec(list); match !== null; match = label.exec(list)) {
    const text = match[1] as string;
    labels.push(
      text.replace(/''|\\(.)/gs, (_, escaped: string | undefined) =>
        escaped === undefined ? "'" : (ESCAPES[escaped] ?? escaped),
      ),
    );
  }
  return labels;
}
