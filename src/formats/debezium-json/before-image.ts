import { LETTER_n, CLOSE_BRACE } from "../json-bytes/ascii.ts";
import { keyText, findMember, nextMember } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import { skipKey, skipSpace, skipValue } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { asciiText, utf8Text } from "../json-bytes/text.ts";
import type { ConnectSchema } from "./connect-schema.ts";

const CONNECTOR = keyText("connector");

/** What Debezium writes for a required column without a default whose value PostgreSQL did not log. */
const FILLINGS: ReadonlySet<string> = new Set(["0", "0.0", "false", '""', '"AA=="', '"0"']);
/** Values longer than this are no filling: defaults that long are not looked for. */
const LONGEST_FILLING = 256;

/**
 * Whether the image at `before` says more of the row than its key. PostgreSQL logs no more of an old row without REPLICA IDENTITY FULL, and
 * Debezium then writes null for all other columns, or leaves them out. To take such an image for the row would be to invent its values.
 * @param key the key columns; without one every column tells.
 * @param filled see `fillsUnknown`. @param columns the row's columns as the message declares them, for their defaults.
 */
export function tellsMoreThanKey(
  bytes: Uint8Array,
  before: Range,
  key: readonly string[] | null,
  filled = false,
  columns: readonly ConnectSchema[] | null = null,
): boolean {
  const { start, end } = before;
  let pos = skipSpace(bytes, start + 1, end);
  if (bytes[pos] === CLOSE_BRACE) return false;
  while (pos >= 0) {
    const value = skipKey(bytes, pos, end);
    const next = skipValue(bytes, value, end);
    if (bytes[value] !== LETTER_n) {
      const name = stringAt(bytes, pos, end);
      const filling = filled && isFilling(bytes, value, next, name, columns);
      if (!filling && !key?.includes(name)) return true;
    }
    pos = nextMember(bytes, next, end);
  }
  return false;
}

/**
 * Whether the source fills columns that it does not know: of a deleted row PostgreSQL's connector writes their defaults, else 0, false or an
 * empty text where they are required. The old row of an update that left the key alone it writes only where it knows all of it.
 */
export function fillsUnknown(bytes: Uint8Array, source: Range): boolean {
  if (source.start < 0) return false;
  const at = findMember(bytes, source.start, source.end, CONNECTOR);
  return at >= 0 && asciiText(bytes, at, skipValue(bytes, at, source.end)) === '"postgresql"';
}

function isFilling(
  bytes: Uint8Array,
  start: number,
  end: number,
  name: string,
  columns: readonly ConnectSchema[] | null,
): boolean {
  if (end - start > LONGEST_FILLING) return false;
  const text = utf8Text(bytes, start, end);
  return FILLINGS.has(text) || columns?.find(({ field }) => field === name)?.fallback === text;
}
