/** The same eight bytes, as Node's little-endian machines have them. */
const WHOLE = new BigInt64Array(1);
const HALVES = new Int32Array(WHOLE.buffer);

/**
 * A whole number below 2^53 as bigint. Reading it from a typed array compiles to an allocation, `BigInt(value)` to a call that takes
 * several times as long; parsers make millions of them.
 */
export function toInt64(value: number): bigint {
  HALVES[0] = value;
  HALVES[1] = Math.floor(value / 0x1_0000_0000);
  return WHOLE[0] as bigint;
}
