import { ValueFault } from "./fault.ts";

const INVALID = 0xff;

/** Value of each character: RFC 4648's alphabet and its URL-safe one. */
const SIXES = new Uint8Array(256).fill(INVALID);
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
for (let k = 0; k < 64; k++) SIXES[ALPHABET.charCodeAt(k)] = k;
SIXES["-".charCodeAt(0)] = 62;
SIXES["_".charCodeAt(0)] = 63;

const EQUALS = 0x3d;

/** How many bytes of room `decodeBase64` needs for a text of `length` characters. */
export function base64Room(length: number): number {
  return ((length * 3) >> 2) + 3;
}

/**
 * Decodes the base64 text from `start` to `end` (padding optional) into `out` from `to` on and returns where it ends there.
 * @throws ValueFault at `at` for anything else.
 */
export function decodeBase64(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  to: number,
  at: number,
): number {
  let stop = end;
  while (stop > start && end - stop < 2 && bytes[stop - 1] === EQUALS) stop--;
  const length = stop - start;
  if (length % 4 === 1 || (stop < end && (end - start) % 4 !== 0)) throw new ValueFault(at, "base64 text", "string");
  let bits = 0;
  let held = 0;
  for (let pos = start; pos < stop; pos++) {
    const six = SIXES[bytes[pos] as number] as number;
    if (six === INVALID) throw new ValueFault(at, "base64 text", "string");
    bits = ((bits << 6) | six) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[to++] = bits >> held;
    }
  }
  // Bits that no byte takes are zero in what an encoder writes; others would be dropped here without a word.
  if ((bits & ((1 << held) - 1)) !== 0) throw new ValueFault(at, "base64 text", "string");
  return to;
}
