/** The same eight bytes, as Node's little-endian machines have them. */
const WHOLE = new BigInt64Array(1);
const HALVES = new Int32Array(WHOLE.buffer);

/**
 * A whole number below 2^53 as bigint. Reading it from a typed array compiles to an allocation, `BigInt(value)` to a call that takes
 * several times as long; parsers make millions of them.
 */
export function toInt64(value: number): bigint {
  return fromHalves(value, Math.floor(value / 0x1_0000_0000));
}

/** The integer of two halves of 32 bits each. */
export function fromHalves(low: number, high: number): bigint {
  HALVES[0] = low;
  HALVES[1] = high;
  return WHOLE[0] as bigint;
}

/** The lower 32 bits of an int64, as an int. */
export function lowHalf(value: bigint): number {
  WHOLE[0] = value;
  return HALVES[0] as number;
}

/** The upper 32 bits. */
export function highHalf(value: bigint): number {
  WHOLE[0] = value;
  return HALVES[1] as number;
}

/** `high * 10^9 + low`, as far as 64 bits hold it: both whole and not negative, `high` below 10^10 and `low` below 10^9. */
export function fromDecimal(high: number, low: number): bigint {
  // In steps of 16 bits, so that no product leaves the 53 bits of a double.
  const upper = Math.floor(high / 0x1_0000);
  const ends = (high - upper * 0x1_0000) * 1e9 + low;
  const rest = upper * 1e9 + Math.floor(ends / 0x1_0000);
  return fromHalves(((rest & 0xffff) << 16) | (ends & 0xffff), Math.floor(rest / 0x1_0000));
}
