import type { PrimitiveType } from "../../../table-format/index.ts";
import type { DecodeNotices, TableBinding } from "../../core/table-binding.ts";
import { CLOSE_BRACE, isDigit, LETTER_f, LETTER_n, LETTER_t, MINUS, QUOTE } from "../json-bytes/ascii.ts";
import { hasFraction } from "../json-bytes/decimals.ts";
import { nextMember } from "../json-bytes/members.ts";
import { skipKey, skipSpace, skipValue } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { type Layout, refusedType } from "./layout.ts";
import { checkColumnName } from "./column-name.ts";
import { declareColumn, leaveOut } from "./kept-columns.ts";

/**
 * Adds to a layout the columns of the object at `pos` that it lacks, and gives held columns a type where a value has come: from
 * `columns:`, from the table, or by inference, which prints a notice. Inference takes what JSON tells apart (boolean, integer as long,
 * number as double, string) and never guesses decimals or times; a null tells nothing, so the column stays held.
 * `only`: names to look at; null = all.
 * @throws FrazilError `data` for objects and arrays whose column is not declared, and for names that differ from others only by case.
 */
export function learnColumns(
  layout: Layout,
  binding: TableBinding,
  notices: DecodeNotices,
  bytes: Uint8Array,
  pos: number,
  end: number,
  only: readonly string[] | null,
): void {
  pos = skipSpace(bytes, pos + 1, end);
  if (bytes[pos] === CLOSE_BRACE) return;
  while (pos >= 0) {
    const value = skipKey(bytes, pos, end);
    const next = skipValue(bytes, value, end);
    const name = stringAt(bytes, pos, end);
    if (only === null || only.includes(name)) learnColumn(layout, binding, notices, name, bytes, value, next);
    pos = nextMember(bytes, next, end);
  }
}

/** Whether the object at `pos` has a column that `learnColumns` would add, or give a type. */
export function showsUnknown(
  layout: Layout,
  bytes: Uint8Array,
  pos: number,
  end: number,
  only: readonly string[] | null,
): boolean {
  pos = skipSpace(bytes, pos + 1, end);
  if (bytes[pos] === CLOSE_BRACE) return false;
  while (pos >= 0) {
    const value = skipKey(bytes, pos, end);
    const name = stringAt(bytes, pos, end);
    const slot = only === null || only.includes(name) ? layout.find(name) : null;
    const held = slot?.column === null && !slot.leftOut && bytes[value] !== LETTER_n;
    if (slot === undefined || held) return true;
    pos = nextMember(bytes, skipValue(bytes, value, end), end);
  }
  return false;
}

/** Gives columns that are held the type that the table has for them by now: their nulls are values then. */
export function learnHeld(layout: Layout, binding: TableBinding): void {
  for (const slot of layout.slots) {
    const type = slot.column === null && !slot.leftOut ? binding.existing.get(slot.name) : undefined;
    if (type !== undefined) declareColumn(slot, binding, type, false, layout.wire);
  }
}

function learnColumn(
  layout: Layout,
  binding: TableBinding,
  notices: DecodeNotices,
  name: string,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  const known = layout.find(name);
  if (known !== undefined && (known.column !== null || known.leftOut)) return;
  if (leaveOut(layout, binding, notices, name)) return;
  if (known === undefined) checkColumnName(binding, name);
  const slot = known ?? layout.add(name);
  const declared = binding.columns.get(name) ?? binding.existing.get(name);
  if (declared !== undefined) {
    declareColumn(slot, binding, declared, false, layout.wire);
    return;
  }
  const first = bytes[start] as number;
  if (first === LETTER_n) return;
  const type = inferredType(bytes, start, end);
  if (type === null) throw refusedType(binding, name, first === 0x5b ? "an array" : "an object");
  notices.inferred(binding, slot.declare(type, false, layout.wire, false));
}

function inferredType(bytes: Uint8Array, start: number, end: number): PrimitiveType | null {
  const first = bytes[start] as number;
  if (first === QUOTE) return { kind: "string" };
  if (first === LETTER_t || first === LETTER_f) return { kind: "boolean" };
  if (first !== MINUS && !isDigit(first)) return null;
  return hasFraction(bytes, start, end) ? { kind: "double" } : { kind: "long" };
}
