import fc from "fast-check";
import { DAY_US, integers, notScalar, type SentValue } from "./json-values.ts";

/** What JavaScript's calendar covers, 100 million days each way, without its last days, which offsets would leave. */
const CALENDAR_DAYS = 99_999_990n;

/** The date `days` after 1970-01-01, as ISO 8601 with a sign and six digits where the year is not of four. */
export function dateText(days: bigint): string {
  return new Date(Number(days) * 86_400_000).toISOString().replace(/T.*$/, "");
}

function clockText(nanosOfDay: bigint, digits: number): string {
  const seconds = nanosOfDay / 1_000_000_000n;
  const [h, m, s] = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n].map((part) =>
    String(part).padStart(2, "0"),
  );
  const fraction = String(nanosOfDay % 1_000_000_000n).padStart(9, "0");
  return `${h}:${m}:${s}${digits === 0 ? "" : `.${fraction.slice(0, digits)}`}`;
}

const days = integers(-CALENDAR_DAYS, CALENDAR_DAYS);
const commonDays = fc.oneof(days, integers(-719_162n, 2_932_896n));

export const isoDates: fc.Arbitrary<SentValue> = fc
  .tuple(commonDays, fc.boolean())
  .map(([day, midnight]) => ({ json: `"${dateText(day)}${midnight ? "T00:00:00Z" : ""}"`, read: String(day) }));

export const notDates = fc.oneof(
  fc.constantFrom(
    '"2023-02-29"',
    '"1900-02-29"',
    '"2024-13-01"',
    '"2024-00-10"',
    '"2024-01-32"',
    '"0000-00-00"',
    '"2024-1-1"',
    '"24-01-01"',
    '""',
    '"today"',
    '"infinity"',
    '"2024-01-01T00:00:01"',
    "1.5",
    "2147483648",
    "-2147483649",
    "true",
  ),
  notScalar,
);

/** `unitNs` 1000: microseconds, no more digits than six. `zoned`: with an offset of up to 18 h. */
export function isoTimestamps(unitNs: 1 | 1000, zoned: boolean): fc.Arbitrary<SentValue> {
  // Nanoseconds in 64 bits reach from 1677 to 2262.
  const day = unitNs === 1 ? integers(-106_750n, 106_750n) : commonDays;
  const perDay = (DAY_US * 1000n) / BigInt(unitNs);
  return fc
    .record({
      day,
      units: integers(0n, perDay - 1n),
      offset: fc.oneof(fc.constant(0), fc.integer({ min: -1080, max: 1080 })),
      separator: fc.constantFrom("T", " "),
      z: fc.boolean(),
    })
    .map(({ day: date, units, offset, separator, z }) => {
      const nanos = units * BigInt(unitNs);
      const digits = [0, 3, 6, 9].find((count) => nanos % 10n ** BigInt(9 - count) === 0n) as number;
      const size = Math.abs(offset);
      const minutes = `${String(Math.floor(size / 60)).padStart(2, "0")}:${String(size % 60).padStart(2, "0")}`;
      const zone = !zoned ? (z ? "Z" : "") : offset === 0 && z ? "Z" : `${offset < 0 ? "-" : "+"}${minutes}`;
      const moved = zoned ? BigInt(offset) * 60n * (1_000_000_000n / BigInt(unitNs)) : 0n;
      return {
        json: `"${dateText(date)}${separator}${clockText(nanos, digits)}${zone}"`,
        read: String(date * perDay + units - moved),
      };
    });
}

/** Texts that are no timestamp, whatever the zone. */
export const notTimestamps = fc.oneof(
  fc.constantFrom(
    '"2024-02-30T00:00:00Z"',
    '"2024-02-29T24:00:00Z"',
    '"2024-02-29T12:60:00Z"',
    '"2024-02-29T12:00:60Z"',
    '"2024-02-29T12:00:00.Z"',
    '"2024-02-29T12:00:00.1234567891Z"',
    '"2024-02-29"',
    '"infinity"',
    '"-infinity"',
    '"0000-00-00 00:00:00"',
    '"2024-02-29T12:00:00+19:00"',
    '"2024-02-29T12:00:00 Europe/Berlin"',
    "1.5",
    "9223372036854775808",
    "false",
  ),
  notScalar,
);

export const isoTimes: fc.Arbitrary<SentValue> = fc
  .tuple(integers(0n, DAY_US - 1n), fc.boolean())
  .map(([us, z]) => ({ json: `"${clockText(us * 1000n, 6)}${z ? "Z" : ""}"`, read: String(us) }));

export const notTimes = fc.oneof(
  fc.constantFrom(
    '"24:00:00"',
    '"12:00:00.1234567"',
    '"12:00:00+01:00"',
    '"-01:00:00"',
    '"2024-01-01"',
    '"noon"',
    "-1",
    "true",
  ),
  notScalar,
);

/** Integers that count `unitNs` and become a type of `typeNs`; what has a remainder is left out. */
export function counted(
  unitNs: bigint,
  typeNs: bigint,
  range: { readonly min: bigint; readonly max: bigint },
): fc.Arbitrary<SentValue> {
  const scale = unitNs >= typeNs ? unitNs / typeNs : 1n;
  const divisor = typeNs > unitNs ? typeNs / unitNs : 1n;
  return integers(range.min / scale, range.max / scale).map((value) => ({
    json: String(value * divisor),
    read: String(value * scale),
  }));
}
