import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeVariant,
  encodeVariant,
  Variant,
  variantJson,
  type VariantValue,
} from "../../../../table-format/index.ts";
import { FrazilError } from "../../../../table-format/errors.ts";
import { MAX_VARIANT_DEPTH } from "../../../../table-format/limits.ts";
import { variantKey } from "../../../../table-format/variant/text.ts";
import { anyVariantValue } from "./values.ts";

const NO_NAMES = Uint8Array.of(1, 0, 0);
const AB = Uint8Array.of(1, 2, 0, 1, 2, 0x61, 0x62);
const object = (...fields: readonly (readonly [string, VariantValue])[]): VariantValue => ({
  kind: "object",
  fields: new Map(fields),
});
const int = (value: bigint): VariantValue => ({ kind: "int64", value });
const text = (value: string): VariantValue => ({ kind: "string", value });
const array = (...items: readonly VariantValue[]): VariantValue => ({ kind: "array", items });

/** Maps in the order in which they are read. */
function sorted(value: VariantValue): VariantValue {
  if (value.kind === "array") return { kind: "array", items: value.items.map(sorted) };
  if (value.kind !== "object") return value;
  const fields = Array.from(value.fields, ([name, part]) => [name, sorted(part)] as const);
  return { kind: "object", fields: new Map(fields.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) };
}

