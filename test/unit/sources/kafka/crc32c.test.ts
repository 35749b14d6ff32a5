import { expect, test } from "vitest";
import { crc32c } from "../../../../src/sources/kafka/crc32c.ts";

const ascending = Buffer.from(Array.from({ length: 32 }, (_, i) => i));

// The vectors of RFC 3720, appendix B.4, and the usual check value.
test.each([
  ["32 zeros", Buffer.alloc(32), 0x8a9136aa],
  ["32 ones", Buffer.alloc(32, 0xff), 0x62a8ab43],
  ["32 ascending", ascending, 0x46dd794e],
  ["32 descending", Buffer.from(ascending).reverse(), 0x113fdb5c],
  ["digits", Buffer.from("123456789"), 0xe3069283],
  ["nothing", Buffer.alloc(0), 0],
])("checksum of %s", (_, bytes, expected) => expect(crc32c(bytes, 0, bytes.length)).toBe(expected));

test("the checksum does not depend on how the bytes lie in memory", () => {
  const bytes = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 31) & 255));
  const byByte = (start: number, end: number): number => {
    let crc = 0xffffffff;
    for (let at = start; at < end; at++) {
      crc ^= bytes[at] as number;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    }
    return ~crc >>> 0;
  };
  for (let start = 0; start < 20; start++) {
    for (let end = start; end < start + 60; end++) expect(crc32c(bytes, start, end)).toBe(byByte(start, end));
  }
});
