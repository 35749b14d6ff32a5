import { isDigit } from "../json-bytes/ascii.ts";
import { findMember, keyText } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import { wholeAt } from "../json-bytes/whole-number.ts";

const TS_US = keyText("ts_us");
const TS_NS = keyText("ts_ns");
const TS_MS = keyText("ts_ms");
const DIGITS_BELOW_MICROS = 3;

/**
 * When the source made the change, microseconds since 1970 UTC; NaN where `source` does not tell. Connectors write 0 for "unknown".
 * Of nanoseconds, which no double holds, the last three digits are left out.
 */
export function sourceTimeUs(bytes: Uint8Array, source: Range): number {
  if (source.start < 0) return NaN;
  const micros = wholeMember(bytes, source, TS_US, 0) || wholeMember(bytes, source, TS_NS, DIGITS_BELOW_MICROS);
  if (micros > 0) return micros;
  const millis = wholeMember(bytes, source, TS_MS, 0);
  return millis > 0 && Number.isSafeInteger(millis * 1_000) ? millis * 1_000 : NaN;
}

/** A member that is a whole number, without its last digits; else 0. */
function wholeMember(bytes: Uint8Array, object: Range, key: Uint8Array, without: number): number {
  const start = findMember(bytes, object.start, object.end, key);
  if (start < 0) return 0;
  let end = start;
  while (end < object.end && isDigit(bytes[end])) end++;
  return wholeAt(bytes, start, end - without);
}
