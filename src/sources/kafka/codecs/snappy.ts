import { BadCompression } from "./bad-compression.ts";

/** What snappy-java writes before its blocks (`\x82SNAPPY\0`, version, oldest compatible version): 16 bytes. */
const XERIAL_MAGIC = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00] as const;
const XERIAL_HEADER_BYTES = 16;

/** How many bytes tell a copy's distance, by the lowest two bits of its tag; 0 is a literal. */
const DISTANCE_BYTES = [0, 1, 2, 4] as const;

/**
 * Decompresses snappy: the frame of snappy-java, which Java's producer writes (big-endian length and raw block, again and again),
 * or one raw block, which librdkafka writes. Format: google/snappy, `format_description.txt`.
 * @throws BadCompression when the bytes are not snappy or hold more than `maxBytes`.
 */
export function unsnappy(input: Uint8Array, maxBytes: number): Uint8Array {
  const blocks = XERIAL_MAGIC.every((byte, i) => input[i] === byte) ? xerialBlocks(input) : [input];
  let total = 0;
  const lengths = blocks.map((block) => {
    const length = uncompressedLength(block);
    total += length.value;
    if (total > maxBytes) throw new BadCompression(`more than ${maxBytes} bytes when decompressed`, "too-large");
    return length;
  });
  const output = Buffer.allocUnsafe(total);
  let at = 0;
  blocks.forEach((block, i) => {
    const { value, bytes } = lengths[i] as { value: number; bytes: number };
    unsnappyBlock(block, bytes, output, at, at + value);
    at += value;
  });
  return output;
}

function xerialBlocks(input: Uint8Array): Uint8Array[] {
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  const blocks: Uint8Array[] = [];
  if (input.length < XERIAL_HEADER_BYTES) throw new BadCompression("a snappy frame that ends early");
  for (let at = XERIAL_HEADER_BYTES; at < input.length;) {
    const length = at + 4 <= input.length ? view.getInt32(at) : -1;
    if (length < 0 || at + 4 + length > input.length) throw new BadCompression("a snappy block that runs past its end");
    blocks.push(input.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return blocks;
}

/** The block's first bytes: its uncompressed length as a little-endian base-128 number. */
function uncompressedLength(block: Uint8Array): { value: number; bytes: number } {
  let value = 0;
  for (let i = 0; i < 5 && i < block.length; i++) {
    const byte = block[i] as number;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, bytes: i + 1 };
  }
  throw new BadCompression("a snappy block without a length");
}

/** Decodes one raw block, its elements from `from` on, into `output[start, end)`, which it must fill exactly. */
function unsnappyBlock(block: Uint8Array, from: number, output: Buffer, start: number, end: number): void {
  let at = from;
  let to = start;
  while (at < block.length) {
    const tag = block[at++] as number;
    let length: number;
    let distance: number;
    if ((tag & 3) === 0) {
      length = tag >>> 2;
      if (length >= 60) {
        const extra = length - 59;
        length = 0;
        for (let i = 0; i < extra; i++) length += (block[at + i] ?? 0) * 2 ** (8 * i);
        at += extra;
      }
      length++;
      if (at + length > block.length || to + length > end)
        throw new BadCompression("a snappy literal that is too long");
      if (length < 24) for (let i = 0; i < length; i++) output[to + i] = block[at + i] as number;
      else output.set(block.subarray(at, at + length), to);
      at += length;
      to += length;
      continue;
    }
    const distanceBytes = DISTANCE_BYTES[tag & 3] as number;
    if (at + distanceBytes > block.length) throw new BadCompression("a snappy copy without a distance");
    if (distanceBytes === 1) {
      length = ((tag >>> 2) & 7) + 4;
      distance = ((tag >>> 5) << 8) | (block[at] as number);
    } else {
      length = (tag >>> 2) + 1;
      distance = (block[at] as number) | ((block[at + 1] as number) << 8);
      // Blocks are far smaller than 2^31: a distance that would not fit comes out negative, and is refused.
      if (distanceBytes === 4) distance |= ((block[at + 2] as number) << 16) | ((block[at + 3] as number) << 24);
    }
    at += distanceBytes;
    if (distance <= 0 || to - distance < start || to + length > end) {
      throw new BadCompression("a snappy copy from outside its block");
    }
    // Byte by byte, as a copy may overlap what it writes.
    for (let copied = to - distance, stop = to + length; to < stop;) output[to++] = output[copied++] as number;
  }
  if (to !== end) throw new BadCompression("a snappy block that is too short");
}
