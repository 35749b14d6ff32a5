import fc from "fast-check";
import { parquetMetadata } from "hyparquet";
import { expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import {
  batchOfRows,
  type CellStruct,
  cellAt,
  decodeVariant,
  encodeVariant,
  newSchema,
  openDataFileWriter,
  type Schema,
  Variant,
} from "../../../../table-format/index.ts";
import type { FileIO } from "../../../../table-format/io/file-io.ts";
import { NO_SOURCES, readParquetColumns } from "../../../../table-format/parquet/reader.ts";
import { list, map, struct } from "../../../support/nested-types.ts";
import { anyVariantValue } from "../variant/values.ts";

const AT = "memory://files/variants.parquet";
const variant = { kind: "variant" } as const;
const schema = newSchema(
  [
    { name: "id", required: true, type: { kind: "long" } },
    { name: "v", required: false, type: variant },
    { name: "r", required: true, type: variant },
    { name: "s", required: false, type: struct(["v", variant], ["n", { kind: "int" }]) },
    { name: "l", required: false, type: list(variant) },
    { name: "m", required: false, type: map({ kind: "string" }, variant) },
    { name: "g", required: false, type: { kind: "geometry", crs: "OGC:CRS84" } },
    { name: "h", required: false, type: { kind: "geography", crs: "srid:4326", algorithm: "karney" } },
  ],
  ["id"],
);
const NULL = encodeVariant({ kind: "null" });

async function write(io: FileIO, rows: readonly CellStruct[], size = 1 << 25) {
  const writer = openDataFileWriter({ schema, output: await io.openWrite(AT), rowGroupSizeBytes: size });
  await writer.write(batchOfRows(schema, rows));
  return writer.finish();
}

async function read(io: FileIO, { fields }: Schema = schema): Promise<CellStruct[]> {
  const file = { filePath: AT, fileSizeBytes: (await io.stat(AT))?.sizeBytes ?? 0 };
  const rows: CellStruct[] = [];
  for await (const { length, columns } of readParquetColumns(io, file, fields, NO_SOURCES)) {
    for (let row = 0; row < length; row++) {
      rows.push(Object.fromEntries(columns.map((column, k) => [fields[k]?.name ?? "", cellAt(column, row)])));
    }
  }
  return rows;
}

const row = (id: bigint, rest: CellStruct): CellStruct => ({
  ...{ id, v: null, r: NULL, s: null, l: null, m: null, g: null, h: null },
  ...rest,
});

test("variants are read byte for byte as they were written, wherever they stand", async () => {
  const anyVariant = anyVariantValue(2).map(encodeVariant);
  const orNull = fc.option(anyVariant, { nil: null });
  const shape = fc.option(fc.uint8Array({ maxLength: 9 }), { nil: null });
  const anyRow = fc.record({
    id: fc.bigInt({ min: 0n, max: 99n }),
    v: orNull,
    r: anyVariant,
    s: fc.option(fc.record({ v: orNull, n: fc.constantFrom(null, 1) }), { nil: null }),
    l: fc.option(fc.array(orNull, { maxLength: 3 }), { nil: null }),
    m: fc.option(fc.array(fc.tuple(fc.string(), orNull), { maxLength: 3 }), { nil: null }),
    g: shape,
    h: shape,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(anyRow, { maxLength: 12 }), fc.constantFrom(200, 1 << 25), async (rows, size) => {
      const io = createMemoryStorage();
      await write(io, rows, size);
      expect(await read(io)).toEqual(rows);
    }),
    { numRuns: 30 },
  );
});

test("null, a variant that holds null, and a field that is missing are three things", async () => {
  const io = createMemoryStorage();
  const empty = encodeVariant({ kind: "object", fields: new Map() });
  const written = await write(io, [row(1n, { v: null }), row(2n, { v: NULL }), row(3n, { v: empty })]);
  const found = (await read(io)).map(({ v }) => (v === null ? null : decodeVariant(v as Variant)));
  expect(found).toEqual([null, { kind: "null" }, { kind: "object", fields: new Map() }]);
  // Columns of variants and shapes are counted; what their bytes would say as bounds is not said.
  const { valueCounts, nullValueCounts, lowerBounds, upperBounds } = written;
  expect([valueCounts?.get(2), nullValueCounts?.get(2), nullValueCounts?.get(3)]).toEqual([3n, 1n, 0n]);
  expect(nullValueCounts?.get(7)).toBe(3n);
  expect([...(lowerBounds?.keys() ?? []), ...(upperBounds?.keys() ?? [])]).toEqual([1, 1]);
});

test("the file says what its columns are", async () => {
  const io = createMemoryStorage();
  await write(io, [row(1n, { g: Uint8Array.of(1), h: Uint8Array.of(2) })]);
  const { schema: elements, row_groups: groups } = parquetMetadata((await io.read(AT)).slice().buffer, {
    geoparquet: false,
  });
  const named = (name: string) => elements.find((each) => each.name === name);
  expect(named("v")).toMatchObject({ logical_type: { type: "VARIANT" }, field_id: 2, num_children: 2 });
  expect(elements.filter(({ name }) => name === "metadata").every(({ field_id: id }) => id === undefined)).toBe(true);
  expect(named("g")?.logical_type).toEqual({ type: "GEOMETRY", crs: "OGC:CRS84" });
  expect(named("h")?.logical_type).toEqual({ type: "GEOGRAPHY", crs: "srid:4326", algorithm: "KARNEY" });
  const bounded = groups.flatMap(({ columns }) =>
    columns.flatMap(({ meta_data: data }) =>
      data?.statistics?.min_value === undefined ? [] : [data.path_in_schema.join(".")],
    ),
  );
  expect(bounded).toEqual(["id"]);
});

test.each<[CellStruct, RegExp]>([
  [{ r: null }, /column r is required, found null in it/],
  [{ v: { a: 1 } }, /column v: expected a Variant for variant, found an object/],
  [{ s: { v: NULL, n: NULL } }, /column s\.n: .*int/],
  [{ l: [new Variant(Uint8Array.of(1, 0, 0), Uint8Array.of(0, 0))] }, /column l\.element: byte 1 of the value/],
  [{ g: "POINT (1 2)" }, /column g: expected a Uint8Array of well-known binary for geometry\(OGC:CRS84\)/],
])("rows such as %o are not written", async (cells, message) => {
  await expect(write(createMemoryStorage(), [row(1n, cells)])).rejects.toThrow(message);
});

test("broken bytes in a file are refused by file, column, entry and byte", async () => {
  const io = createMemoryStorage();
  // Written as a struct of bytes, which has the same shape.
  const bytes = newSchema(
    [
      {
        name: "v",
        required: false,
        type: struct(["metadata", { kind: "binary" }, true], ["value", { kind: "binary" }, true]),
      },
    ],
    [],
  );
  const writer = openDataFileWriter({ schema: bytes, output: await io.openWrite(AT) });
  const metadata = Uint8Array.of(1, 0, 0);
  const rows = [{ v: { metadata, value: Uint8Array.of(0) } }, { v: { metadata, value: Uint8Array.of(3, 1, 0, 7, 0) } }];
  await writer.write(batchOfRows(bytes, rows));
  await writer.finish();
  const wanted = newSchema([{ name: "v", required: false, type: variant }], []);
  await expect(read(io, wanted)).rejects.toMatchObject({
    kind: "corrupt",
    message: `${AT}: column v, entry 1 of its row group: byte 3 of the value: expected elements that end by byte 5, found the offset 7`,
  });
  const other = newSchema([{ name: "v", required: false, type: { kind: "geometry", crs: "x" } }], []);
  await expect(read(io, other)).rejects.toThrow(/column v: expected geometry\(x\), found a struct/);
});
