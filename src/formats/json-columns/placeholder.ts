import { OPEN_BRACE, OPEN_BRACKET, QUOTE } from "../json-bytes/ascii.ts";
import { startsWith } from "../json-bytes/text.ts";

/** What Debezium sends for a TOAST or LOB value that an update did not touch (`unavailable.value.placeholder`'s default). */
const PLACEHOLDER = "__debezium_unavailable_value";

const utf8 = new TextEncoder();
const octets = utf8.encode(PLACEHOLDER);

const TEXT = utf8.encode(`"${PLACEHOLDER}"`);
const BASE64 = utf8.encode(`"${Buffer.from(octets).toString("base64")}"`);

/** Arrays of text, arrays of integers, hstore: met where `columns:` keeps a column's JSON text. */
const NESTED = [
  utf8.encode(`["${PLACEHOLDER}"]`),
  utf8.encode(`[${octets.join(",")}]`),
  utf8.encode(`{"${PLACEHOLDER}":"${PLACEHOLDER}"}`),
];

/** Where the placeholder that stands at `pos` ends, or -1 when none does. `binary`: the column holds bytes, sent as base64. */
export function placeholderEnd(bytes: Uint8Array, pos: number, end: number, binary: boolean): number {
  const first = bytes[pos];
  if (first === QUOTE) {
    const second = bytes[pos + 1];
    if (second === TEXT[1] && isAt(bytes, pos, end, TEXT)) return pos + TEXT.length;
    return binary && second === BASE64[1] && isAt(bytes, pos, end, BASE64) ? pos + BASE64.length : -1;
  }
  if (first === OPEN_BRACKET || first === OPEN_BRACE) {
    for (const text of NESTED) {
      if (isAt(bytes, pos, end, text)) return pos + text.length;
    }
  }
  return -1;
}

function isAt(bytes: Uint8Array, pos: number, end: number, text: Uint8Array): boolean {
  return pos + text.length <= end && startsWith(bytes, pos, text);
}
