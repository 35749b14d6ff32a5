import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { unzstd } from "../../../../table-format/codec/zstd.ts";
import { compressZstd } from "../../../../table-format/parquet/compression.ts";
import { Dice, mutateBytes } from "../../../support/fuzz/mutate.ts";
import { anyContent } from "./contents.ts";

/** A frame that says its content's size, or not. */
function frame(content: Buffer, level: number, saysSize: boolean): Buffer {
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_contentSizeFlag]: saysSize ? 1 : 0,
    [constants.ZSTD_c_checksumFlag]: level % 2,
  };
  return zstdCompressSync(content, { params });
}

it("gives what zstd compressed, in one frame and several", () => {
  fc.assert(
    fc.property(anyContent, anyContent, fc.constantFrom(1, 3, 12), fc.boolean(), (first, second, level, saysSize) => {
      expect(Buffer.compare(unzstd(frame(first, level, saysSize), first.length), first)).toBe(0);
      const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2]);
      const both = Buffer.concat([frame(first, level, saysSize), skippable, frame(second, level, !saysSize)]);
      expect(Buffer.compare(unzstd(both, first.length + second.length), Buffer.concat([first, second]))).toBe(0);
    }),
    { numRuns: 80 },
  );
});

it("gives what our files hold", () => {
  const page = Buffer.from(Array.from({ length: 30_000 }, (_, k) => `${(k * 7919) % 5000},`).join(""));
  expect(Buffer.compare(unzstd(compressZstd(page), page.length), page)).toBe(0);
});

it("stops at the bound", () => {
  for (const saysSize of [true, false]) {
    expect(() => unzstd(frame(Buffer.alloc(1 << 22), 1, saysSize), 1000)).toThrow(/more than 1000 bytes/);
  }
});

it("stays within the bound, and ends, whatever the bytes", () => {
  const content = Buffer.from(Array.from({ length: 400 }, (_, k) => `row ${k * k};`).join(""));
  const dice = new Dice(11);
  for (let run = 0; run < 1500; run++) {
    const changed = mutateBytes(frame(content, 1, run % 2 === 0), dice);
    try {
      expect(unzstd(changed, 10_000).length).toBeLessThanOrEqual(10_000);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      expect((error as Error).name).not.toBe("AssertionError");
    }
  }
});
