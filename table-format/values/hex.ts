/** Two lower-case digits a byte. */
export function hexOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += DIGITS[byte] as string;
  return text;
}

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The inverse of `hexOf`, of either case. The text holds pairs of digits and nothing else. */
export function bytesOfHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length >> 1 }, (_, k) => Number.parseInt(text.slice(2 * k, 2 * k + 2), 16));
}

/** The bytes of a uuid's text. */
export function bytesOfUuid(text: string): Uint8Array {
  return bytesOfHex(text.replaceAll("-", ""));
}
