import { CLOSE_BRACE, COMMA, LETTER_n, OPEN_BRACE, OPEN_BRACKET, QUOTE, SPACE } from "../json-bytes/ascii.ts";
import { JsonFault, ValueFault } from "../json-bytes/fault.ts";
import { nextMember } from "../json-bytes/members.ts";
import { skipColon, skipLiteral, skipSpace, skipString, skipValue } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { startsWith } from "../json-bytes/text.ts";
import type { ColumnSlot } from "./column-slot.ts";
import type { Layout } from "./layout.ts";
import { placeholderEnd } from "./placeholder.ts";
import { readValue } from "./value-reader.ts";

/** State of the row being read. */
export interface RowState {
  /** Number of the row, ever rising, so that `ColumnSlot.row` tells which columns it has named. */
  serial: number;
  /** The row's number in the open batch. */
  index: number;
  /** Columns with a type that the row has named. */
  named: number;
  /** Columns whose value was not sent (see `placeholderEnd`). */
  placeholders: number;
  /** Whether placeholders are values: an insert may hold any text. */
  literal: boolean;
  /** Whether columns that the row has a value for keep it: the object read is what lies under another. */
  keeps: boolean;
  /** The column being read, for messages. */
  slot: ColumnSlot | null;
}

/** The layout lacks a column of the row, or the type of one: learn and read the row again. */
export const UNKNOWN_COLUMN = -1;

/**
 * Appends the object at `pos` to the builders of a layout, one value for each column that it names, and returns the position after it,
 * or `UNKNOWN_COLUMN`. In both cases columns that it does not name have nothing appended.
 * @throws JsonFault, ValueFault
 */
export function readRow(layout: Layout, row: RowState, bytes: Uint8Array, pos: number, end: number): number {
  if (pos >= end || bytes[pos] !== OPEN_BRACE) throw new JsonFault(pos, "an object");
  const { serial } = row;
  let previous: ColumnSlot | null = null;
  let slot: ColumnSlot | null = layout.slots[0] ?? null;
  pos++;
  if (bytes[pos] !== QUOTE) {
    pos = skipSpace(bytes, pos, end);
    if (pos < end && bytes[pos] === CLOSE_BRACE) return pos + 1;
  }
  for (;;) {
    // The key: nearly always the one that followed last time, byte for byte.
    if (slot !== null && startsWith(bytes, pos, slot.keyText)) {
      pos += slot.keyText.length;
    } else {
      if (pos >= end || bytes[pos] !== QUOTE) throw new JsonFault(Math.min(pos, end), "a key");
      const value = skipColon(bytes, skipString(bytes, pos, end), end);
      slot = layout.find(stringAt(bytes, pos, end)) ?? null;
      if (slot === null) return unknown(layout, bytes, pos, end);
      if (previous !== null) previous.next = slot;
      pos = value;
    }
    row.slot = slot;
    if (slot.row === serial) {
      if (!row.keeps) throw new JsonFault(pos, `each key once, found ${JSON.stringify(slot.name)} again`);
      row.slot = null;
      pos = nextMember(bytes, skipValue(bytes, skipSpace(bytes, pos, end), end), end);
      if (pos < 0) return ~pos;
      previous = slot;
      slot = slot.next;
      continue;
    }
    slot.row = serial;

    let first = bytes[pos] as number;
    if (first <= SPACE) {
      pos = skipSpace(bytes, pos, end);
      first = bytes[pos] as number;
    }
    if (pos >= end) throw new JsonFault(end, "a value");
    if (slot.builder === null) {
      if (first !== LETTER_n && !slot.leftOut) return UNKNOWN_COLUMN;
      pos = skipValue(bytes, pos, end);
    } else {
      row.named++;
      if (first === LETTER_n) {
        pos = skipLiteral(bytes, pos, end);
        slot.nullRow = serial;
        slot.builder.appendNull();
      } else {
        const after = maybePlaceholder(first, bytes[pos + 1] as number)
          ? placeholderAfter(slot, row, bytes, pos, end)
          : -1;
        if (after < 0) {
          pos = readValue(slot, bytes, pos, end);
        } else {
          pos = after;
          slot.nullRow = serial;
          slot.builder.appendNull();
          slot.markAbsent(row.index);
          row.placeholders++;
        }
      }
    }
    row.slot = null;

    let byte = bytes[pos] as number;
    if (byte <= SPACE) {
      pos = skipSpace(bytes, pos, end);
      byte = bytes[pos] as number;
    }
    if (pos >= end) throw new JsonFault(end, '"," or "}"');
    if (byte === CLOSE_BRACE) return pos + 1;
    if (byte !== COMMA) throw new JsonFault(pos, '"," or "}"');
    pos++;
    if (bytes[pos] !== QUOTE) pos = skipSpace(bytes, pos, end);
    previous = slot;
    slot = slot.next;
  }
}

/** A cheap look that nearly all values fail. */
function maybePlaceholder(first: number, second: number): boolean {
  return first === QUOTE ? second === 0x5f || second === 0x58 : first === OPEN_BRACKET || first === OPEN_BRACE;
}

function placeholderAfter(slot: ColumnSlot, row: RowState, bytes: Uint8Array, pos: number, end: number): number {
  const kind = slot.column?.type.kind;
  return row.literal ? -1 : placeholderEnd(bytes, pos, end, kind === "binary" || kind === "fixed");
}

function unknown(layout: Layout, bytes: Uint8Array, pos: number, end: number): number {
  if (layout.grows) return UNKNOWN_COLUMN;
  throw new ValueFault(pos, `a column that the message's schema names, found ${stringAt(bytes, pos, end)}`);
}
