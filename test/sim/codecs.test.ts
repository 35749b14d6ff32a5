import * as zlib from "node:zlib";
import { expect, test } from "vitest";
import { storeUncompressed } from "./world/codecs.ts";

test("what the simulation stores uncompressed is Zstandard and Deflate all the same", () => {
  const { zstdCompressSync, zstdDecompressSync, deflateRawSync, inflateRawSync } = { ...zlib };
  storeUncompressed();
  for (const length of [0, 1, 65_535, 65_536, 200_000]) {
    const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 7) % 251));
    expect(zstdDecompressSync(zlib.zstdCompressSync(bytes)).equals(bytes)).toBe(true);
    expect(inflateRawSync(zlib.deflateRawSync(bytes)).equals(bytes)).toBe(true);
    expect(zlib.zstdDecompressSync(zlib.zstdCompressSync(bytes)).equals(bytes)).toBe(true);
    expect(zlib.inflateRawSync(zlib.deflateRawSync(bytes)).equals(bytes)).toBe(true);
    // What the real ones have made is left to them.
    expect(zlib.zstdDecompressSync(zstdCompressSync(bytes)).equals(bytes)).toBe(true);
    expect(zlib.inflateRawSync(deflateRawSync(bytes)).equals(bytes)).toBe(true);
  }
});
