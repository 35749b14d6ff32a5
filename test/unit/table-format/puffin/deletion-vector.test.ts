import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import {
  decodeDeletionVector,
  encodeDeletionVector,
  isDeletionVector,
  readDeletionVector,
  readDeletionVectors,
  writeDeletionVectors,
} from "../../../../table-format/puffin/deletion-vector.ts";
import { RoaringBitmap } from "../../../../table-format/puffin/roaring.ts";
import { dataFile } from "../data-file.ts";

test("a vector has the bytes of the Puffin specification", () => {
  const blob = encodeDeletionVector(RoaringBitmap.from([1, 3]));
  expect(Buffer.from(blob).toString("hex")).toBe(
    [
      "00000024", // 36 bytes follow, up to the checksum
      "d1d33964",
      "0100000000000000", // one 32-bit bitmap
      "00000000", // of key 0
      "3a300000" + "01000000", // no runs, one container
      "0000" + "0100", // key 0, two values
      "10000000", // which lie at byte 16
      "0100" + "0300",
      "683497a9", // CRC-32 (by zlib of CPython)
    ].join(""),
  );
});

const golden = new URL("../../../golden/deletion-vectors/", import.meta.url);
const range = (from: number, to: number, step = 1) =>
  Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step);

test.each([
  ["small-alternating", [1, 3, 5, 7, 9]],
  ["one-run", range(10, 100_000)],
  ["dense", range(0, 200_000).filter((position) => position % 3 !== 0)],
  ["sparse-high", [0, 65_535, 65_536, 1_000_000, 4_294_967_295]],
  ["mixed", [...range(5, 5000), ...range(70_000, 133_000, 7), 300_001, ...range(400_000, 600_000)]],
])("CRoaring's vector %s is read, and written byte for byte", (name, positions) => {
  const bytes = readFileSync(new URL(`${name}.bin`, golden));
  expect([...decodeDeletionVector(bytes, name).toArray()]).toEqual(positions);
  expect(Buffer.from(encodeDeletionVector(RoaringBitmap.from(positions))).equals(bytes)).toBe(true);
});

test("empty bitmaps of higher keys are read, positions in them refused", () => {
  const bytes = readFileSync(new URL("empty-key.bin", golden));
  expect([...decodeDeletionVector(bytes, "x").toArray()]).toEqual([2, 4]);
});

test("several vectors share one Puffin file and are read by offset", async () => {
  const io = createMemoryStorage();
  const first = dataFile({ filePath: "mem://t/data/1.parquet" });
  const second = dataFile({ filePath: "mem://t/data/2.parquet" });
  const files = await writeDeletionVectors(io, "mem://t/data/dv.puffin", [
    { dataFile: first, bitmap: RoaringBitmap.from([5, 6]) },
    { dataFile: second, bitmap: RoaringBitmap.from([70_000]) },
  ]);
  expect(files.map((file) => [file.referencedDataFile, file.recordCount, isDeletionVector(file)])).toEqual([
    [first.filePath, 2n, true],
    [second.filePath, 1n, true],
  ]);
  expect([...(await readDeletionVector(io, files[0]!)).toArray()]).toEqual([5, 6]);
  expect([...(await readDeletionVector(io, files[1]!)).toArray()]).toEqual([70_000]);

  const bytes = Buffer.from(await io.read("mem://t/data/dv.puffin"));
  expect(bytes.subarray(0, 4).toString()).toBe("PFA1");
  expect(bytes.subarray(-4).toString()).toBe("PFA1");
  const size = bytes.readUInt32LE(bytes.length - 12);
  const start = bytes.length - 12 - size;
  expect(bytes.subarray(start - 4, start).toString()).toBe("PFA1");
  const footer = JSON.parse(bytes.subarray(start, start + size).toString());
  expect(footer.blobs[1]).toEqual({
    type: "deletion-vector-v1",
    fields: [2147483645],
    "snapshot-id": -1,
    "sequence-number": -1,
    offset: Number(files[1]!.contentOffset),
    length: Number(files[1]!.contentSizeBytes),
    properties: { "referenced-data-file": second.filePath, cardinality: "1" },
  });
});

test("many vectors come in few requests, in the order asked", async () => {
  const io = createMemoryStorage();
  const write = (location: string, count: number, step: number) =>
    writeDeletionVectors(
      io,
      location,
      Array.from({ length: count }, (_, i) => ({
        dataFile: dataFile({ filePath: `mem://t/${i}` }),
        bitmap: RoaringBitmap.from(range(0, 200_000, step + i)),
      })),
    );
  const files = [...(await write("mem://t/a.puffin", 30, 2)), ...(await write("mem://t/b.puffin", 3, 5))].reverse();
  const ranges: string[] = [];
  const readRange = io.readRange.bind(io);
  io.readRange = (location, offset, length) => {
    ranges.push(location);
    return readRange(location, offset, length);
  };
  const bitmaps = await readDeletionVectors(io, files);
  expect(ranges.sort()).toEqual(["mem://t/a.puffin", "mem://t/b.puffin"]);
  for (const [i, file] of files.entries()) {
    expect([...bitmaps[i]!.toArray()]).toEqual([...(await readDeletionVector(io, file)).toArray()]);
  }
  // Far apart: the bytes between cost more than a request.
  ranges.length = 0;
  await readDeletionVectors(io, [files.at(-1)!, files[3]!]);
  expect(ranges).toEqual(["mem://t/a.puffin", "mem://t/a.puffin"]);
  expect(await readDeletionVectors(io, [])).toEqual([]);
});

test("a damaged vector is refused, with the reason", () => {
  const blob = encodeDeletionVector(RoaringBitmap.from([1, 3]));
  const broken = (at: number) => {
    const copy = blob.slice();
    copy[at]! ^= 1;
    return copy;
  };
  expect(() => decodeDeletionVector(broken(3), "dv")).toThrow(/length/);
  expect(() => decodeDeletionVector(broken(4), "dv")).toThrow(/magic/);
  expect(() => decodeDeletionVector(broken(30), "dv")).toThrow(/checksum/);
  expect(() => decodeDeletionVector(blob.subarray(0, 10), "dv")).toThrow(/at least/);
});
