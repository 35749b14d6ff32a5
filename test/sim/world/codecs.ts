import { createRequire, syncBuiltinESMExports } from "node:module";

/** Bytes of one block at most, of either codec. */
const BLOCK_BYTES = 65_535;
const ZSTD_MAGIC = 0xfd2fb528;

let installed = false;

/**
 * From now on Zstandard and Deflate put their input into blocks that are not compressed, which both formats know: making and taking down a
 * compressor costs more than all else that is done with files of some rows. What is compressed all the same is read by the real one.
 */
export function storeUncompressed(): void {
  if (installed) return;
  installed = true;
  const zlib = createRequire(import.meta.url)("node:zlib") as Record<
    string,
    (bytes: Uint8Array, options?: object) => Uint8Array
  >;
  const { zstdDecompressSync, inflateRawSync } = zlib as Record<
    "zstdDecompressSync" | "inflateRawSync",
    (bytes: Uint8Array, options?: object) => Uint8Array
  >;
  zlib["zstdCompressSync"] = zstdFrame;
  zlib["zstdDecompressSync"] = (bytes, options) => zstdStored(bytes) ?? zstdDecompressSync(bytes, options);
  zlib["deflateRawSync"] = deflateBlocks;
  zlib["inflateRawSync"] = (bytes, options) => deflateStored(bytes) ?? inflateRawSync(bytes, options);
  syncBuiltinESMExports();
}

/** A frame of raw blocks (RFC 8878, 3.1.1): its content size in four bytes, no checksum, no dictionary. */
function zstdFrame(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK_BYTES));
  const frame = Buffer.alloc(9 + blocks * 3 + bytes.length);
  frame.writeUInt32LE(ZSTD_MAGIC, 0);
  // A single segment, whose size stands in four bytes.
  frame[4] = 0b1010_0000;
  frame.writeUInt32LE(bytes.length, 5);
  let at = 9;
  for (let block = 0; block < blocks; block++) {
    const some = bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    frame.writeUIntLE((some.length << 3) | (block === blocks - 1 ? 1 : 0), at, 3);
    frame.set(some, at + 3);
    at += 3 + some.length;
  }
  return frame;
}

/** What stands in such a frame; null for another. */
function zstdStored(bytes: Uint8Array): Uint8Array | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || view.getUint32(0, true) !== ZSTD_MAGIC || bytes[4] !== 0b1010_0000) return null;
  const content = Buffer.alloc(view.getUint32(5, true));
  let to = 0;
  for (let at = 9; ;) {
    if (at + 3 > bytes.length) return null;
    const header = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
    const length = header >>> 3;
    if ((header & 0b110) !== 0 || at + 3 + length > bytes.length || to + length > content.length) return null;
    content.set(bytes.subarray(at + 3, at + 3 + length), to);
    to += length;
    at += 3 + length;
    if ((header & 1) === 1) return to === content.length ? content : null;
  }
}

/** Stored blocks (RFC 1951, 3.2.4). */
function deflateBlocks(bytes: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK_BYTES));
  const out = Buffer.alloc(blocks * 5 + bytes.length);
  let at = 0;
  for (let block = 0; block < blocks; block++) {
    const some = bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    out[at] = block === blocks - 1 ? 1 : 0;
    out.writeUInt16LE(some.length, at + 1);
    out.writeUInt16LE(~some.length & 0xffff, at + 3);
    out.set(some, at + 5);
    at += 5 + some.length;
  }
  return out;
}

/** What stands in stored blocks; null for others. */
function deflateStored(bytes: Uint8Array): Uint8Array | null {
  const parts: Uint8Array[] = [];
  for (let at = 0; ;) {
    const kind = bytes[at];
    if (at + 5 > bytes.length || (kind !== 0 && kind !== 1)) return null;
    const length = (bytes[at + 1] as number) | ((bytes[at + 2] as number) << 8);
    const check = (bytes[at + 3] as number) | ((bytes[at + 4] as number) << 8);
    if ((length ^ check) !== 0xffff || at + 5 + length > bytes.length) return null;
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    at += 5 + length;
    if (kind === 1) return at === bytes.length ? Buffer.concat(parts) : null;
  }
}
