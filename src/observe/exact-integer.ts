/** An integer as JSON has it: a number where a double holds it, a text otherwise. */
export function exactInteger(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
