import { readFileSync } from "node:fs";
import { parquetMetadata } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { expect, test } from "vitest";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import { type Cell, cellAt, FrazilError, type NestedField, parseSchema } from "../../../table-format/index.ts";
import { NO_SOURCES, readParquetColumns } from "../../../table-format/parquet/reader.ts";

const FILES = [
  "plain-v1",
  "plain-v2",
  "dictionary-v1-snappy",
  "dictionary-v2-zstd",
  "delta-v1-none",
  "delta-v2-gzip",
] as const;

const list = (id: bigint, element: object | string) => ({
  type: "list",
  "element-id": id,
  "element-required": false,
  element,
});
const fields = (...each: readonly [bigint, string, object | string][]) =>
  each.map(([id, name, type]) => ({ id, name, required: false, type }));
const { fields: FIELDS } = parseSchema({
  type: "struct",
  fields: fields(
    [1n, "id", "long"],
    [2n, "small", "int"],
    [3n, "name", "string"],
    [4n, "flag", "boolean"],
    [5n, "ratio", "double"],
    [6n, "point", { type: "struct", fields: fields([7n, "x", "int"], [8n, "y", list(9n, "string")]) }],
    [10n, "tags", { type: "map", "key-id": 11n, key: "string", "value-id": 12n, value: "long", "value-required": false }],
    [13n, "total", "decimal(20, 3)"],
    [14n, "lists", list(15n, list(16n, "int"))],
  ) as never,
});

/** What `make.py` says. */
function rowOf(i: number): (Cell | null)[] {
  const none = i % 5 === 4;
  const point = { x: i % 4 === 0 ? null : i, y: [null, [], ["a", null], ["b"]][i % 4] ?? null };
  const tags = Array.from({ length: i % 4 }, (_, k) => [`k${k}`, k === 1 ? null : BigInt(i * k)]);
  return [
    BigInt(i) * 1_000_003n - 5n,
    none ? null : (i % 3) - 1,
    i % 7 === 3 ? null : `name-${Math.floor(i / 4)}`,
    none ? null : i % 2 === 0,
    none ? null : i / 8,
    i % 6 === 5 ? null : point,
    none ? null : tags,
    none ? null : BigInt(i - 20) * 125n,
    [null, [], [[]], [null, [1, null], [i]]][i % 4] ?? null,
  ];
}
const ROWS = Array.from({ length: 40 }, (_, i) => rowOf(i));

const bytesOf = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`${name}.parquet`, import.meta.url)));

async function rowsOf(bytes: Uint8Array, wanted: readonly NestedField[] = FIELDS): Promise<(Cell | null)[][]> {
  const io = createMemoryStorage();
  await io.write("mem://f.parquet", bytes);
  const rows: (Cell | null)[][] = [];
  const file = { filePath: "mem://f.parquet", fileSizeBytes: bytes.length };
  for await (const { length, columns } of readParquetColumns(io, file, wanted, NO_SOURCES)) {
    for (let row = 0; row < length; row++) rows.push(columns.map((column) => cellAt(column, row)));
  }
  return rows;
}

test.each(FILES)("%s holds the rows that PyArrow wrote", async (name) => {
  expect(await rowsOf(bytesOf(name))).toEqual(ROWS);
});

test.each(FILES)("%s gives some rows of columns that are read later", async (name) => {
  const io = createMemoryStorage();
  const bytes = bytesOf(name);
  await io.write("mem://f.parquet", bytes);
  const file = { filePath: "mem://f.parquet", fileSizeBytes: bytes.length };
  const isWanted = [(i: number) => i % 3 === 1, (i: number) => i === 39, (i: number) => i === 0 || i > 17, () => true];
  for await (const { start, length, more } of readParquetColumns(io, file, [], NO_SOURCES, undefined, undefined, FIELDS)) {
    for (const isChosen of isWanted) {
      const rows = Uint32Array.from({ length }, (_, row) => row).filter((row) => isChosen(start + row));
      const columns = await more(rows);
      const found = Array.from(rows, (_, k) => columns.map((column) => cellAt(column, k)));
      expect(found).toEqual(Array.from(rows, (row) => ROWS[start + row]));
      expect(columns.every((column) => column.length === rows.length)).toBe(true);
    }
  }
});

test("parts are found by id, whatever their name and order; missing ones have their default or are null", async () => {
  const wanted = parseSchema({
    type: "struct",
    fields: fields(
      [14n, "renamed", list(15n, list(16n, "long"))],
      [6n, "p", { type: "struct", fields: fields([99n, "new", "string"], [7n, "wide", "long"]) }],
      [98n, "added", { type: "struct", fields: fields([97n, "z", "int"]) }],
    ) as never,
  }).fields;
  const onlyNew = { ...wanted[1]!, type: { kind: "struct", fields: [(wanted[1]!.type as never as { fields: NestedField[] }).fields[0]!] } } as NestedField;
  const rows = await rowsOf(bytesOf("plain-v1"), [...wanted, onlyNew]);
  expect(rows[7]).toEqual([[null, [1n, null], [7n]], { new: null, wide: 7n }, null, { new: null }]);
  expect(rows[5]).toEqual([[], null, null, null]);
});

/** Where the bodies of a file's pages lie, which their checksums cover. */
function bodiesOf(bytes: Uint8Array): { start: number; end: number }[] {
  const bodies: { start: number; end: number }[] = [];
  for (const { columns } of parquetMetadata(bytes.buffer as ArrayBuffer).row_groups) {
    for (const { meta_data } of columns) {
      const { data_page_offset, dictionary_page_offset = data_page_offset, total_compressed_size } = meta_data!;
      const start = Number(dictionary_page_offset < data_page_offset ? dictionary_page_offset : data_page_offset);
      const reader = { view: new DataView(bytes.buffer), offset: start };
      while (reader.offset < start + Number(total_compressed_size)) {
        const { compressed_page_size } = parquetHeader(reader);
        bodies.push({ start: reader.offset, end: reader.offset + compressed_page_size });
        reader.offset += compressed_page_size;
      }
    }
  }
  return bodies;
}

test.each(FILES)("%s with a byte changed: in a page it is refused, elsewhere it is refused or read", async (name) => {
  const bytes = bytesOf(name);
  const bodies = bodiesOf(bytes);
  let inPages = 0;
  for (let at = 4; at < bytes.length; at += 11) {
    const broken = bytes.slice();
    broken[at] = broken[at]! ^ (1 << (at & 7));
    const inPage = bodies.some(({ start, end }) => at >= start && at < end);
    const outcome = await rowsOf(broken).catch((error: unknown) => error);
    if (outcome instanceof FrazilError) expect(outcome.message).toMatch(/^mem:\/\/f\.parquet: /);
    else expect([at, inPage, Array.isArray(outcome) || outcome]).toEqual([at, false, true]);
    if (inPage) inPages++;
  }
  expect(inPages).toBeGreaterThan(50);
});
