import { MINUS } from "./ascii.ts";
import { ValueFault } from "./fault.ts";
import { hexDigit } from "./skip.ts";

const DASHED = 36;
const PLAIN = 32;

/**
 * Writes the 16 bytes of the UUID text from `start` to `end` (`8-4-4-4-12` hexadecimal digits, or 32 without dashes) to `out`.
 * @throws ValueFault at `at` for anything else.
 */
export function uuidBytes(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): void {
  const dashed = end - start === DASHED;
  if (!dashed && end - start !== PLAIN) throw new ValueFault(at, "uuid", "string");
  let pos = start;
  for (let k = 0; k < 16; k++) {
    if (dashed && (k === 4 || k === 6 || k === 8 || k === 10) && bytes[pos++] !== MINUS) {
      throw new ValueFault(at, "uuid", "string");
    }
    const high = hexDigit(bytes[pos] as number);
    const low = hexDigit(bytes[pos + 1] as number);
    if (high < 0 || low < 0) throw new ValueFault(at, "uuid", "string");
    out[k] = (high << 4) | low;
    pos += 2;
  }
}
