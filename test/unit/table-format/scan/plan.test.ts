import { expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import type { DataFile, LiveFile } from "../../../../table-format/index.ts";
import { RoaringBitmap } from "../../../../table-format/puffin/roaring.ts";
import { deletedPositions } from "../../../../table-format/scan/deleted-positions.ts";
import { matchDeletes } from "../../../../table-format/scan/plan.ts";
import { readPositionDeletes, writePositionDeletes } from "../../../../table-format/scan/position-deletes.ts";
import { dataFile } from "../data-file.ts";

const live = (sequenceNumber: bigint, given: Partial<DataFile>): LiveFile => ({
  file: dataFile(given),
  snapshotId: 1n,
  sequenceNumber,
  fileSequenceNumber: sequenceNumber,
});
const positionDeletes = (sequenceNumber: bigint, filePath: string, given: Partial<DataFile> = {}) =>
  live(sequenceNumber, { content: "position-deletes", filePath, ...given });
const vector = (sequenceNumber: bigint, filePath: string, of: string) =>
  positionDeletes(sequenceNumber, filePath, {
    fileFormat: "PUFFIN",
    referencedDataFile: of,
    contentOffset: 4n,
    contentSizeBytes: 9n,
  });
const names = (dataFiles: LiveFile[], deletes: LiveFile[]) =>
  Object.fromEntries(
    [...matchDeletes(dataFiles, deletes)].map(([path, files]) => [path, files.map(({ file }) => file.filePath)]),
  );

test("position deletes apply to files of their partition that are not newer", () => {
  const inA = { specId: 1, partition: ["a"] };
  const dataFiles = [
    live(3n, { filePath: "old", ...inA }),
    live(5n, { filePath: "same commit", ...inA }),
    live(6n, { filePath: "new", ...inA }),
    live(3n, { filePath: "elsewhere", specId: 1, partition: ["b"] }),
    live(3n, { filePath: "other spec", specId: 2, partition: ["a"] }),
  ];
  expect(names(dataFiles, [positionDeletes(5n, "d", inA)])).toEqual({ old: ["d"], "same commit": ["d"] });
});

test("those about one file apply to that file alone", () => {
  const dataFiles = [live(3n, { filePath: "A" }), live(3n, { filePath: "B" })];
  const path = new Map([[2147483546, Buffer.from("B")]]);
  const deletes = [
    positionDeletes(4n, "referenced", { referencedDataFile: "A" }),
    positionDeletes(4n, "bounded", { lowerBounds: path, upperBounds: path }),
    positionDeletes(2n, "older", { referencedDataFile: "A" }),
    positionDeletes(4n, "gone", { referencedDataFile: "C" }),
  ];
  expect(names(dataFiles, deletes)).toEqual({ A: ["referenced"], B: ["bounded"] });
});

test("beside a vector no position delete file counts; one of the same commit does", () => {
  const dataFiles = [live(3n, { filePath: "A" }), live(3n, { filePath: "B" })];
  expect(names(dataFiles, [positionDeletes(4n, "d"), vector(3n, "v", "A")])).toEqual({ A: ["v"], B: ["d"] });
});

test("equality deletes are not position deletes", () => {
  expect(names([live(3n, { filePath: "A" })], [live(4n, { content: "equality-deletes", filePath: "e" })])).toEqual({});
});

test("a position delete file is read as it was written, with whole paths as bounds", async () => {
  const io = createMemoryStorage();
  const target = dataFile({ filePath: `mem://t/data/${"long/".repeat(20)}f.parquet`, partition: [] });
  const positions = [0, 7, 65_536, 99_999, 4_000_000_000];
  const file = await writePositionDeletes(io, "mem://t/data/d.parquet", target, RoaringBitmap.from(positions));
  expect(file).toMatchObject({ content: "position-deletes", recordCount: 5n, referencedDataFile: target.filePath });
  const text = (bounds: DataFile["lowerBounds"]) => Buffer.from(bounds!.get(2147483546)!).toString();
  expect([text(file.lowerBounds), text(file.upperBounds)]).toEqual([target.filePath, target.filePath]);
  const read = await readPositionDeletes(io, file);
  expect([...read].map(([path, bitmap]) => [path, [...bitmap.toArray()]])).toEqual([[target.filePath, positions]]);

  const more = await writePositionDeletes(io, "mem://t/data/e.parquet", target, RoaringBitmap.from([7, 8]));
  const all = await deletedPositions(io).of(
    target,
    [file, more].map((each) => ({ ...live(1n, {}), file: each })),
  );
  expect([...all.toArray()]).toEqual([0, 7, 8, 65_536, 99_999, 4_000_000_000]);
});
