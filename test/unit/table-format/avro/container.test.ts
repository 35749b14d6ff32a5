import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeAvroFile, encodeAvroFile } from "../../../../table-format/avro/container.ts";
import type { AvroValue } from "../../../../table-format/avro/decoder.ts";
import type { AvroSchemaJson } from "../../../../table-format/avro/schema.ts";

type Typed = { type: AvroSchemaJson; value: fc.Arbitrary<AvroValue> };

const bytes = (length?: number) =>
  fc.uint8Array(length === undefined ? { maxLength: 40 } : { minLength: length, maxLength: length });
const long = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -300n, max: 300n }),
  fc.constantFrom(2n ** 48n - 1n, 2n ** 48n, 2n ** 49n, -(2n ** 48n), 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n),
);

let fixedNames = 0;
const leaf: fc.Arbitrary<Typed> = fc
  .constantFrom<() => Typed>(
    () => ({ type: "boolean", value: fc.boolean() }),
    () => ({ type: "int", value: fc.integer() }),
    () => ({ type: { type: "long", logicalType: "timestamp-micros" }, value: long }),
    () => ({ type: "float", value: fc.float({ noNaN: true }) }),
    () => ({ type: "double", value: fc.double({ noNaN: true }) }),
    () => ({ type: "bytes", value: bytes() }),
    () => ({ type: "string", value: fc.string({ unit: "binary", maxLength: 20 }) }),
    () => ({ type: { type: "fixed", name: `f${fixedNames++}`, size: 5 }, value: bytes(5) }),
  )
  .map((make) => make());

const nested: fc.Arbitrary<Typed> = leaf.chain((inner) =>
  fc.constantFrom<Typed>(
    inner,
    { type: { type: "array", items: inner.type, "element-id": 7 }, value: fc.array(inner.value, { maxLength: 5 }) },
    { type: ["null", inner.type], value: fc.option(inner.value) },
    {
      type: { type: "record", name: `n${fixedNames++}`, fields: [{ name: "x", type: inner.type, "field-id": 9 }] },
      value: fc.tuple(inner.value),
    },
  ),
);

const fileOf = fc.array(nested, { minLength: 1, maxLength: 6 }).chain((fields) =>
  fc.record({
    schema: fc.constant<AvroSchemaJson>({
      type: "record",
      name: "row",
      fields: fields.map((field, i) => ({ name: `c${i}`, type: field.type, "field-id": 100 + i })),
    }),
    rows: fc.array(fc.tuple(...fields.map((field) => field.value)), { maxLength: 30 }),
  }),
);

/** Buffers and typed arrays of different classes hold the same bytes. */
const plain = (value: AvroValue): unknown => {
  if (value instanceof Uint8Array) return { bytes: [...value] };
  return Array.isArray(value) ? value.map(plain) : value;
};

test("what is encoded is decoded, for every type and both codecs", () => {
  fc.assert(
    fc.property(fileOf, fc.constantFrom("null" as const, "deflate" as const), ({ schema, rows }, codec) => {
      const file = encodeAvroFile(schema, new Map([["k", "v ✓"]]), rows, codec);
      const back = decodeAvroFile(file, "f.avro");
      expect(back.rows.map(plain)).toEqual(rows.map(plain));
      expect([...back.metadata]).toEqual([["k", "v ✓"]]);
    }),
    { numRuns: 300 },
  );
});

const longs: AvroSchemaJson = { type: "record", name: "r", fields: [{ name: "a", type: "long", "field-id": 1 }] };

test("longs have the bytes of the Avro specification", () => {
  // Avro 1.12, "Primitive Types": 0 → 00, -1 → 01, 1 → 02, -64 → 7f, 64 → 80 01.
  const file = encodeAvroFile(
    longs,
    new Map(),
    [0n, -1n, 1n, -64n, 64n].map((value) => [value]),
    "null",
  );
  const end = file.length - 16;
  expect([...file.subarray(end - 6, end)]).toEqual([0x00, 0x01, 0x02, 0x7f, 0x80, 0x01]);
});

test("rows spread over several blocks come back in order, and equal input gives equal bytes", () => {
  const rows = Array.from({ length: 30_000 }, (_, i) => [BigInt(i) * 1_000_003n]);
  const file = encodeAvroFile(longs, new Map(), rows);
  expect(decodeAvroFile(file, "f").rows).toEqual(rows);
  expect(Buffer.from(encodeAvroFile(longs, new Map(), rows)).equals(file)).toBe(true);
});

test("blocks in zstandard are read", () => {
  const file = Buffer.from(encodeAvroFile(longs, new Map(), [[5n], [-6n]], "null"));
  // Same file with the codec's name and its one block (two rows, two bytes) replaced.
  const name = file.indexOf("avro.codec") + "avro.codec".length;
  const sync = file.subarray(-16);
  const block = zstdCompressSync(Uint8Array.of(0x0a, 0x0b));
  const patched = Buffer.concat([
    file.subarray(0, name),
    Buffer.from([9 << 1]),
    Buffer.from("zstandard"),
    file.subarray(name + 5, file.indexOf(sync)),
    sync,
    Buffer.from([2 << 1, block.length << 1]),
    block,
    sync,
  ]);
  expect(decodeAvroFile(patched, "f").rows).toEqual([[5n], [-6n]]);
});

test("a damaged file is an error that names it", () => {
  const file = encodeAvroFile(longs, new Map(), [[5n]]);
  expect(() => decodeAvroFile(file.subarray(0, file.length - 3), "s3://b/m.avro")).toThrow(/s3:\/\/b\/m\.avro/);
  expect(() => decodeAvroFile(Uint8Array.of(1, 2, 3), "x")).toThrow(/expected an Avro container file/);
  const flipped = file.slice();
  flipped[file.length - 1]! ^= 1;
  expect(() => decodeAvroFile(flipped, "x")).toThrow(/sync marker/);
});

test("any cut or flipped byte is refused or decoded, never an endless loop or a foreign error", () => {
  const file = encodeAvroFile(longs, new Map([["k", "v"]]), [[5n], [7n]], "null");
  fc.assert(
    fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const broken = file.slice();
      broken[at]! ^= flip;
      try {
        decodeAvroFile(broken, "x");
      } catch (error) {
        expect((error as Error).name).toBe("FrazilError");
      }
    }),
    { numRuns: 500 },
  );
});

test("rows without bytes and records that hold themselves, by which few bytes demand endless memory, are refused", () => {
  const nothing = { type: "record", name: "r", fields: [{ name: "n", type: "null" }] } as const;
  const file = encodeAvroFile(nothing, new Map(), [], "null");
  const sync = file.subarray(-16);
  const claimed = Buffer.concat([file, Buffer.from([2, 2, 0]), sync]);
  expect(() => decodeAvroFile(claimed, "x")).toThrow(/^x: expected rows of some bytes/);
  const itself = {
    type: "record",
    name: "r",
    fields: [{ name: "inner", type: ["null", "r"] }],
  } as const;
  expect(() => encodeAvroFile(itself, new Map(), [])).toThrow("expected a type name that was defined before, found r");
});
