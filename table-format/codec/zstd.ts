import { Decompress, decompress } from "fzstd";
import { joined } from "./inflate.ts";

const MAGIC = 0xfd2fb528;
/** Frames to be skipped have one of sixteen magics (RFC 8878, 3.1.2). */
const SKIPPABLE = 0x184d2a50;
/** The window that zstd's own decompressor takes without being asked (`ZSTD_WINDOWLOG_LIMIT_DEFAULT`): so much is allocated. */
const MAX_WINDOW_BYTES = 1 << 27;

/** A frame's place and what its header says (RFC 8878, 3.1.1). */
interface Frame {
  readonly start: number;
  readonly end: number;
  readonly windowBytes: number;
  /** Size of the content; null where the header does not say it. */
  readonly contentBytes: number | null;
}

/**
 * Decompresses zstd at once, for where there is no zlib. Frames' checksums are not checked.
 * @throws Error when the input breaks the format, or the output would pass `maxBytes`
 */
export function unzstd(input: Uint8Array, maxBytes: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at < input.length;) {
    const skipped = skippedTo(input, at);
    if (skipped !== null) {
      at = skipped;
      continue;
    }
    const frame = frameAt(input, at);
    const bytes = content(input.subarray(frame.start, frame.end), frame, maxBytes - total);
    parts.push(bytes);
    total += bytes.length;
    at = frame.end;
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : joined(parts, total);
}

function content(frame: Uint8Array, { windowBytes, contentBytes }: Frame, maxBytes: number): Uint8Array {
  if (contentBytes !== null) {
    if (contentBytes > maxBytes) throw new RangeError(`more than ${maxBytes} bytes`);
    return contentBytes === 0 ? new Uint8Array(0) : decompress(frame, new Uint8Array(contentBytes));
  }
  if (windowBytes > MAX_WINDOW_BYTES) throw new RangeError(`a window of ${windowBytes} bytes`);
  const parts: Uint8Array[] = [];
  let total = 0;
  const stream = new Decompress((part) => {
    total += part.length;
    if (total > maxBytes) throw new RangeError(`more than ${maxBytes} bytes`);
    parts.push(part);
  });
  stream.push(frame, true);
  return joined(parts, total);
}

function skippedTo(input: Uint8Array, at: number): number | null {
  if (at + 8 > input.length) return null;
  const view = new DataView(input.buffer, input.byteOffset + at, 8);
  // The comparison of signed words is of bits.
  return (view.getUint32(0, true) & ~15) === SKIPPABLE ? at + 8 + view.getUint32(4, true) : null;
}

/** Walks over a frame's blocks without reading them. */
function frameAt(input: Uint8Array, start: number): Frame {
  const at = (place: number): number => {
    const byte = input[place];
    if (byte === undefined) throw new RangeError("a zstd frame that ends early");
    return byte;
  };
  const number = (place: number, bytes: number): number => {
    let value = 0;
    for (let k = 0; k < bytes; k++) value += at(place + k) * 2 ** (8 * k);
    return value;
  };
  if (number(start, 4) !== MAGIC) throw new RangeError("no zstd frame");
  const flags = at(start + 4);
  const isSingle = (flags & 0x20) !== 0;
  if ((flags & 3) !== 0) throw new RangeError("a zstd frame with a dictionary");
  let place = start + 5;
  let windowBytes = 0;
  if (!isSingle) {
    const descriptor = at(place++);
    const base = 2 ** (10 + (descriptor >> 3));
    windowBytes = base + (base / 8) * (descriptor & 7);
  }
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][flags >> 6] as number;
  const contentBytes = sizeBytes === 0 ? null : number(place, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  place += sizeBytes;
  for (let isLast = false; !isLast;) {
    const header = number(place, 3);
    isLast = (header & 1) === 1;
    const isRun = ((header >> 1) & 3) === 1;
    place += 3 + (isRun ? 1 : header >> 3);
  }
  const end = place + ((flags & 4) === 0 ? 0 : 4);
  if (end > input.length) throw new RangeError("a zstd frame that ends early");
  return { start, end, windowBytes, contentBytes };
}
