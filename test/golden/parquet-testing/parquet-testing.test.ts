import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import {
  type Cell,
  cellAt,
  decodeVariant,
  encodeVariant,
  type NestedField,
  type Type,
  Variant,
  variantJson,
} from "../../../table-format/index.ts";
import { NO_SOURCES, readParquetColumns } from "../../../table-format/parquet/reader.ts";
import { bytesOfHex } from "../../../table-format/values/hex.ts";
import { NAME_MAPPING_PROPERTY, nameMapping } from "../../../table-format/schema/name-mapping.ts";

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");

/** Top-level columns of a file, found by name where it has no ids. */
async function columns(
  bytes: Uint8Array,
  types: Readonly<Record<string, Type>>,
  firstId = 1,
): Promise<(Cell | null)[][]> {
  const io = createMemoryStorage();
  const filePath = "memory://files/golden.parquet";
  const output = await io.openWrite(filePath);
  await output.write(bytes);
  await output.close();
  const fields = Object.entries(types).map(([name, type], k): NestedField => ({ id: firstId + k, name, required: false, type }));
  const text = JSON.stringify(fields.map(({ id, name }) => ({ "field-id": id, names: [name] })));
  const mapping = nameMapping(new Map([[NAME_MAPPING_PROPERTY, text]]));
  const out: (Cell | null)[][] = fields.map(() => []);
  const file = { filePath, fileSizeBytes: bytes.length };
  for await (const batch of readParquetColumns(io, file, fields, { ...NO_SOURCES, mapping })) {
    for (let row = 0; row < batch.length; row++) {
      for (const [k, column] of batch.columns.entries()) out[k]?.push(cellAt(column, row));
    }
  }
  return out;
}

const LONG =
  "This string is longer than 64 bytes and therefore does not fit in a short_string and it also includes several non ascii characters such as 🐢, 💖, ♥️, 🎣 and 🤦!!";
/** `data_dictionary.json`, exactly. */
const EXPECTED: Readonly<Record<string, string>> = {
  array_empty: "[]",
  array_nested:
    '[{"id":1,"thing":{"names":["Contrarian","Spider"]}},null,{"id":2,"names":["Apple","Ray",null],"type":"if"}]',
  array_primitive: "[2,1,5,9]",
  long_string:
    '"This string is for sure and certainly longer than 64 bytes and it also includes several non ascii characters such as 🐢, 💖, ♥️, 🎣 and 🤦!!"',
  object_empty: "{}",
  object_nested:
    '{"id":1,"observation":{"location":"In the Volcano","time":"12:34:56","value":{"humidity":456,"temperature":123}},"species":{"name":"lava monster","population":6789}}',
  object_primitive:
    '{"boolean_false_field":false,"boolean_true_field":true,"double_field":1.23456789,"int_field":1,"null_field":null,"string_field":"Apache Parquet","timestamp_field":"2025-04-16T12:34:56.78"}',
  primitive_binary: '"AxM33q2+78r+"',
  primitive_boolean_false: "false",
  primitive_boolean_true: "true",
  primitive_date: '"2025-04-16"',
  primitive_decimal16: "12345678912345678.90",
  primitive_decimal4: "12.34",
  primitive_decimal8: "12345678.90",
  primitive_double: "1234567890.1234",
  // The shortest that is the same float.
  primitive_float: "1234568000",
  primitive_int16: "1234",
  primitive_int32: "123456",
  primitive_int64: "1234567890123456789",
  primitive_int8: "42",
  primitive_null: "null",
  primitive_string: JSON.stringify(LONG),
  primitive_time: '"12:33:54.123456"',
  primitive_timestamp: '"2025-04-16T16:34:56.78+00:00"',
  primitive_timestampntz: '"2025-04-16T12:34:56.78"',
  primitive_timestamp_nanos: '"2024-11-07T12:33:54.123456789+00:00"',
  primitive_timestampntz_nanos: '"2024-11-07T12:33:54.123456789"',
  primitive_uuid: '"f24f9b64-81fa-49d1-b74e-8c09a6e31c56"',
  short_string: '"Less than 64 bytes (❤️ with utf8)"',
};

