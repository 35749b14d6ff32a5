import { LETTER_n, CLOSE_BRACE } from "../json-bytes/ascii.ts";
import { keyText, findMember, nextMember } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import { skipKey, skipSpace, skipValue } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { asciiText } from "../json-bytes/text.ts";

const CONNECTOR = keyText("connector");

/** What Debezium writes for a required column whose value PostgreSQL did not log. */
const FILLINGS: ReadonlySet<string> = new Set(["0", "0.0", "false", '""', '"AA=="', '"0"']);
const LONGEST_FILLING = 6;

/**
 * Whether the image at `before` says more of the row than its key. PostgreSQL logs no more of an old row without REPLICA IDENTITY FULL, and
 * Debezium then writes null for all other columns, or leaves them out. To take such an image for the row would be to invent its values.
 * @param key the key columns; without one every column tells. @param filled see `fillsRequired`.
 */
export function tellsMoreThanKey(
  bytes: Uint8Array,
  before: Range,
  key: readonly string[] | null,
  filled = false,
): boolean {
  const { start, end } = before;
  let pos = skipSpace(bytes, start + 1, end);
  if (bytes[pos] === CLOSE_BRACE) return false;
  while (pos >= 0) {
    const value = skipKey(bytes, pos, end);
    const next = skipValue(bytes, value, end);
    const told = bytes[value] !== LETTER_n && !(filled && isFilling(bytes, value, next));
    if (told && !key?.includes(stringAt(bytes, pos, end))) return true;
    pos = nextMember(bytes, next, end);
  }
  return false;
}

/**
 * Whether the source fills the required columns that it does not know: of a deleted row PostgreSQL's connector writes 0, false or an
 * empty text. The old row of an update that left the key alone it writes only where it knows all of it.
 */
export function fillsRequired(bytes: Uint8Array, source: Range): boolean {
  if (source.start < 0) return false;
  const at = findMember(bytes, source.start, source.end, CONNECTOR);
  return at >= 0 && asciiText(bytes, at, skipValue(bytes, at, source.end)) === '"postgresql"';
}

function isFilling(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start <= LONGEST_FILLING && FILLINGS.has(asciiText(bytes, start, end));
}
