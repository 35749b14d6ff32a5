import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { BadCompression } from "./bad-compression.ts";
import { unlz4 } from "./lz4.ts";
import { unsnappy } from "./snappy.ts";

/** The codecs by their number in a record batch's attributes. */
export const CODEC_NAMES = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

/** Deflate cannot expand more than this. */
const GZIP_LARGEST_RATIO = 1032;
const SMALLEST_CHUNK_BYTES = 1024;

/**
 * Decompresses the records of one batch. `codec` is the number in the batch's attributes, not 0.
 * @throws BadCompression for an unknown codec, broken bytes, or more than `maxBytes`.
 */
export function decompress(codec: number, input: Uint8Array, maxBytes: number): Uint8Array {
  switch (codec) {
    case 1:
      return withNode(
        () => gunzipSync(input, { maxOutputLength: maxBytes, chunkSize: gzipSize(input, maxBytes) }),
        maxBytes,
      );
    case 2:
      return unsnappy(input, maxBytes);
    case 3:
      return unlz4(input, maxBytes);
    case 4:
      return withNode(
        () =>
          zstdDecompressSync(input, { maxOutputLength: maxBytes, chunkSize: chunkBytes(input.length * 8, maxBytes) }),
        maxBytes,
      );
    default:
      throw new BadCompression(`the unknown codec ${codec}`);
  }
}

/** The size that the last four bytes of gzip tell, so that the output is one piece; never more than the input can hold. */
function gzipSize(input: Uint8Array, maxBytes: number): number {
  if (input.length < 18) return SMALLEST_CHUNK_BYTES;
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  const told = view.getUint32(input.length - 4, true);
  return chunkBytes(Math.min(told + 1, input.length * GZIP_LARGEST_RATIO), maxBytes);
}

function chunkBytes(wanted: number, maxBytes: number): number {
  return Math.max(SMALLEST_CHUNK_BYTES, Math.min(wanted, maxBytes));
}

function withNode(run: () => Uint8Array, maxBytes: number): Uint8Array {
  try {
    return run();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new BadCompression(`more than ${maxBytes} bytes when decompressed`, "too-large");
    }
    throw new BadCompression(error instanceof Error ? error.message : String(error));
  }
}
