import type { BytesBuilder, FixedBuilder, PrimitiveType } from "../../../table-format/index.ts";
import { typeText } from "../../../table-format/index.ts";
import { QUOTE } from "../json-bytes/ascii.ts";
import { ValueFault } from "../json-bytes/fault.ts";
import { type TextSlice, textAt } from "../json-bytes/strings.ts";
import type { Convert } from "../json-columns/wire.ts";

/** Bytes in a text, each as the character of that number (ISO 8859-1). `padTo`: zeros are added up to this length. */
export function characterBytes(padTo: number): Convert {
  return (bytes, pos, end, builder) => {
    const text = textOf(bytes, pos, end, "binary");
    const { next } = text;
    const column = builder as BytesBuilder;
    const out = column.reserveBytes(Math.max(text.end - text.start, padTo));
    const start = column.bytesLength;
    let at = decode(text, out, start, pos, "binary");
    if (padTo > 0) {
      if (at - start > padTo) throw new ValueFault(pos, `binary of ${padTo} bytes`, "string");
      out.fill(0, at, start + padTo);
      at = start + padTo;
    }
    column.commitBytes(at);
    return next;
  };
}

/** As `characterBytes`, for types that hold a certain number of them; zeros that MySQL leaves out at the end are added. */
export function characterFixed(type: PrimitiveType): Convert {
  const expected = typeText(type);
  let scratch = new Uint8Array(64);
  return (bytes, pos, end, builder) => {
    const text = textOf(bytes, pos, end, expected);
    const { next } = text;
    const { width } = builder as FixedBuilder;
    const room = Math.max(text.end - text.start, width);
    if (scratch.length < room) scratch = new Uint8Array(room * 2);
    const length = decode(text, scratch, 0, pos, expected);
    if (length > width) throw new ValueFault(pos, expected, "binary");
    scratch.fill(0, length, width);
    (builder as FixedBuilder).appendBytes(scratch, 0, width);
    return next;
  };
}

function textOf(bytes: Uint8Array, pos: number, end: number, expected: string): TextSlice {
  if (bytes[pos] !== QUOTE) throw new ValueFault(pos, `${expected} (a character a byte)`, "string");
  return textAt(bytes, pos, end);
}

/** Writes the bytes that the characters stand for to `out` from `to` on and returns where they end. */
function decode(text: TextSlice, out: Uint8Array, to: number, pos: number, expected: string): number {
  const { bytes, end } = text;
  for (let at = text.start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte < 0x80) {
      out[to++] = byte;
    } else if (byte <= 0xc3) {
      // U+0080 to U+00FF, whose lead byte is C2 or C3.
      out[to++] = ((byte & 0x03) << 6) | ((bytes[++at] as number) & 0x3f);
    } else {
      throw new ValueFault(pos, `${expected} (characters up to U+00FF, one a byte)`, "string");
    }
  }
  return to;
}
