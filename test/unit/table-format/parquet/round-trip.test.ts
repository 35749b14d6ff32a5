import fc from "fast-check";
import { expect, it } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import type { FileIO } from "../../../../table-format/io/file-io.ts";
import { openDataFileWriter } from "../../../../table-format/parquet/hyparquet-encoder.ts";
import { readDataFileRows } from "../../../../table-format/parquet/reader.ts";
import type { PrimitiveType, Schema } from "../../../../table-format/schema/types.ts";
import { ALL_TYPES, anyRows, valuesOf } from "../columns.ts";
import { batchOf, readFile, schemaOf, writeFile } from "./files.ts";

const AT = "memory://files/data.parquet";
const LONG: PrimitiveType = { kind: "long" };
const STRING: PrimitiveType = { kind: "string" };

/** Two batches of all types: optional columns with any nulls, required ones without. */
const anyFile = fc.integer({ min: 1, max: 90 }).chain((length) => {
  const optional = ALL_TYPES.map((type) => anyRows(type, length));
  const required = ALL_TYPES.map((type) => anyRows(type, length).filter((rows) => !rows.includes(null)));
  return fc.tuple(fc.tuple(...optional, ...required), fc.tuple(...optional, ...required));
});

it("gives back every value of every type, over batches and row groups", async () => {
  const schema = schemaOf([...ALL_TYPES, ...ALL_TYPES.map((type) => ({ ...type, required: true }))]);
  await fc.assert(
    fc.asyncProperty(anyFile, fc.constantFrom(1000, 20_000, 1 << 25), async ([first, second], groupBytes) => {
      const io = createMemoryStorage();
      const batches = [batchOf(schema, first), batchOf(schema, second)];
      const file = await writeFile(io, AT, schema, batches, groupBytes);
      const { columns, groups } = await readFile(io, AT, schema);
      expect(columns).toEqual(first.map((rows, k) => [...rows, ...(second[k] ?? [])]));
      const rows = (first[0] ?? []).length + (second[0] ?? []).length;
      expect(file.recordCount).toBe(BigInt(rows));
      expect(file.fileSizeBytes).toBe(BigInt((await io.stat(AT))?.sizeBytes ?? 0));
      expect(file.splitOffsets?.length).toBe(groups.length);
      for (const [k, nulls] of file.nullValueCounts ?? []) {
        expect(nulls).toBe(BigInt((columns[k - 1] ?? []).filter((value) => value === null).length));
        expect(file.valueCounts?.get(k)).toBe(BigInt(rows));
      }
    }),
    { numRuns: 25 },
  );
});

it("ends row groups by size, splitting a large batch", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([LONG]);
  const rows = Array.from({ length: 10_000 }, (_, k) => BigInt(k));
  const file = await writeFile(io, AT, schema, [batchOf(schema, [rows]), batchOf(schema, [rows])], 24_000);
  const { columns, groups } = await readFile(io, AT, schema);
  expect(groups).toEqual([3000, 3000, 3000, 3000, 3000, 3000, 2000]);
  expect(columns[0]).toEqual([...rows, ...rows]);
  const offsets = file.splitOffsets ?? [];
  expect(offsets[0]).toBe(4n);
  expect(offsets).toEqual([...offsets].sort((a, b) => Number(a - b)));
  expect(Number(offsets.at(-1))).toBeLessThan(Number(file.fileSizeBytes));
});

it("keeps pages and dictionaries right in columns of many rows", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([LONG, STRING, STRING, { kind: "boolean" }]);
  const length = 150_000;
  const columns = [
    Array.from({ length }, (_, k) => (k % 7 === 0 ? null : BigInt(k) * 3_000_000_007n)),
    Array.from({ length }, (_, k) => (k % 3 === 0 ? null : `city ${(k * 31) % 700}`)),
    Array.from({ length }, (_, k) => `some text that is never the same: ${k}`),
    Array.from({ length }, (_, k) => (k % 5 === 0 ? null : k % 2 === 0)),
  ];
  await writeFile(io, AT, schema, [batchOf(schema, columns)]);
  expect((await readFile(io, AT, schema)).columns).toEqual(columns);
});

it("tells 0.0 from -0.0 where values repeat", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([{ kind: "double" }, { kind: "float" }]);
  const zeros = Array.from({ length: 3000 }, (_, k) => (k % 3 === 0 ? -0 : 0));
  await writeFile(io, AT, schema, [batchOf(schema, [zeros, zeros])]);
  expect((await readFile(io, AT, schema)).columns).toEqual([zeros, zeros]);
});

it("writes a file without rows", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([LONG, STRING]);
  const file = await writeFile(io, AT, schema, []);
  expect(file.recordCount).toBe(0n);
  expect(file.splitOffsets).toBeNull();
  expect(await readFile(io, AT, schema)).toEqual({ columns: [[], []], groups: [] });
});

it("leaves out columns of type unknown and reads them as nulls", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([LONG, { kind: "unknown" }, STRING]);
  await writeFile(io, AT, schema, [
    batchOf(schema, [
      [1n, 2n],
      [null, null],
      ["a", "b"],
    ]),
  ]);
  expect((await readFile(io, AT, schema)).columns).toEqual([
    [1n, 2n],
    [null, null],
    ["a", "b"],
  ]);
});

