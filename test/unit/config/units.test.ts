import { expect, it } from "vitest";
import { durationMs, rfc3339Ms, sizeBytes } from "../../../src/config/units.ts";

it.each([
  ["10s", 10_000],
  ["500ms", 500],
  ["1.5m", 90_000],
  ["2h", 7_200_000],
  ["7d", 604_800_000],
  ["10", null],
  ["10 s", null],
  ["-1s", null],
  ["s", null],
  ["10S", null],
  ["", null],
])("duration %s", (text, expected) => expect(durationMs(text)).toBe(expected));

it.each([
  ["256MiB", 268_435_456],
  ["1GiB", 1_073_741_824],
  ["64kB", 64_000],
  ["10B", 10],
  ["256", null],
  ["256mib", null],
  ["1TiB", null],
])("size %s", (text, expected) => expect(sizeBytes(text)).toBe(expected));

it.each([
  ["2026-11-20T09:00:00Z", Date.UTC(2026, 10, 20, 9)],
  ["2026-11-20 09:00:00.123456+01:30", Date.UTC(2026, 10, 20, 7, 30, 0, 123)],
  ["2026-11-20T09:00:00-05:00", Date.UTC(2026, 10, 20, 14)],
  ["2024-02-29T00:00Z", Date.UTC(2024, 1, 29)],
  ["2026-02-29T00:00:00Z", null],
  ["2026-11-20T24:00:00Z", null],
  ["2026-11-20T09:00:00", null],
  ["2026-11-20", null],
  ["7036110217265", null],
])("time %s", (text, expected) => expect(rfc3339Ms(text)).toBe(expected));
