import { findMember, keyText } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";

const TS_US = keyText("ts_us");
const TS_MS = keyText("ts_ms");
const DIGIT_0 = 0x30;

/** When the source made the change, microseconds since 1970 UTC; NaN where `source` does not tell. Connectors write 0 for "unknown". */
export function sourceTimeUs(bytes: Uint8Array, source: Range): number {
  if (source.start < 0) return NaN;
  const micros = wholeMember(bytes, source, TS_US);
  if (micros > 0) return micros;
  const millis = wholeMember(bytes, source, TS_MS);
  return millis > 0 && Number.isSafeInteger(millis * 1_000) ? millis * 1_000 : NaN;
}

/** A member that is a whole number which doubles hold exactly; else 0. */
function wholeMember(bytes: Uint8Array, object: Range, key: Uint8Array): number {
  const start = findMember(bytes, object.start, object.end, key);
  if (start < 0) return 0;
  let value = 0;
  for (let pos = start; pos < object.end; pos++) {
    const digit = (bytes[pos] as number) - DIGIT_0;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return Number.isSafeInteger(value) ? value : 0;
}
