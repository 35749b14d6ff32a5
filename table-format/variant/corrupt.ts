import { FrazilError } from "../errors.ts";

/** The refusal of broken bytes; `part` is `metadata` or `value`, `offset` counts from its first byte. */
export function corruptVariant(
  part: "metadata" | "value",
  offset: number,
  expected: string,
  found: string,
): FrazilError {
  return new FrazilError("corrupt", "VARIANT", `byte ${offset} of the ${part}: expected ${expected}, found ${found}`);
}

/** An unsigned number of one to four bytes, little endian; the caller has checked that they are there. */
export function unsignedAt(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let k = width - 1; k >= 0; k--) value = value * 256 + (bytes[at + k] as number);
  return value;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @throws FrazilError kind `corrupt` for bytes that are no UTF-8 */
export function textOf(part: "metadata" | "value", bytes: Uint8Array, start: number, end: number): string {
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch {
    throw corruptVariant(part, start, "a text in UTF-8", `${end - start} bytes that are none`);
  }
}
