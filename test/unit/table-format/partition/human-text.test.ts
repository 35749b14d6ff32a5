import { describe, expect, test } from "vitest";
import { type PrimitiveType, parseTransform, transformResultType, type Value } from "../../../../table-format/index.ts";
import { humanText } from "../../../../table-format/partition/human-text.ts";
import { partitionPath } from "../../../../table-format/partition/path.ts";

const text = (type: PrimitiveType, value: Value, transform = "identity") => {
  const parsed = parseTransform(transform);
  return humanText({ transform: parsed, resultType: transformResultType(parsed, type) }, value);
};

// What JDK 25 prints; 400,000 random numbers, times and texts were compared with it when this was written.
describe("values stand in a path as Java prints them", () => {
  test.each<[number, string]>([
    [0, "0.0"],
    [-0, "-0.0"],
    [Number.NaN, "NaN"],
    [-Infinity, "-Infinity"],
    [1, "1.0"],
    [100, "100.0"],
    [0.001, "0.001"],
    [0.00099, "9.9E-4"],
    [9_999_999, "9999999.0"],
    [1e7, "1.0E7"],
    [12_345_678.9, "1.23456789E7"],
    [123_456.789, "123456.789"],
    [5e-324, "4.9E-324"],
    [2e-323, "2.0E-323"],
    [1.7976931348623157e308, "1.7976931348623157E308"],
    // Equally near to two: the even digit. At powers of two the nearest of 16 digits is another number.
    [2 ** -25, "2.9802322387695312E-8"],
    [2 ** -24, "5.960464477539063E-8"],
    [1_762_431_842_825_611.25, "1.7624318428256112E15"],
  ])("double %d: %s", (value, expected) => expect(text({ kind: "double" }, value)).toBe(expected));

  test.each<[number, string]>([
    [0.1, "0.1"],
    [1.4e-45, "1.4E-45"],
    [3.4028235e38, "3.4028235E38"],
    [137_438_953_472, "1.3743895E11"],
    [2_109_260.25, "2109260.2"],
    [2 ** -12, "2.4414062E-4"],
    [16_777_216, "1.6777216E7"],
  ])("float %d: %s", (value, expected) => expect(text({ kind: "float" }, Math.fround(value))).toBe(expected));

  test.each<[bigint, number, string]>([
    [0n, 0, "0"],
    [0n, 6, "0.000000"],
    [0n, 7, "0E-7"],
    [1n, 7, "1E-7"],
    [-1065n, 10, "-1.065E-7"],
    [1n, 6, "0.000001"],
    [-1234n, 2, "-12.34"],
    [10n ** 37n, 10, "1000000000000000000000000000.0000000000"],
  ])("decimal %d of scale %i: %s", (value, scale, expected) => {
    expect(text({ kind: "decimal", precision: 38, scale }, value)).toBe(expected);
  });

  test.each<[bigint, string]>([
    [0n, "00:00"],
    [81_060_000_000n, "22:31"],
    [81_068_000_000n, "22:31:08"],
    [81_068_100_000n, "22:31:08.100"],
    [1n, "00:00:00.000001"],
    [86_399_999_990n, "23:59:59.999990"],
  ])("time %d: %s", (value, expected) => expect(text({ kind: "time" }, value)).toBe(expected));

  test.each<[PrimitiveType["kind"] & `timestamp${string}`, bigint, string]>([
    ["timestamp", 0n, "1970-01-01T00:00:00"],
    ["timestamp", 1_709_164_800_100_000n, "2024-02-29T00:00:00.1"],
    ["timestamp", 253_402_300_800_000_000n, "+10000-01-01T00:00:00"],
    ["timestamptz", -1n, "1969-12-31T23:59:59.999999+00:00"],
    ["timestamptz_ns", -1n, "1969-12-31T23:59:59.999999999+00:00"],
  ])("%s %d: %s", (kind, value, expected) => expect(text({ kind }, value)).toBe(expected));

  test.each<[string, number, string]>([
    ["year", 0, "1970"],
    ["year", -1975, "-005"],
    ["year", 8030, "10000"],
    ["month", -1, "1969-12"],
    ["day", -719_529, "-001-12-31"],
    ["hour", -1, "1969-12-31-23"],
  ])("%s %d: %s", (transform, value, expected) => {
    expect(text({ kind: "timestamp" }, value, transform)).toBe(expected);
  });

  test("and are encoded as Java's URLEncoder does", () => {
    const schema = {
      schemaId: 0,
      fields: [{ id: 1, name: "c", required: false, type: { kind: "string" } as const }],
      identifierFieldIds: [],
    };
    const spec = { specId: 0, fields: [{ sourceId: 1, fieldId: 1000, name: "c d", transform: "identity" }] };
    const path = (value: string) => partitionPath(spec, schema, [value]);
    expect(path("a b/c=ü'*~!()-_.\u{1f9ca}")).toBe("c+d=a+b%2Fc%3D%C3%BC%27*%7E%21%28%29-_.%F0%9F%A7%8A");
    expect(path("\ud800x")).toBe("c+d=%3Fx");
  });
});
