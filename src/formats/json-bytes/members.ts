import { CLOSE_BRACE, COMMA, OPEN_BRACE, QUOTE, SPACE } from "./ascii.ts";
import { JsonFault } from "./fault.ts";
import { skipColon, skipSpace, skipString, skipValue } from "./skip.ts";
import { equalsText, startsWith } from "./text.ts";

const utf8 = new TextEncoder();

/** A key of an object as compact JSON writes it, up to where its value begins: `"name":`. */
export function keyText(name: string): Uint8Array {
  return utf8.encode(`${JSON.stringify(name)}:`);
}

/**
 * Start of the value that the object at `pos` holds under a key (see `keyText`), or -1. Only what stands before it is looked at.
 * A key that is escaped in another way than `keyText` does it is not found.
 */
export function findMember(bytes: Uint8Array, pos: number, end: number, key: Uint8Array): number {
  if (pos >= end || bytes[pos] !== OPEN_BRACE) throw new JsonFault(pos, "an object");
  pos = skipSpace(bytes, pos + 1, end);
  if (bytes[pos] === CLOSE_BRACE) return -1;
  for (;;) {
    if (startsWith(bytes, pos, key)) return skipSpace(bytes, pos + key.length, end);
    if (pos >= end || bytes[pos] !== QUOTE) throw new JsonFault(pos, "a key");
    const keyEnd = skipString(bytes, pos, end);
    const value = skipColon(bytes, keyEnd, end);
    if (equalsText(bytes, pos, keyEnd, key.subarray(0, -1))) return value;
    pos = skipValue(bytes, value, end);
    const next = nextMember(bytes, pos, end);
    if (next < 0) return -1;
    pos = next;
  }
}

/** From the end of a member's value to the next key, or the bitwise complement of the position after the object. */
export function nextMember(bytes: Uint8Array, pos: number, end: number): number {
  let byte = bytes[pos] as number;
  if (byte <= SPACE) {
    pos = skipSpace(bytes, pos, end);
    byte = bytes[pos] as number;
  }
  if (pos < end) {
    if (byte === COMMA) return bytes[pos + 1] === QUOTE ? pos + 1 : skipSpace(bytes, pos + 1, end);
    if (byte === CLOSE_BRACE) return ~(pos + 1);
  }
  throw new JsonFault(Math.min(pos, end), '"," or "}"');
}
