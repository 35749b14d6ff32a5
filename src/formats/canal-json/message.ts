import { CLOSE_BRACE, LETTER_n, OPEN_BRACE, QUOTE, SPACE } from "../json-bytes/ascii.ts";
import { JsonFault } from "../json-bytes/fault.ts";
import { keyText, nextMember } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import { skipColon, skipSpace, skipString, skipValue } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { startsWith } from "../json-bytes/text.ts";

interface Member {
  readonly text: Uint8Array;
  /** Where its value stands; null for members that nothing is taken from. */
  readonly range: Range | null;
  /** What followed last time. */
  next: Member | null;
}

/** Members remembered by name besides those that are read: producers add a few of their own. */
const MAX_OTHERS = 64;

/**
 * One Canal message: where its parts stand. One object reads message after message. Their order is not fixed: Canal writes them by name,
 * so that the rows come before their types; the rows are read in a second pass.
 */
export class CanalMessage {
  readonly data = nowhere();
  readonly old = nowhere();
  readonly mysqlType = nowhere();
  readonly pkNames = nowhere();
  readonly database = nowhere();
  readonly table = nowhere();
  readonly type = nowhere();
  readonly isDdl = nowhere();
  /** When the source made the changes, in milliseconds. */
  readonly es = nowhere();
  /** What TiCDC adds. */
  readonly tidb = nowhere();
  private readonly ranges: readonly Range[];
  private readonly known = new Map<string, Member>();
  private others = 0;
  private first: Member | null = null;

  constructor() {
    const { data, old, mysqlType, pkNames, database, table, type, isDdl, es, tidb } = this;
    const named = { data, old, mysqlType, pkNames, database, table, type, isDdl, es, _tidb: tidb };
    this.ranges = Object.values(named);
    for (const [name, range] of Object.entries(named)) this.known.set(name, { text: keyText(name), range, next: null });
  }

  /**
   * Reads the message from `start` to `end`.
   * @throws JsonFault for malformed JSON.
   */
  read(bytes: Uint8Array, start: number, end: number): void {
    for (const range of this.ranges) range.start = -1;
    let pos = skipSpace(bytes, start, end);
    if (pos >= end || bytes[pos] !== OPEN_BRACE) throw new JsonFault(pos, "an object");
    pos = skipSpace(bytes, pos + 1, end);
    pos = pos < end && bytes[pos] === CLOSE_BRACE ? pos + 1 : this.members(bytes, pos, end);
    const rest = skipSpace(bytes, pos, end);
    if (rest !== end) throw new JsonFault(rest, "the end of the message");
  }

  private members(bytes: Uint8Array, pos: number, end: number): number {
    let previous: Member | null = null;
    let member: Member | null = this.first;
    while (pos >= 0) {
      if (member !== null && startsWith(bytes, pos, member.text)) {
        pos += member.text.length;
        if ((bytes[pos] as number) <= SPACE) pos = skipSpace(bytes, pos, end);
      } else {
        if (pos >= end || bytes[pos] !== QUOTE) throw new JsonFault(Math.min(pos, end), "a key");
        const value = skipColon(bytes, skipString(bytes, pos, end), end);
        member = this.memberNamed(stringAt(bytes, pos, end));
        if (previous === null) this.first = member;
        else previous.next = member;
        pos = value;
      }
      const next = skipValue(bytes, pos, end);
      const range: Range | null = member?.range ?? null;
      if (range !== null && bytes[pos] !== LETTER_n) {
        if (range.start >= 0) throw new JsonFault(pos, "each part of a message once");
        range.start = pos;
        range.end = next;
      }
      pos = nextMember(bytes, next, end);
      previous = member;
      member = member === null ? null : member.next;
    }
    return ~pos;
  }

  private memberNamed(name: string): Member | null {
    let member = this.known.get(name) ?? null;
    if (member === null && this.others < MAX_OTHERS) {
      this.others++;
      member = { text: keyText(name), range: null, next: null };
      this.known.set(name, member);
    }
    return member;
  }
}

function nowhere(): Range {
  return { start: -1, end: -1 };
}
