import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import { combine, measure } from "../../../../table-format/parquet/bounds.ts";
import { openDataFileWriter } from "../../../../table-format/parquet/hyparquet-encoder.ts";
import { lowerBound, upperBound } from "../../../../table-format/parquet/metrics.ts";
import type { PrimitiveType } from "../../../../table-format/schema/types.ts";
import { compareValues, decodeValue } from "../../../../table-format/values/single-value.ts";
import { ALL_TYPES, anyRows, columnOf } from "../columns.ts";
import { batchOf, schemaOf, writeFile } from "./files.ts";

const STRING: PrimitiveType = { kind: "string" };
const BINARY: PrimitiveType = { kind: "binary" };
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array | null | undefined): string | null =>
  bytes ? Buffer.from(bytes).toString("hex") : null;
const upperText = (text: string): string | null => {
  const bytes = upperBound(STRING, utf8(text), 16);
  return bytes === null ? null : new TextDecoder().decode(bytes);
};

describe("bounds of strings are cut at 16 code points", () => {
  it.each([
    ["short stays", "0123456789abcdef", "0123456789abcdef"],
    ["the last code point is raised", "0123456789abcdefg", "0123456789abcdeg"],
    ["code points, not UTF-16 units", "😀".repeat(17), `${"😀".repeat(15)}😁`],
    ["sixteen wide code points stay", "😀".repeat(16), "😀".repeat(16)],
    ["surrogates are stepped over", `${"a".repeat(15)}\ud7ffx`, `${"a".repeat(15)}\ue000`],
    ["a greatest code point is dropped", `${"a".repeat(14)}b\u{10ffff}x`, `${"a".repeat(14)}c`],
    ["there may be none", "\u{10ffff}".repeat(17), null],
  ])("%s", (_, text, expected) => {
    expect(upperText(text)).toBe(expected);
  });

  it("keeps a prefix below", () => {
    const bound = lowerBound(STRING, utf8("😀".repeat(17)), 16);
    expect(new TextDecoder().decode(bound ?? undefined)).toBe("😀".repeat(16));
  });

  it("has none for bytes that are no UTF-8", () => {
    expect(lowerBound(STRING, Uint8Array.of(0xff), 16)).toBeNull();
    expect(upperBound(STRING, Uint8Array.of(0xff), 16)).toBeNull();
  });

  it("always lies around the value", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const lower = lowerBound(STRING, utf8(text), 16);
        const upper = upperBound(STRING, utf8(text), 16);
        expect(Buffer.compare(lower ?? new Uint8Array(0), utf8(text))).toBeLessThanOrEqual(0);
        if (upper !== null) expect(Buffer.compare(upper, utf8(text))).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe("bounds of bytes are cut at 16", () => {
  it.each([
    ["short stays", "ff".repeat(16), "ff".repeat(16)],
    ["the last byte is raised", `${"aa".repeat(16)}00`, `${"aa".repeat(15)}ab`],
    ["ff is dropped", `01${"ff".repeat(20)}`, "02"],
    ["there may be none", "ff".repeat(17), null],
  ])("%s", (_, value, expected) => {
    expect(hex(upperBound(BINARY, Buffer.from(value, "hex"), 16))).toBe(expected);
  });
});

it.each(ALL_TYPES.map((type) => [JSON.stringify(type), type] as const))("finds the extremes of %s", (_, type) => {
  fc.assert(
    fc.property(anyRows(type, 40), fc.nat(40), fc.nat(40), (rows, a, b) => {
      const [start, end] = a < b ? [a, b] : [b, a];
      const column = columnOf(type, rows);
      const taken = rows.slice(start, end);
      const measured = measure([{ column, start, end }]);
      const comparable = taken.filter((value) => value !== null && !Number.isNaN(value)) as NonNullable<
        (typeof rows)[number]
      >[];
      comparable.sort((x, y) => compareValues(type, x, y));
      const nans = taken.filter((value) => Number.isNaN(value)).length;
      expect(measured).toMatchObject({ rows: taken.length, nulls: taken.filter((v) => v === null).length, nans });
      const plain = (value: unknown): unknown =>
        type.kind === "string" && typeof value === "string" ? utf8(value) : value === 0 ? 0 : (value ?? null);
      expect(measured.min === 0 ? 0 : measured.min).toEqual(plain(comparable[0]));
      expect(measured.max).toEqual(plain(comparable.at(-1)));
      const halves = combine(measure([{ column, start: 0, end: 17 }]), measure([{ column, start: 17, end: 40 }]));
      expect(halves).toEqual(measure([{ column, start: 0, end: 40 }]));
    }),
    { numRuns: 40 },
  );
});

it("widens zeros to both signs and leaves NaN out", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf([{ kind: "double" }, { kind: "float" }, { kind: "double" }, { kind: "double" }]);
  const columns = [
    [0, NaN, null, 0],
    [-0, -0, -0, -0],
    [NaN, NaN, null, NaN],
    [null, null, null, null],
  ];
  const file = await writeFile(io, "memory://f", schema, [batchOf(schema, columns)]);
  const bounds = (id: number): unknown[] => {
    const type = schema.fields[id - 1]?.type as PrimitiveType;
    return [file.lowerBounds?.get(id), file.upperBounds?.get(id)].map((b) => (b ? decodeValue(type, b) : null));
  };
  expect(bounds(1)).toEqual([-0, 0]);
  expect(bounds(2)).toEqual([-0, 0]);
  expect(bounds(3)).toEqual([null, null]);
  expect(bounds(4)).toEqual([null, null]);
  expect([...(file.nanValueCounts ?? [])]).toEqual([
    [1, 1n],
    [2, 0n],
    [3, 3n],
    [4, 0n],
  ]);
});

it("counts only the first hundred columns, keys whatever their place", async () => {
  const io = createMemoryStorage();
  const wide = schemaOf(Array.from({ length: 120 }, (): PrimitiveType => ({ kind: "int" })));
  const schema = { ...wide, identifierFieldIds: [115] };
  const file = await writeFile(io, "memory://f", schema, [
    batchOf(
      schema,
      Array.from({ length: 120 }, () => [7]),
    ),
  ]);
  expect(file.columnSizes?.size).toBe(120);
  expect(file.valueCounts?.size).toBe(101);
  expect(file.lowerBounds?.has(100)).toBe(true);
  expect(file.lowerBounds?.has(101)).toBe(false);
  expect(file.upperBounds?.has(115)).toBe(true);
});

it("keeps the bounds of a position delete file's path whole", async () => {
  const io = createMemoryStorage();
  const path = "s3://bucket/warehouse/table/data/part-0001.parquet";
  const schema = {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [{ id: 2147483546, name: "file_path", required: true, type: STRING }],
  };
  const file = await writeFile(io, "memory://f", schema, [batchOf(schema, [[path]])]);
  expect(file.lowerBounds?.get(2147483546)).toEqual(utf8(path));
  expect(file.upperBounds?.get(2147483546)).toEqual(utf8(path));
});

describe("the table's properties say what is told of a column", () => {
  const types = [STRING, STRING, { kind: "long" }, { kind: "double" }] as const;
  const written = async (properties: Record<string, string>, identifierFieldIds: readonly number[] = []) => {
    const schema = { ...schemaOf(types), identifierFieldIds };
    const output = await createMemoryStorage().openWrite("mem://f.parquet");
    const named = Object.entries(properties).map(([key, value]) => [`write.metadata.metrics.${key}`, value] as const);
    const writer = openDataFileWriter({ schema, output, properties: new Map(named) });
    await writer.write(batchOf(schema, [["a".repeat(20)], ["b".repeat(20)], [1n], [2.5]]));
    return writer.finish();
  };
  const told = async (...given: Parameters<typeof written>) => {
    const { columnSizes, valueCounts, nullValueCounts, nanValueCounts, upperBounds } = await written(...given);
    return [columnSizes, valueCounts, nullValueCounts, nanValueCounts, upperBounds].map((map) =>
      [...map!.keys()].join(""),
    );
  };
  const lengths = async (properties: Record<string, string>) => {
    const { lowerBounds } = await written(properties);
    return [1, 2].map((id) => lowerBounds!.get(id)?.length);
  };

  it("by default, by column, and by how many columns have any", async () => {
    expect(await told({})).toEqual(["1234", "1234", "1234", "4", "1234"]);
    expect(await told({ default: "none" })).toEqual(["1234", "", "", "", ""]);
    expect(await told({ default: "counts" })).toEqual(["1234", "1234", "1234", "4", ""]);
    expect(await told({ default: "Counts", "column.f2": "FULL", "column.f3": "none" })).toEqual([
      "1234",
      "124",
      "124",
      "4",
      "2",
    ]);
    expect(await told({ "max-inferred-column-defaults": "2" })).toEqual(["1234", "12", "12", "", "12"]);
    expect(await told({ "max-inferred-column-defaults": "2", default: "counts" })).toEqual([
      "1234",
      "1234",
      "1234",
      "4",
      "",
    ]);
    // Keys are looked up by their bounds; a mode of their own counts.
    expect(await told({ default: "none" }, [3])).toEqual(["1234", "3", "3", "", "3"]);
    expect(await told({ "column.f3": "none" }, [3])).toEqual(["1234", "124", "124", "4", "124"]);
  });

  it("and how long bounds are; what is malformed counts as missing", async () => {
    expect(await lengths({})).toEqual([16, 16]);
    expect(await lengths({ default: "full", "column.f2": "truncate(3)" })).toEqual([20, 3]);
    expect(
      await lengths({ default: "truncate(0)", "column.f2": "long", "max-inferred-column-defaults": "-1" }),
    ).toEqual([16, 16]);
  });
});
