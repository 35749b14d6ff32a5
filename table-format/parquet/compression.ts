import type { Compressors as Decompressors } from "hyparquet";
import { nodeZlib } from "../codec/compress.ts";
import { type Decompress, gunzip, unbrotli, unzstd } from "../codec/decompress.ts";

/**
 * Level 1 is both smaller and faster than Snappy on row data; higher levels cost time for little. The frame's checksum, four bytes a page, lets
 * every reader notice bytes that changed on the way.
 */
export function compressZstd(bytes: Uint8Array): Uint8Array {
  const { constants, zstdCompressSync } = nodeZlib();
  return zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
  });
}

/** Codecs of files that others wrote, beside Snappy, which hyparquet has built in. Output is bounded by what the page header says. */
export const decompressors: Decompressors = {
  ZSTD: bounded(unzstd),
  GZIP: bounded(gunzip),
  BROTLI: bounded(unbrotli),
};

/** Gives a plain array: hyparquet slices pages, and `Buffer.slice` means something else. */
function bounded(decompress: Decompress): (input: Uint8Array, size: number) => Uint8Array {
  return (input, size) => {
    const bytes = decompress(input, Math.max(1, size));
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}
