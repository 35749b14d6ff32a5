import { constants, crc32 as nodeCrc32, deflateRawSync, gzipSync, inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { expect, it } from "vitest";
import { plainCrc32 } from "../../../../table-format/codec/crc32.ts";
import { gunzip, inflate } from "../../../../table-format/codec/inflate.ts";
import { Dice, mutateBytes } from "../../../support/fuzz/mutate.ts";
import { anyContent } from "./contents.ts";

const LEVELS = fc.constantFrom(0, 1, 6, 9);
const STRATEGIES = fc.constantFrom(
  constants.Z_DEFAULT_STRATEGY,
  constants.Z_FIXED,
  constants.Z_HUFFMAN_ONLY,
  constants.Z_RLE,
);

it("gives what zlib deflated, by each kind of block", () => {
  fc.assert(
    fc.property(anyContent, LEVELS, STRATEGIES, fc.nat(3), (content, level, strategy, before) => {
      const deflated = deflateRawSync(content, { level, strategy });
      const input = Buffer.concat([Buffer.alloc(before, 0xff), deflated, Buffer.from("behind")]);
      const { bytes, end } = inflate(input, before, content.length);
      expect(Buffer.compare(bytes, content)).toBe(0);
      expect(end).toBe(before + deflated.length);
    }),
    { numRuns: 150 },
  );
});

it("gives the members of a gzip file, and what is padding is none", () => {
  fc.assert(
    fc.property(anyContent, anyContent, (first, second) => {
      const input = Buffer.concat([gzipSync(first), gzipSync(second), Buffer.alloc(5)]);
      const bytes = gunzip(input, first.length + second.length);
      expect(Buffer.compare(bytes, Buffer.concat([first, second]))).toBe(0);
    }),
    { numRuns: 40 },
  );
});

it("reads the parts of a gzip header that zlib does not write", () => {
  const plain = gzipSync("content");
  const parts = [Buffer.from([3, 0, 1, 2, 3]), Buffer.from("name\0"), Buffer.from("remark\0"), Buffer.from([9, 9])];
  const header = plain.subarray(0, 10);
  header[3] = 2 + 4 + 8 + 16;
  const bytes = gunzip(Buffer.concat([header, ...parts, plain.subarray(10)]), 100);
  expect(Buffer.from(bytes).toString()).toBe("content");
});

it("stops at the bound", () => {
  const bomb = deflateRawSync(Buffer.alloc(1 << 24));
  expect(() => inflate(bomb, 0, 1000)).toThrow(RangeError);
  expect(inflate(bomb, 0, 1 << 24).bytes.length).toBe(1 << 24);
  expect(() => gunzip(gzipSync(Buffer.alloc(2000)), 1999)).toThrow(RangeError);
});

it("notices changed bytes of gzip, and takes changed DEFLATE as zlib does", () => {
  const content = Buffer.from(Array.from({ length: 400 }, (_, k) => `row ${k * k};`).join(""));
  const [gzipped, deflated] = [gzipSync(content), deflateRawSync(content)];
  const dice = new Dice(7);
  const outcome = (run: () => Uint8Array): string => {
    try {
      return Buffer.from(run()).toString("hex");
    } catch {
      return "refused";
    }
  };
  for (let run = 0; run < 1500; run++) {
    const whole = outcome(() => gunzip(mutateBytes(gzipped, dice), content.length));
    if (whole !== "refused") expect(whole).toBe(content.toString("hex"));
    const changed = mutateBytes(deflated, dice);
    const ours = outcome(() => inflate(changed, 0, 10_000).bytes);
    const theirs = outcome(() => inflateRawSync(changed, { maxOutputLength: 10_000 }));
    // zlib also refuses codes that are incomplete and not used.
    if (theirs !== "refused") expect(ours).toBe(theirs);
  }
});

it("computes CRC-32", () => {
  fc.assert(
    fc.property(anyContent, (content) => {
      expect(plainCrc32(content)).toBe(nodeCrc32(content));
    }),
    { numRuns: 40 },
  );
});