describe("any value", () => {
  test("is read as it was written", () => {
    fc.assert(
      fc.property(anyVariantValue(3), (value) => {
        const variant = encodeVariant(value);
        const found = decodeVariant(variant);
        expect(found).toEqual(sorted(value));
        expect([...(found.kind === "object" ? found.fields.keys() : [])]).toEqual([
          ...((sorted(value) as { fields?: Map<string, VariantValue> }).fields?.keys() ?? []),
        ]);
        expect(variantKey(encodeVariant(found))).toBe(variantKey(variant));
        JSON.parse(variantJson(variant));
      }),
      { numRuns: 300 },
    );
  });

  test("whose bytes are changed or cut is refused by the byte, or is another value", () => {
    let [refused, read] = [0, 0];
    const changes = fc.tuple(anyVariantValue(3), fc.boolean(), fc.nat(), fc.nat(255), fc.boolean());
    fc.assert(
      fc.property(changes, ([value, inValue, place, byte, cut]) => {
        const { metadata, value: bytes } = encodeVariant(value);
        const changed = (inValue ? bytes : metadata).slice();
        const at = place % changed.length;
        changed[at] = byte;
        const part = cut ? changed.subarray(0, at) : changed;
        try {
          variantJson(inValue ? new Variant(metadata, part) : new Variant(part, bytes));
          read++;
        } catch (error) {
          if (!(error instanceof FrazilError)) throw error;
          expect(error.message).toMatch(/byte \d+ of the (value|metadata): /);
          refused++;
        }
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(refused, read)).toBeGreaterThan(100);
  });

  test("of more than 255 elements and more than 64 KiB is read", () => {
    const fields = Array.from({ length: 300 }, (_, k) => [`name ${k}`, text("x".repeat(k * 2))] as const);
    const value = object(...fields, ["all", array(...fields.map(([, each]) => each))]);
    expect(decodeVariant(encodeVariant(value))).toEqual(value);
  });
});

describe("refused", () => {
  const nested = (levels: number): VariantValue => {
    let value: VariantValue = { kind: "null" };
    for (let k = 0; k < levels; k++) value = array(value);
    return value;
  };
  /** Arrays of one element within one another, the innermost empty. */
  const nestedBytes = (levels: number): Uint8Array => {
    const bytes = new Uint8Array(levels * 10 + 3);
    const view = new DataView(bytes.buffer);
    for (let k = 0; k < levels; k++) {
      bytes[k * 10] = 0b11_11;
      bytes[k * 10 + 1] = 1;
      view.setUint32(k * 10 + 6, bytes.length - (k + 1) * 10, true);
    }
    bytes[levels * 10] = 0b11;
    return bytes;
  };

  test("more levels than are read, before the stack ends", () => {
    expect(decodeVariant(encodeVariant(nested(MAX_VARIANT_DEPTH)))).toMatchObject({ kind: "array" });
    expect(() => encodeVariant(nested(MAX_VARIANT_DEPTH + 1))).toThrow(/at most 1000 levels/);
    expect(() => decodeVariant(new Variant(NO_NAMES, nestedBytes(1_000_000)))).toThrow(
      expect.objectContaining({ kind: "corrupt", code: "VARIANT_DEPTH" }),
    );
  });

  test("elements that share their bytes, in no more time than the bytes ask for", () => {
    // Each of 40 levels names the next one twice: 2^40 values.
    let inner = Uint8Array.of(0);
    for (let level = 0; level < 40; level++) {
      inner = Uint8Array.of(0b1_11, 2, 0, 0, 0, 0, inner.length & 0xff, inner.length >> 8, ...inner);
    }
    expect(() => decodeVariant(new Variant(NO_NAMES, inner))).toThrow(/elements that overlap/);
  });

  test.each<[string, Uint8Array, readonly number[], RegExp]>([
    ["nothing", NO_NAMES, [], /byte 0 of the value: expected a value, found the end/],
    ["a second value", NO_NAMES, [0, 0], /byte 1 of the value: expected the end of the value, found 1 bytes more/],
    ["a type of the future", NO_NAMES, [21 << 2], /primitive types up to 20 are read, found 21/],
    ["a scale", NO_NAMES, [8 << 2, 39, 0, 0, 0, 0], /byte 1 of the value: expected a scale of at most 38, found 39/],
    ["a text", NO_NAMES, [1 | (1 << 2), 0xff], /byte 1 of the value: expected a text in UTF-8/],
    ["a long text", NO_NAMES, [16 << 2, 0xff, 0xff, 0xff, 0xff, 0x61], /expected a value that ends by byte 6/],
    ["a number of elements", NO_NAMES, [0b1_00_11, 0xff, 0xff, 0xff, 0xff, 0], /4294967295 elements within 6 bytes/],
    ["an offset", NO_NAMES, [0b11, 1, 0, 9, 0], /byte 3 of the value: expected elements that end by byte 5/],
    ["an element's offset", NO_NAMES, [0b11, 1, 5, 1, 0], /byte 2 of the value: expected an offset below 1, found 5/],
    ["a field id", AB, [0b10, 1, 2, 0, 1, 0], /byte 2 of the value: expected a field id below 2, found 2/],
    [
      "a field twice",
      AB,
      [0b10, 2, 0, 0, 0, 1, 2, 0, 0],
      /byte 3 of the value: expected a field once, found a second "a"/,
    ],
    [
      "another version",
      Uint8Array.of(2, 0, 0),
      [0],
      /byte 0 of the metadata: variants of version 1 are read, found version 2/,
    ],
    ["no metadata", Uint8Array.of(), [0], /byte 0 of the metadata: expected a header, found no bytes/],
    ["names", Uint8Array.of(1, 9, 0), [0], /byte 1 of the metadata: expected 10 offsets in 3 bytes/],
    [
      "a name's offset",
      Uint8Array.of(1, 2, 0, 2, 1, 0x61, 0x62),
      [0],
      /byte 4 of the metadata: expected an offset from 2 to 2/,
    ],
    ["a first offset", Uint8Array.of(1, 1, 1, 1, 0x61), [0], /byte 2 of the metadata: expected the offset 0, found 1/],
    ["more metadata", Uint8Array.of(1, 0, 0, 7), [0], /byte 3 of the metadata: expected the end of the metadata/],
    ["a name's text", Uint8Array.of(1, 1, 0, 1, 0xff), [0], /byte 4 of the metadata: expected a text in UTF-8/],
  ])("%s", (_, metadata, value, message) => {
    expect(() => decodeVariant(new Variant(metadata, Uint8Array.from(value)))).toThrow(message);
  });

  test.each<[VariantValue, RegExp]>([
    [{ kind: "int8", value: 128n }, /expected a number of 8 bits, found 128/],
    [{ kind: "decimal4", unscaled: 2n ** 31n, scale: 0 }, /a number of 32 bits/],
    [{ kind: "decimal16", unscaled: 1n, scale: 39 }, /a scale from 0 to 38, found 39/],
    [{ kind: "uuid", value: new Uint8Array(3) }, /a uuid of 16 bytes, found 3 bytes/],
  ])("to write %o", (value, message) => expect(() => encodeVariant(value)).toThrow(message));
});

describe("JSON", () => {
  test.each<[VariantValue, string]>([
    [int(9007199254740993n), "9007199254740993"],
    [
      { kind: "decimal16", unscaled: -123456789012345678901234567890123456n, scale: 10 },
      "-12345678901234567890123456.7890123456",
    ],
    [{ kind: "float", value: Math.fround(1.1) }, "1.1"],
    [{ kind: "double", value: -0 }, "-0.0"],
    [{ kind: "double", value: NaN }, '"NaN"'],
    [{ kind: "date", value: -1 }, '"1969-12-31"'],
    [{ kind: "time", value: 1n }, '"00:00:00.000001"'],
    [{ kind: "timestamptz", value: -1n }, '"1969-12-31T23:59:59.999999+00:00"'],
    [{ kind: "timestamp_ns", value: 1n }, '"1970-01-01T00:00:00.000000001"'],
    [{ kind: "binary", value: new Uint8Array(20_000) }, JSON.stringify(Buffer.alloc(20_000).toString("base64"))],
    [object(["b", { kind: "null" }], ["a", array(text('"'), int(1n))]), '{"a":["\\"",1],"b":null}'],
  ])("%o", (value, json) => expect(variantJson(encodeVariant(value))).toBe(json));
});

describe("the key", () => {
  const key = (value: VariantValue): string => variantKey(encodeVariant(value));

  test.each<[VariantValue, VariantValue]>([
    [
      { kind: "int8", value: 10n },
      { kind: "decimal16", unscaled: 1000n, scale: 2 },
    ],
    [
      { kind: "timestamp", value: -1n },
      { kind: "timestamp_ns", value: -1000n },
    ],
    [
      object(["a", int(0n)], ["b", int(1n)]),
      object(["b", int(1n)], ["a", { kind: "decimal4", unscaled: 0n, scale: 3 }]),
    ],
  ])("of %o is that of %o", (a, b) => expect(key(a)).toBe(key(b)));

  test.each<[VariantValue, VariantValue]>([
    [int(1n), text("1")],
    [int(1n), { kind: "double", value: 1 }],
    [{ kind: "null" }, object()],
    [object(["a", { kind: "null" }]), object()],
    [object(["a", int(1n)], ["b", int(2n)]), object(["a=i1e0|s1:b", int(2n)])],
    [
      { kind: "timestamp", value: 1n },
      { kind: "timestamptz", value: 1n },
    ],
    [array(array(int(1n)), int(2n)), array(array(int(1n), int(2n)))],
    [
      { kind: "double", value: 0 },
      { kind: "double", value: -0 },
    ],
  ])("of %o is not that of %o", (a, b) => expect(key(a)).not.toBe(key(b)));
});
