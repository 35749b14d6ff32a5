import { BadCompression } from "./bad-compression.ts";

const FRAME_MAGIC = 0x184d2204;
/** Matches are at least this long; token lengths are counted from here. */
const SHORTEST_MATCH = 4;

/**
 * Decompresses LZ4 frames (lz4 `doc/lz4_Frame_format.md`, version 1.6.1), with linked or independent blocks, one frame after the
 * other. The frames' own checksums are passed over: the record batch has one over all of its bytes.
 * @throws BadCompression when the bytes are not LZ4 frames or hold more than `maxBytes`.
 */
export function unlz4(input: Uint8Array, maxBytes: number): Uint8Array {
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  let output: Buffer = Buffer.allocUnsafe(Math.min(maxBytes, input.length * 4));
  let to = 0;
  let at = 0;
  const u32 = (position: number): number => {
    if (position + 4 > input.length) throw new BadCompression("an LZ4 frame that ends early");
    return view.getUint32(position, true);
  };
  while (at < input.length) {
    if (u32(at) !== FRAME_MAGIC) throw new BadCompression("bytes that are no LZ4 frame");
    const flags = input[at + 4] ?? 0;
    if (flags >>> 6 !== 1) throw new BadCompression(`LZ4 frame version ${flags >>> 6}, expected 1`);
    if ((flags & 0x01) !== 0) throw new BadCompression("an LZ4 frame that needs a dictionary");
    const frameStart = to;
    // Magic, flags, block descriptor, header checksum, and the content size where there is one.
    at += (flags & 0x08) === 0 ? 7 : 15;
    const blockChecksumBytes = (flags & 0x10) === 0 ? 0 : 4;
    for (let size = u32(at); size !== 0; size = u32(at)) {
      const stored = size >= 0x80000000;
      const length = size & 0x7fffffff;
      at += 4;
      if (at + length > input.length) throw new BadCompression("an LZ4 block that runs past its end");
      if (stored) {
        output = withRoom(output, to, length, maxBytes);
        output.set(input.subarray(at, at + length), to);
        to += length;
      } else {
        const result = unlz4Block(input, at, at + length, output, to, frameStart, maxBytes);
        output = result.output;
        to = result.end;
      }
      at += length + blockChecksumBytes;
    }
    // The end mark, and the content checksum where there is one.
    at += (flags & 0x04) === 0 ? 4 : 8;
  }
  if (at !== input.length) throw new BadCompression("an LZ4 frame that ends early");
  return output.subarray(0, to);
}

/** Decodes the block `input[at, end)` behind `to`; its matches reach back to `floor`, the start of the frame. */
function unlz4Block(
  input: Uint8Array,
  at: number,
  end: number,
  output: Buffer,
  to: number,
  floor: number,
  maxBytes: number,
): { output: Buffer; end: number } {
  while (at < end) {
    const token = input[at++] as number;
    let literals = token >>> 4;
    if (literals === 15) {
      let byte: number;
      do {
        byte = input[at++] ?? 0;
        literals += byte;
      } while (byte === 255 && at < end);
    }
    if (at + literals > end) throw new BadCompression("an LZ4 literal that is too long");
    if (to + literals > output.length) output = withRoom(output, to, literals, maxBytes);
    if (literals < 24) for (let i = 0; i < literals; i++) output[to + i] = input[at + i] as number;
    else output.set(input.subarray(at, at + literals), to);
    to += literals;
    at += literals;
    // The last sequence of a block is a literal alone.
    if (at === end) break;
    if (at + 2 > end) throw new BadCompression("an LZ4 match without a distance");
    const distance = (input[at] as number) | ((input[at + 1] as number) << 8);
    at += 2;
    let match = (token & 15) + SHORTEST_MATCH;
    if ((token & 15) === 15) {
      let byte: number;
      do {
        byte = input[at++] ?? 0;
        match += byte;
      } while (byte === 255 && at < end);
    }
    if (at > end || distance === 0 || to - distance < floor) {
      throw new BadCompression("an LZ4 match from outside its frame");
    }
    if (to + match > output.length) output = withRoom(output, to, match, maxBytes);
    if (match > 32 && distance >= match) {
      output.copyWithin(to, to - distance, to - distance + match);
      to += match;
    } else {
      // Byte by byte, as a match may overlap what it writes.
      for (const stop = to + match; to < stop; to++) output[to] = output[to - distance] as number;
    }
  }
  return { output, end: to };
}

function withRoom(output: Buffer, used: number, more: number, maxBytes: number): Buffer {
  const needed = used + more;
  if (needed > maxBytes) throw new BadCompression(`more than ${maxBytes} bytes when decompressed`, "too-large");
  if (needed <= output.length) return output;
  const larger = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(needed, output.length * 2)));
  output.copy(larger, 0, 0, used);
  return larger;
}
