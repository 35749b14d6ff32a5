import { COLON, DOT, isDigit, LETTER_T, LETTER_Z, LETTER_z, MINUS, PLUS, SPACE, ZERO } from "./ascii.ts";

/**
 * What an ISO 8601 text says. One object is reused. Where there is no date `days` is 0, where there is no time `seconds` is.
 */
export interface IsoRead {
  /** Days since 1970-01-01 in the proleptic Gregorian calendar. */
  days: number;
  hasDate: boolean;
  hasTime: boolean;
  /** Second of the day, 0 to 86399, as written: the offset is not taken off. */
  seconds: number;
  /** 0 to 999,999,999. */
  nanos: number;
  hasOffset: boolean;
  /** Seconds east of UTC. */
  offsetSeconds: number;
}

const read: IsoRead = {
  days: 0,
  hasDate: false,
  hasTime: false,
  seconds: 0,
  nanos: 0,
  hasOffset: false,
  offsetSeconds: 0,
};

/** Where parsing stands; the functions below move it. */
let pos = 0;
let stop = 0;

/**
 * Reads `2024-02-29`, `12:30[:15[.123456789]]`, or both with `T` or a space between, each with an optional `Z` or offset
 * (`+02`, `+0200`, `+02:00`, `+02:00:30`). Years may have a sign and up to six digits. Null when it is none of these.
 */
export function readIso(bytes: Uint8Array, start: number, end: number): IsoRead | null {
  pos = start;
  stop = end;
  read.days = read.seconds = read.nanos = read.offsetSeconds = 0;
  read.hasOffset = read.hasTime = false;
  read.hasDate = bytes[start + 2] !== COLON;
  if (read.hasDate) {
    if (!readDate(bytes)) return null;
    const mark = pos < stop ? (bytes[pos] as number) : 0;
    if (mark === SPACE || (mark & ~0x20) === LETTER_T) {
      pos++;
      if (!readTime(bytes)) return null;
    }
  } else if (!readTime(bytes)) {
    return null;
  }
  return readOffset(bytes) && pos === stop ? read : null;
}

/** Days since 1970-01-01 of a date in the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
export function daysOfDate(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

function readDate(bytes: Uint8Array): boolean {
  const sign = bytes[pos];
  if (sign === PLUS || sign === MINUS) pos++;
  const from = pos;
  const year = number(bytes, 6);
  if (pos - from < 4 || !take(bytes, MINUS)) return false;
  const month = twoDigits(bytes);
  if (!take(bytes, MINUS)) return false;
  const day = twoDigits(bytes);
  const signed = sign === MINUS ? -year : year;
  if (month < 1 || month > 12 || day < 1 || day > daysOfMonth(signed, month)) return false;
  read.days = daysOfDate(signed, month, day);
  return true;
}

function daysOfMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function readTime(bytes: Uint8Array): boolean {
  const hours = twoDigits(bytes);
  if (hours < 0 || hours > 23 || !take(bytes, COLON)) return false;
  const minutes = twoDigits(bytes);
  if (minutes < 0 || minutes > 59) return false;
  let seconds = 0;
  if (take(bytes, COLON)) {
    seconds = twoDigits(bytes);
    if (seconds < 0 || seconds > 59) return false;
    if (take(bytes, DOT)) {
      const from = pos;
      const fraction = number(bytes, 9);
      if (pos === from) return false;
      read.nanos = fraction * 10 ** (9 - (pos - from));
    }
  }
  read.hasTime = true;
  read.seconds = hours * 3600 + minutes * 60 + seconds;
  return true;
}

function readOffset(bytes: Uint8Array): boolean {
  if (pos === stop) return true;
  read.hasOffset = true;
  const mark = bytes[pos++];
  if (mark === LETTER_Z || mark === LETTER_z) return true;
  if (mark !== PLUS && mark !== MINUS) return false;
  const hours = twoDigits(bytes);
  if (hours < 0 || hours > 18) return false;
  let offset = hours * 3600;
  if (take(bytes, COLON) || (pos < stop && isDigit(bytes[pos]))) {
    const minutes = twoDigits(bytes);
    if (minutes < 0 || minutes > 59) return false;
    offset += minutes * 60;
    if (take(bytes, COLON)) {
      const seconds = twoDigits(bytes);
      if (seconds < 0 || seconds > 59) return false;
      offset += seconds;
    }
  }
  read.offsetSeconds = mark === MINUS ? -offset : offset;
  return true;
}

function take(bytes: Uint8Array, byte: number): boolean {
  if (pos >= stop || bytes[pos] !== byte) return false;
  pos++;
  return true;
}

function twoDigits(bytes: Uint8Array): number {
  const from = pos;
  const value = number(bytes, 2);
  return pos - from === 2 ? value : -1;
}

function number(bytes: Uint8Array, most: number): number {
  let value = 0;
  for (let k = 0; k < most && pos < stop && isDigit(bytes[pos]); k++)
    value = value * 10 + (bytes[pos++] as number) - ZERO;
  return value;
}
