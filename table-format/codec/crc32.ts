import { zlib } from "./node-modules.ts";

/** CRC-32 as of gzip and zip, unsigned. */
export const crc32: (bytes: Uint8Array) => number = zlib === null ? plainCrc32 : zlib.crc32;

let table: Int32Array | null = null;

/** The same, computed here. */
export function plainCrc32(bytes: Uint8Array): number {
  table ??= Int32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest & 1) === 0 ? rest >>> 1 : (rest >>> 1) ^ 0xedb88320;
    return rest;
  });
  let crc = -1;
  for (let at = 0; at < bytes.length; at++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[at] as number)) & 0xff] as number);
  }
  return (crc ^ -1) >>> 0;
}
