/** Bytes as a string, one character a byte: for ASCII. */
export function asciiText(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1", start, end);
}

/** Bytes as a string; what is not UTF-8 becomes U+FFFD. */
export function utf8Text(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8", start, end);
}

/** Whether `start` to `end` of `bytes` equals `text`. */
export function equalsText(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  return end - start === text.length && startsWith(bytes, start, text);
}

/** Whether `bytes` goes on with `text` at `pos`. */
export function startsWith(bytes: Uint8Array, pos: number, text: Uint8Array): boolean {
  for (let k = 0; k < text.length; k++) {
    if (bytes[pos + k] !== text[k]) return false;
  }
  return true;
}

/** Whether two ranges hold the same bytes. */
export function rangesEqual(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let k = 0; k < aEnd - aStart; k++) {
    if (a[aStart + k] !== b[bStart + k]) return false;
  }
  return true;
}