describe("variants", () => {
  const variants = Object.entries(
    JSON.parse(read("variants.json")) as Record<string, { readonly metadata: string; readonly value: string }>,
  );

  test.each(variants)("%s", (name, { metadata, value }) => {
    const variant = new Variant(bytesOfHex(metadata), bytesOfHex(value));
    expect(variantJson(variant)).toBe(EXPECTED[name]);
    expect(decodeVariant(encodeVariant(decodeVariant(variant)))).toEqual(decodeVariant(variant));
  });
});

interface Shredded {
  readonly case: number;
  readonly test: string;
  /** Says that the file is not valid, and that readers may refuse it. */
  readonly notes?: string;
  readonly error?: string;
  readonly parquet: string;
  readonly variants?: readonly (string | null)[];
}

/** Metadata and value one behind the other, apart. */
function variantOf(text: string): Variant {
  const bytes = Buffer.from(text, "base64");
  const width = ((bytes[0] as number) >> 6) + 1;
  const size = bytes.readUIntLE(1, width);
  const total = bytes.readUIntLE(1 + width * (1 + size), width);
  const end = 1 + width * (2 + size) + total;
  return new Variant(Uint8Array.from(bytes.subarray(0, end)), Uint8Array.from(bytes.subarray(end)));
}

describe("shredded variants", () => {
  const cases = JSON.parse(read("shredded-variants.json")) as readonly Shredded[];

  /** Structs of fields that may be null, where the format wants them required: read, for it is clear what is meant. */
  const READ = 84;

  test.each(cases)("case $case, $test", async ({ case: number, parquet, variants, notes, error }) => {
    const found = columns(Buffer.from(parquet, "base64"), { var: { kind: "variant" } }, 2);
    if (number !== READ && (notes !== undefined || error !== undefined)) {
      await expect(found).rejects.toMatchObject({ kind: error?.startsWith("Unsupported") ? "unsupported" : "corrupt" });
      return;
    }
    const cells = (await found)[0] as readonly (Variant | null)[];
    expect(cells.map((cell) => (cell === null ? null : decodeVariant(cell)))).toEqual(
      variants?.map((text) => (text === null ? null : decodeVariant(variantOf(text)))),
    );
  });
});

describe("shapes", () => {
  const bytes = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));
  const text: Type = { kind: "string" };

  test("of every kind are read as well-known binary", async () => {
    const types: Record<string, Type> = { wkt: text, geometry: { kind: "geometry", crs: "OGC:CRS84" } };
    const [texts = [], shapes = []] = await columns(bytes("geospatial.parquet"), types);
    expect(shapes.length).toBeGreaterThan(50);
    const KINDS = ["POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"];
    let points = 0;
    for (const [row, wkt] of texts.entries()) {
      if (wkt === null) continue;
      const shape = Buffer.from(shapes[row] as Uint8Array);
      const [, kind = "", dimensions = ""] = /^([A-Z]+)(?: (ZM?|M))?/.exec(wkt as string) ?? [];
      const code = KINDS.indexOf(kind) + 1 + { "": 0, Z: 1000, M: 2000, ZM: 3000 }[dimensions as "" | "Z" | "M" | "ZM"];
      expect([shape[0], shape.readUInt32LE(1)]).toEqual([1, code]);
      const point = /^POINT [ZM ]*\((.*)\)$/.exec(wkt as string)?.[1]?.split(" ").map(Number);
      if (point === undefined) continue;
      points++;
      expect(point.map((_, k) => shape.readDoubleLE(5 + 8 * k))).toEqual(point);
      expect(shape.length).toBe(5 + 8 * point.length);
    }
    expect(points).toBeGreaterThan(3);
  });

  test.each(["geospatial-with-nan.parquet", "crs-geography.parquet"])("%s", async (name) => {
    const types: Record<string, Type> = name.startsWith("crs")
      ? { wkt: text, geometry: { kind: "geography", crs: "OGC:CRS84", algorithm: "spherical" } }
      : { geometry: { kind: "geometry", crs: "OGC:CRS84" } };
    const shapes = (await columns(bytes(name), types)).at(-1) ?? [];
    expect(shapes.length).toBeGreaterThan(0);
    expect(shapes.every((shape) => shape === null || (shape as Uint8Array)[0] === 1)).toBe(true);
  });
});