it("says what it has written and estimates what it holds", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([LONG]);
  const writer = openDataFileWriter({ schema, output: await io.openWrite(AT), rowGroupSizeBytes: 8000 });
  const batch = batchOf(schema, [Array.from({ length: 700 }, (_, k) => BigInt(k))]);
  await writer.write(batch);
  const held = writer.estimatedBytes;
  expect(held).toBeGreaterThan(0);
  await writer.write(batch);
  expect(writer.recordCount).toBe(1400);
  const { fileSizeBytes } = await writer.finish();
  expect(writer.estimatedBytes).toBe(Number(fileSizeBytes));
});

it("drops the file when aborted", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([LONG]);
  const writer = openDataFileWriter({ schema, output: await io.openWrite(AT) });
  await writer.write(batchOf(schema, [[1n]]));
  await writer.abort();
  expect(await io.stat(AT)).toBeNull();
});

it("refuses nulls in required columns, nested columns and batches of another shape", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([{ ...LONG, required: true }]);
  const writer = openDataFileWriter({ schema, output: await io.openWrite(AT) });
  const nulls = batchOf(schemaOf([LONG]), [[1n, null]]);
  await expect(writer.write(nulls)).rejects.toMatchObject({ kind: "data", code: "NULL_IN_REQUIRED" });
  await expect(writer.write({ length: 1, columns: [] })).rejects.toMatchObject({ kind: "internal" });
  const nested: Schema = {
    ...schema,
    fields: [{ id: 1, name: "s", required: false, type: { kind: "struct", fields: [] } }],
  };
  const output = await io.openWrite(AT);
  expect(() => openDataFileWriter({ schema: nested, output })).toThrow(
    expect.objectContaining({ kind: "unsupported" }),
  );
});

/** A store that notes what is read. */
function watched(io: FileIO): { io: FileIO; reads: [number, number][] } {
  const reads: [number, number][] = [];
  const readRange: FileIO["readRange"] = (location, offset, length) => {
    reads.push([offset, length]);
    return io.readRange(location, offset, length);
  };
  return { io: Object.assign(Object.create(io) as FileIO, { readRange }), reads };
}

it("reads the chunks asked for and no others", async () => {
  const { io, reads } = watched(createMemoryStorage());
  const schema = schemaOf([LONG, { kind: "binary" }, LONG]);
  let seed = 1;
  const noise = (): Uint8Array => Uint8Array.from({ length: 1000 }, () => (seed = (seed * 48271) % 0x7fffffff) & 0xff);
  const rows = Array.from({ length: 2000 }, (_, k) => BigInt(k));
  await writeFile(io, AT, schema, [batchOf(schema, [rows, rows.map(noise), rows])]);
  const size = (await io.stat(AT))?.sizeBytes ?? 0;
  expect(size).toBeGreaterThan(1_900_000);
  const { columns } = await readFile(io, AT, schema, [3, 1]);
  expect(columns).toEqual([rows, rows]);
  // The footer, and one read for each of two chunks that lie far apart.
  expect(reads.length).toBe(3);
  expect(reads.reduce((sum, [, length]) => sum + length, 0)).toBeLessThan(120_000);
});

it("reads rows by position from the row groups that hold them", async () => {
  const { io, reads } = watched(createMemoryStorage());
  const schema = schemaOf([LONG, STRING]);
  const rows = Array.from({ length: 3000 }, (_, k) => BigInt(k));
  await writeFile(io, AT, schema, [batchOf(schema, [rows, rows.map((k) => `v${k}`)])], 20_000);
  const file = { filePath: AT, fileSizeBytes: BigInt((await io.stat(AT))?.sizeBytes ?? 0) };
  const { columns, length } = await readDataFileRows(io, file, schema, [2], Uint32Array.of(0, 1, 2500, 2999));
  expect(length).toBe(4);
  expect(columns.map(valuesOf)).toEqual([["v0", "v1", "v2500", "v2999"]]);
  expect(reads.length).toBeLessThan(5);
  const beyond = readDataFileRows(io, file, schema, [2], Uint32Array.of(3000));
  await expect(beyond).rejects.toMatchObject({ kind: "corrupt" });
});

it("never takes changed bytes of a page for values", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([LONG, STRING]);
  // Values that do not compress: where nothing is predicted, a changed byte is a changed value to the decompressor.
  const longs = Array.from({ length: 500 }, (_, k) => BigInt.asIntN(64, 0x9e3779b97f4a7c15n * BigInt(k + 1)));
  const texts = longs.map((value) => value.toString(36));
  await writeFile(io, AT, schema, [batchOf(schema, [longs, texts])]);
  const bytes = await io.read(AT);
  const { columns } = await readFile(io, AT, schema);
  let refused = 0;
  for (let at = 100; at < 4_000; at += 13) {
    const damaged = bytes.slice();
    damaged[at] = (damaged[at] as number) ^ 0x10;
    await io.write(AT, damaged);
    const read = await readFile(io, AT, schema).catch(() => null);
    if (read === null) refused++;
    else expect(read.columns, `byte ${at}`).toEqual(columns);
  }
  expect(refused).toBeGreaterThan(250);
});
