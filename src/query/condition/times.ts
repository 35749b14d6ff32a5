/** Years of four digits, which every reader writes and understands in one way. */
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;
const TIME = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?$/;
const INSTANT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-](?:0\d|1[0-4])(?::[0-5]\d)?)?)?$/;

/** Days since 1970 of `2026-11-20`; null for what is no day of a calendar. */
export function daysOf(text: string): number | null {
  const [, year, month, day] = DATE.exec(text) ?? [];
  if (year === undefined || year === "0000") return null;
  const date = new Date(`${text}T00:00:00Z`);
  const isDay = date.getUTCMonth() + 1 === Number(month) && date.getUTCDate() === Number(day);
  return isDay ? date.getTime() / 86_400_000 : null;
}

/** Microseconds since midnight of `05:00:00.5`. */
export function timeOf(text: string): bigint | null {
  return ticksOf(text, 6);
}

/** Units of 10^-`digits` seconds since midnight; null for digits beyond those, too. */
function ticksOf(text: string, digits: number): bigint | null {
  const [, hour, minute, second, fraction = ""] = TIME.exec(text) ?? [];
  if (hour === undefined || fraction.length > digits) return null;
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  return BigInt(seconds) * 10n ** BigInt(digits) + BigInt(fraction.padEnd(digits, "0"));
}

/** Units of 10^-`digits` seconds since 1970 of `2026-11-20`, `2026-11-20 05:00:00`, with a zone `2026-11-20T05:00:00.5+02:00`. */
export function instantOf(text: string, digits: 6 | 9, isZoned: boolean): bigint | null {
  const [, date = "", clock = "00:00:00", zone = "Z"] = INSTANT.exec(text) ?? [];
  if (!isZoned && text.endsWith(zone)) return null;
  const days = daysOf(date);
  const ticks = ticksOf(clock, digits);
  if (days === null || ticks === null) return null;
  const [, sign, hours = "0", minutes = "0"] = /^([+-])(\d\d)(?::(\d\d))?$/.exec(zone) ?? [];
  const ahead = (Number(hours) * 60 + Number(minutes)) * (sign === "-" ? -1 : 1);
  const seconds = BigInt(days * 86_400 - ahead * 60);
  const instant = seconds * 10n ** BigInt(digits) + ticks;
  return BigInt.asIntN(64, instant) === instant ? instant : null;
}
