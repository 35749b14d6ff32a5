import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readIso } from "../../../../src/formats/json-bytes/times.ts";

function read(text: string) {
  const bytes = new TextEncoder().encode(text);
  const iso = readIso(bytes, 0, bytes.length);
  return iso === null ? null : { ...iso };
}

describe("readIso", () => {
  it("agrees with Date on instants", () => {
    fc.assert(
      fc.property(
        fc.date({
          noInvalidDate: true,
          min: new Date("-009999-01-01T00:00:00Z"),
          max: new Date("+099999-12-31T23:59:59Z"),
        }),
        (date) => {
          const iso = read(date.toISOString());
          expect(iso).not.toBeNull();
          const { days = 0, seconds = 0, nanos = 0 } = iso ?? {};
          expect((days * 86_400 + seconds) * 1000 + nanos / 1e6).toBe(date.getTime());
          expect(iso).toMatchObject({ hasDate: true, hasTime: true, hasOffset: true, offsetSeconds: 0 });
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("agrees with Date on which days exist", () => {
    const two = (value: number) => String(value).padStart(2, "0");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9999 }), fc.nat(14), fc.nat(33), (year, month, day) => {
        const text = `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
        const date = new Date(`${text}T00:00:00Z`);
        // Date takes 31 April for 1 May.
        const exists = !Number.isNaN(date.getTime()) && date.getUTCDate() === day;
        expect(read(text)?.days ?? null).toBe(exists ? date.getTime() / 86_400_000 : null);
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ["04:05", { hasDate: false, seconds: 14_700, nanos: 0, hasOffset: false }],
    ["04:05:11.789Z", { seconds: 14_711, nanos: 789_000_000, hasOffset: true, offsetSeconds: 0 }],
    ["23:59:59.123456789", { seconds: 86_399, nanos: 123_456_789 }],
    ["2017-09-15Z", { hasDate: true, hasTime: false, hasOffset: true, days: 17_424 }],
    ["2024-02-29 12:00:00.5+02", { nanos: 500_000_000, offsetSeconds: 7200, seconds: 43_200 }],
    ["2024-02-29t12:00-0530", { offsetSeconds: -19_800 }],
    ["1883-11-18T12:00:00-04:56:02", { offsetSeconds: -17_762 }],
    ["+012024-01-01", { days: Date.UTC(12_024, 0, 1) / 86_400_000 }],
    ["0000-03-01", { days: -719_468 }],
  ])("reads %s", (text, expected) => {
    expect(read(text)).toMatchObject(expected);
  });

  it.each([
    "",
    "2024",
    "2024-2-29",
    "2023-02-29",
    "2024-13-01",
    "2024-00-10",
    "2024-02-29T",
    "2024-02-29T24:00:00",
    "2024-02-29T12",
    "2024-02-29T12:60",
    "2024-02-29T12:00:60",
    "2024-02-29T12:00:00.",
    "2024-02-29T12:00:00.1234567890",
    "2024-02-29T12:00:00+",
    "2024-02-29T12:00:00+19",
    "2024-02-29T12:00:00+02:60",
    "2024-02-29T12:00:00Zx",
    "24:00:00",
    "1:00:00",
    "12-00",
    "infinity",
    "0000-00-00 00:00:00",
  ])("refuses %j", (text) => {
    expect(read(text)).toBeNull();
  });
});
