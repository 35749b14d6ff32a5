import type {
  BitsBuilder,
  BytesBuilder,
  ColumnBuilder,
  F32Builder,
  F64Builder,
  I128Builder,
  I32Builder,
  I64Builder,
  PrimitiveType,
} from "../../../table-format/index.ts";
import { FrazilError, typeText } from "../../../table-format/index.ts";
import { isDigit, LETTER_f, LETTER_t, MINUS, QUOTE } from "../json-bytes/ascii.ts";
import { appendDecimalText } from "../json-bytes/decimals.ts";
import { doubleAt } from "../json-bytes/doubles.ts";
import { ValueFault } from "../json-bytes/fault.ts";
import { int64At } from "../json-bytes/integers.ts";
import { skipLiteral, skipNumber } from "../json-bytes/skip.ts";
import { readString, textAt } from "../json-bytes/strings.ts";
import { conversion } from "./conversions.ts";
import { type Convert, PLAIN, unitNsOf, type Wire } from "./wire.ts";

/** How values of a column are read: the usual form by a number that a switch takes, every other form by a function. */
export interface ValueReader {
  readonly code: number;
  readonly other: Convert;
}

/** What a value is read for: how it stands there, and what it is appended to. */
interface ReadColumn {
  readonly reader: ValueReader;
  readonly builder: ColumnBuilder | null;
}

/** The usual form of a value, by what it is and where it goes. */
export const Read = {
  /** Nothing is known yet. */
  held: 0,
  string: 1,
  /** A JSON integer as an int64, also for what counts µs or ns. */
  long: 2,
  int: 3,
  double: 4,
  float: 5,
  /** A number, or a string that holds one. */
  decimal: 6,
  boolean: 7,
  converted: 8,
} as const;

/**
 * The reader of a column. What `columns:` says is taken at its word: anything becomes a string, texts become numbers. Otherwise
 * only what the source means by the type fits.
 * @throws FrazilError `config` when values of this kind cannot be read as the type.
 */
export function readerFor(name: string, type: PrimitiveType, wire: Wire, byUser: boolean): ValueReader {
  const other = conversion(type, wire, byUser);
  if (other === null) {
    const found =
      wire.kind === "plain" ? "JSON values" : `what the source sends (${wire.kind === "own" ? wire.name : wire.kind})`;
    throw new FrazilError(
      "config",
      "COLUMN_TYPE_UNREADABLE",
      `column ${JSON.stringify(name)}: ${found} cannot be read as ${typeText(type)}`,
      { hint: `columns: { ${name}: string }` },
    );
  }
  return { code: usualForm(type, wire), other };
}

function usualForm(type: PrimitiveType, wire: Wire): number {
  if (wire.kind === "own") return wire.usual(type) ? usualForm(type, PLAIN) : Read.converted;
  switch (type.kind) {
    case "string":
      return wire.kind === "decimal" || wire.kind === "variable-decimal" ? Read.converted : Read.string;
    case "boolean":
      return Read.boolean;
    case "double":
    case "float":
    case "decimal":
      return wire.kind === "plain" ? Read[type.kind] : Read.converted;
    case "long":
    case "int":
      return wire.kind === "decimal" || wire.kind === "variable-decimal" ? Read.converted : Read[type.kind];
    case "date":
      return countsUnitsOf(wire, type) ? Read.int : Read.converted;
    case "timestamp":
    case "timestamptz":
    case "timestamp_ns":
    case "timestamptz_ns":
      return countsUnitsOf(wire, type) ? Read.long : Read.converted;
    default:
      return Read.converted;
  }
}

/** Whether integers go in as they are: numbers that say nothing of their unit count the type's own (days, µs, ns). */
function countsUnitsOf(wire: Wire, type: PrimitiveType): boolean {
  return wire.kind === "plain" || (wire.kind === "instant" && wire.unitNs === unitNsOf(type));
}

/**
 * Appends the value at `pos` (not null, no white space before it) to the slot's builder and returns the position after it.
 * @throws JsonFault, ValueFault
 */
export function readValue(slot: ReadColumn, bytes: Uint8Array, pos: number, end: number): number {
  const first = bytes[pos] as number;
  const { reader } = slot;
  switch (reader.code) {
    case Read.string:
      if (first === QUOTE) return readString(bytes, pos, end, slot.builder as BytesBuilder);
      break;
    case Read.long:
      if (isNumber(first)) {
        const words = int64At(bytes, pos, end);
        (slot.builder as I64Builder).appendI64Parts(words.low, words.high);
        return words.next;
      }
      break;
    case Read.int:
      if (isNumber(first)) {
        const words = int64At(bytes, pos, end);
        if (words.low >> 31 !== words.high) throw new ValueFault(pos, "an integer of at most 32 bits", "long");
        (slot.builder as I32Builder).appendI32(words.low);
        return words.next;
      }
      break;
    case Read.double:
      if (isNumber(first)) {
        const read = doubleAt(bytes, pos, end);
        (slot.builder as F64Builder).appendF64(read.value[0] as number);
        return read.next;
      }
      break;
    case Read.float:
      if (isNumber(first)) {
        const read = doubleAt(bytes, pos, end);
        const value = Math.fround(read.value[0] as number);
        if (!Number.isFinite(value)) throw new ValueFault(pos, "a number within the range of a float", "double");
        (slot.builder as F32Builder).appendF32(value);
        return read.next;
      }
      break;
    case Read.decimal:
      if (first === QUOTE || isNumber(first)) return readDecimal(slot, bytes, pos, end);
      break;
    case Read.boolean:
      if (first === LETTER_t || first === LETTER_f) {
        const next = skipLiteral(bytes, pos, end);
        (slot.builder as BitsBuilder).appendBool(first === LETTER_t);
        return next;
      }
      break;
  }
  return reader.other(bytes, pos, end, slot.builder as ColumnBuilder);
}

function isNumber(first: number): boolean {
  return first === MINUS || isDigit(first);
}

function readDecimal(slot: ReadColumn, bytes: Uint8Array, pos: number, end: number): number {
  const builder = slot.builder as I128Builder;
  const { precision, scale } = builder.type as Extract<PrimitiveType, { kind: "decimal" }>;
  if (bytes[pos] === QUOTE) {
    const text = textAt(bytes, pos, end);
    const { next } = text;
    appendDecimalText(text.bytes, text.start, text.end, precision, scale, builder, pos);
    return next;
  }
  const next = skipNumber(bytes, pos, end);
  appendDecimalText(bytes, pos, next, precision, scale, builder, pos);
  return next;
}
