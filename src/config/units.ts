/** Milliseconds by unit of `10s`, `5m`. */
const DURATION_MS = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** Bytes by unit of `256MiB`, `1GB`. */
const SIZE_BYTES = new Map([
  ["B", 1],
  ["kB", 1e3],
  ["KB", 1e3],
  ["MB", 1e6],
  ["GB", 1e9],
  ["KiB", 2 ** 10],
  ["MiB", 2 ** 20],
  ["GiB", 2 ** 30],
]);

/** Milliseconds of `10s`, `5m`, `1h`, `500ms`, `7d`; null when the text is no duration. */
export function durationMs(text: string): number | null {
  return quantity(text, DURATION_MS);
}

/** Bytes of `256MiB`, `64kB`, `1GB`; null when the text is no size. */
export function sizeBytes(text: string): number | null {
  return quantity(text, SIZE_BYTES);
}

function quantity(text: string, units: ReadonlyMap<string, number>): number | null {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text);
  const unit = match && units.get(match[2] as string);
  if (!match || !unit) return null;
  const value = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(value) ? value : null;
}

/**
 * Milliseconds since 1970 UTC of an RFC 3339 time (`2026-11-20T09:00:00Z`, `2026-11-20 09:00:00.5+01:00`); null when the text is none.
 * Digits beyond the millisecond are cut off.
 */
export function rfc3339Ms(text: string): number | null {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:([Zz])|([+-])(\d{2}):(\d{2}))$/.exec(
      text,
    );
  if (!match) return null;
  const part = (group: number): number => Number(match[group] ?? 0);
  const milliseconds = Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const utc = Date.UTC(part(1), part(2) - 1, part(3), part(4), part(5), part(6), milliseconds);
  const date = new Date(utc);
  // Date.UTC carries 31 February over into March: what comes back differs from what was written.
  if (date.getUTCMonth() !== part(2) - 1 || date.getUTCDate() !== part(3)) return null;
  if (part(4) > 23 || part(5) > 59 || part(6) > 59 || part(10) > 23 || part(11) > 59) return null;
  const offsetMs = (part(10) * 60 + part(11)) * 60_000 * (match[9] === "-" ? -1 : 1);
  return utc - offsetMs;
}
