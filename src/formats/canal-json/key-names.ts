import { CLOSE_BRACKET, COMMA, OPEN_BRACKET, QUOTE } from "../json-bytes/ascii.ts";
import { JsonFault } from "../json-bytes/fault.ts";
import type { Range } from "../json-bytes/range.ts";
import { skipSpace, skipString } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { asciiText } from "../json-bytes/text.ts";

/** Lists kept: more than one topic's tables ever make; then all are forgotten. */
const MAX_CACHED = 4096;

/** Reads `pkNames`. Equal texts give the same array. */
export class KeyNames {
  private readonly byText = new Map<string, readonly string[] | null>();

  /**
   * The names in the array at `list`; null when there is none, or it is empty.
   * @throws JsonFault when it is no array of texts.
   */
  at(bytes: Uint8Array, list: Range): readonly string[] | null {
    if (list.start < 0) return null;
    const text = asciiText(bytes, list.start, list.end);
    let names = this.byText.get(text);
    if (names === undefined) {
      names = namesIn(bytes, list.start, list.end);
      if (this.byText.size === MAX_CACHED) this.byText.clear();
      this.byText.set(text, names);
    }
    return names;
  }
}

function namesIn(bytes: Uint8Array, pos: number, end: number): readonly string[] | null {
  if (bytes[pos] !== OPEN_BRACKET) throw new JsonFault(pos, "an array of key columns");
  const names: string[] = [];
  let at = skipSpace(bytes, pos + 1, end);
  while (bytes[at] !== CLOSE_BRACKET) {
    if (bytes[at] !== QUOTE) throw new JsonFault(at, "the name of a key column");
    names.push(stringAt(bytes, at, end));
    at = skipSpace(bytes, skipString(bytes, at, end), end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1, end);
  }
  return names.length === 0 ? null : names;
}
