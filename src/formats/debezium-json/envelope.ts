import { CLOSE_BRACE, LETTER_n, OPEN_BRACE, QUOTE, SPACE } from "../json-bytes/ascii.ts";
import { JsonFault } from "../json-bytes/fault.ts";
import { keyText, nextMember } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import { skipColon, skipSpace, skipString, skipValue } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { startsWith } from "../json-bytes/text.ts";
import { type ConnectSchema, SchemaCache } from "./connect-schema.ts";

/** Keys that are looked at, by number. */
const Key = { before: 0, after: 1, source: 2, op: 3, schema: 4, payload: 5, other: 6 } as const;

interface KnownKey {
  readonly name: string;
  readonly text: Uint8Array;
  readonly key: number;
  /** What followed last time. */
  next: KnownKey | null;
}

/** Keys of which messages are made that are no row changes, and those beside the rows in one that is. */
const OTHERS = [
  "ts_ms",
  "ts_us",
  "ts_ns",
  "transaction",
  "message",
  "status",
  "id",
  "event_count",
  "data_collections",
  "ddl",
  "databaseName",
  "schemaName",
  "tableChanges",
  "historyRecord",
  "type",
  "aggregate_type",
  "additional_data",
  "timestamp",
  "patch",
  "updateDescription",
];

/** Names of unknown keys that are kept for a message's error. */
const MAX_OTHERS = 32;

/** Takes the row image while the envelope is being read, which saves skipping it first. */
export interface AfterTaker {
  /** Reads the object at `pos` and returns the position after it, or -1 to have it skipped. */
  takeAfter(bytes: Uint8Array, pos: number, end: number): number;
}

/**
 * The envelope of one message: where its parts stand. One object reads message after message. Debezium writes `before`, `after`,
 * `source`, `op` in this order, and any other is read too.
 */
export class Envelope {
  readonly before: Range = { start: -1, end: -1 };
  readonly after: Range = { start: -1, end: -1 };
  readonly source: Range = { start: -1, end: -1 };
  /** Whether `before` has been met, null or not. */
  beforeMet = false;
  /** The byte of `op`, or 0. */
  op = 0;
  /** What the message says of its columns; null = nothing. */
  schema: ConnectSchema | null = null;
  /** Whether the payload itself is null: a tombstone in its wrapping. */
  empty = false;
  /** Keys besides those with a place here, as far as they come before an op: they tell what else a message is. */
  readonly others = new Set<string>();
  private readonly payload: Range = { start: -1, end: -1 };
  private readonly known = new Map<string, KnownKey>();
  /** What the last message and the last payload began with. */
  private firstOutside: KnownKey | null = null;
  private firstInside: KnownKey | null = null;
  private schemaMet = false;
  private readonly schemas = new SchemaCache();

  constructor() {
    for (const [name, key] of [
      ...Object.entries(Key).slice(0, 6),
      ...OTHERS.map((name) => [name, Key.other] as const),
    ]) {
      this.known.set(name, { name, text: keyText(name), key, next: null });
    }
  }

  /**
   * Reads the message from `start` to `end`.
   * @throws JsonFault for malformed JSON; whatever `taker` throws.
   */
  read(bytes: Uint8Array, start: number, end: number, taker: AfterTaker): void {
    this.before.start = this.after.start = this.source.start = this.payload.start = -1;
    this.op = 0;
    this.beforeMet = this.empty = this.schemaMet = false;
    this.schema = null;
    if (this.others.size > 0) this.others.clear();
    const pos = skipSpace(bytes, start, end);
    const rest = skipSpace(bytes, this.object(bytes, pos, end, taker, true), end);
    if (rest !== end) throw new JsonFault(rest, "the end of the message");
    // The payload came before its schema.
    if (this.payload.start >= 0) this.object(bytes, this.payload.start, this.payload.end, taker, false);
  }

  private object(bytes: Uint8Array, pos: number, end: number, taker: AfterTaker, outermost: boolean): number {
    if (pos >= end || bytes[pos] !== OPEN_BRACE) throw new JsonFault(pos, "an object");
    pos = skipSpace(bytes, pos + 1, end);
    if (bytes[pos] === CLOSE_BRACE) return pos + 1;
    let previous: KnownKey | null = null;
    let expected = outermost ? this.firstOutside : this.firstInside;
    while (pos >= 0) {
      let known: KnownKey | null = expected;
      if (known !== null && startsWith(bytes, pos, known.text)) {
        pos += known.text.length;
        if ((bytes[pos] as number) <= SPACE) pos = skipSpace(bytes, pos, end);
      } else {
        if (pos >= end || bytes[pos] !== QUOTE) throw new JsonFault(Math.min(pos, end), "a key");
        const value = skipColon(bytes, skipString(bytes, pos, end), end);
        const name = stringAt(bytes, pos, end);
        known = this.known.get(name) ?? null;
        if (known === null) this.addOther(name);
        else if (previous !== null) previous.next = known;
        else if (outermost) this.firstOutside = known;
        else this.firstInside = known;
        pos = value;
      }
      if (pos >= end) throw new JsonFault(end, "a value");
      pos = this.value(known === null ? Key.other : known.key, known, bytes, pos, end, taker, outermost);
      pos = nextMember(bytes, pos, end);
      if (known !== null) {
        previous = known;
        expected = known.next;
      } else {
        expected = null;
      }
    }
    return ~pos;
  }

  private value(
    key: number,
    known: KnownKey | null,
    bytes: Uint8Array,
    pos: number,
    end: number,
    taker: AfterTaker,
    outermost: boolean,
  ): number {
    switch (key) {
      case Key.before:
        this.beforeMet = true;
        return place(this.before, bytes, pos, end);
      case Key.after: {
        if (bytes[pos] === OPEN_BRACE && this.beforeMet && this.after.start < 0) {
          const next = taker.takeAfter(bytes, pos, end);
          if (next >= 0) {
            this.after.start = pos;
            return (this.after.end = next);
          }
        }
        return place(this.after, bytes, pos, end);
      }
      case Key.source:
        return place(this.source, bytes, pos, end);
      case Key.op:
        return this.readOp(bytes, pos, end);
      case Key.schema:
        if (!outermost) break;
        this.schemaMet = true;
        if (bytes[pos] !== OPEN_BRACE) return skipValue(bytes, pos, end);
        this.schema = this.schemas.at(bytes, pos, end);
        return this.schemas.next;
      case Key.payload:
        if (!outermost) break;
        if (bytes[pos] === LETTER_n) this.empty = true;
        else if (this.schemaMet) return this.object(bytes, pos, end, taker, false);
        return place(this.payload, bytes, pos, end);
    }
    // Debezium writes the op before the clocks, so that a row change costs no entry.
    if (this.op === 0 && known !== null) this.others.add(known.name);
    return skipValue(bytes, pos, end);
  }

  private addOther(name: string): void {
    if (this.others.size < MAX_OTHERS) this.others.add(name);
  }

  private readOp(bytes: Uint8Array, pos: number, end: number): number {
    const next = skipValue(bytes, pos, end);
    if (bytes[pos] !== QUOTE || next !== pos + 3) throw new JsonFault(pos, 'an "op" of one letter');
    this.op = bytes[pos + 1] as number;
    return next;
  }
}

function place(range: Range, bytes: Uint8Array, pos: number, end: number): number {
  const next = skipValue(bytes, pos, end);
  if (range.start >= 0) throw new JsonFault(pos, "each part of a change event once");
  if (bytes[pos] !== LETTER_n) {
    range.start = pos;
    range.end = next;
  }
  return next;
}
