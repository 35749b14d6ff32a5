import { isDigit, ZERO } from "./ascii.ts";

/** The whole number whose digits begin at `start`, as far as they go; 0 where there are none, or more than a double holds exactly. */
export function wholeAt(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let pos = start; pos < end && isDigit(bytes[pos]); pos++) value = value * 10 + (bytes[pos] as number) - ZERO;
  return Number.isSafeInteger(value) ? value : 0;
}
