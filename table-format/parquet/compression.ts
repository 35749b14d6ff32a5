import { brotliDecompressSync, constants, gunzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { Compressors as Decompressors } from "hyparquet";

/**
 * Level 1 is both smaller and faster than Snappy on row data; higher levels cost time for little. The frame's checksum, four bytes a page, lets
 * every reader notice bytes that changed on the way.
 */
const OPTIONS = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 } };

export function compressZstd(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes, OPTIONS);
}

/** Codecs of files that others wrote, beside Snappy, which hyparquet has built in. Output is bounded by what the page header says. */
export const decompressors: Decompressors = {
  ZSTD: (input, size) => exactly(zstdDecompressSync(input, { maxOutputLength: Math.max(1, size) })),
  GZIP: (input, size) => exactly(gunzipSync(input, { maxOutputLength: Math.max(1, size) })),
  BROTLI: (input, size) => exactly(brotliDecompressSync(input, { maxOutputLength: Math.max(1, size) })),
};

/** A plain array: hyparquet slices pages, and `Buffer.slice` means something else. */
function exactly(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
