import { CLOSE_BRACE, OPEN_BRACE, QUOTE } from "../json-bytes/ascii.ts";
import { JsonFault } from "../json-bytes/fault.ts";
import { keyText, nextMember } from "../json-bytes/members.ts";
import { skipColon, skipSpace, skipString, skipValue } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { startsWith } from "../json-bytes/text.ts";
import { type ConnectSchema, SchemaCache } from "./connect-schema.ts";

/** Columns that messages name as their key, as many as have been seen. */
interface KeyShape {
  readonly names: readonly string[];
  readonly texts: readonly Uint8Array[];
}

const SCHEMA = keyText("schema");
const PAYLOAD = keyText("payload");

/**
 * The key of a message: a struct of the key columns, with or without its schema around it. One object reads message after message.
 */
export class MessageKey {
  /** Names of the key columns, the same array for equal names; null when the message has no key, or one that is no struct. */
  names: readonly string[] | null = null;
  /** The struct's declared columns, where the key carries its schema. */
  schema: ConnectSchema | null = null;
  /** Where the struct stands, when `names` is not null. */
  start = 0;
  end = 0;
  private shape: KeyShape = { names: [], texts: [] };
  private readonly shapes = new Map<string, KeyShape>();
  private readonly schemas = new SchemaCache();

  /**
   * Reads the key from `start` to `end` of `bytes`; a negative start means that there is none.
   * @throws JsonFault for a struct that is malformed, FrazilError for a broken schema.
   */
  read(bytes: Uint8Array, start: number, end: number): void {
    this.names = null;
    this.schema = null;
    if (start < 0) return;
    const pos = skipSpace(bytes, start, end);
    if (bytes[pos] !== OPEN_BRACE || pos >= end) return;
    const next = this.unwrap(bytes, pos, end) ?? this.readStruct(bytes, pos, end);
    const rest = skipSpace(bytes, next, end);
    if (rest !== end) throw new JsonFault(rest, "the end of the key");
  }

  /** Reads `{"schema": {…}, "payload": {…}}`; null when the object is something else. */
  private unwrap(bytes: Uint8Array, pos: number, end: number): number | null {
    let at = skipSpace(bytes, pos + 1, end);
    if (!startsWith(bytes, at, SCHEMA)) return null;
    at = skipSpace(bytes, at + SCHEMA.length, end);
    // A table may have a key column of that name; only an object or null can be a schema.
    if (bytes[at] === OPEN_BRACE) {
      this.schema = this.schemas.at(bytes, at, end);
      at = this.schemas.next;
    } else if (bytes[at] === 0x6e) {
      at = skipValue(bytes, at, end);
    } else {
      return null;
    }
    at = nextMember(bytes, at, end);
    if (at < 0 || !startsWith(bytes, at, PAYLOAD)) throw new JsonFault(Math.abs(at), 'the key\'s "payload"');
    at = skipSpace(bytes, at + PAYLOAD.length, end);
    const next = bytes[at] === OPEN_BRACE ? this.readStruct(bytes, at, end) : skipValue(bytes, at, end);
    const last = nextMember(bytes, next, end);
    if (last >= 0) throw new JsonFault(last, 'the end of the key after "payload"');
    return ~last;
  }

  private readStruct(bytes: Uint8Array, pos: number, end: number): number {
    this.start = pos;
    let next = this.readKnown(bytes, pos, end);
    if (next < 0) {
      this.shape = this.shapeOf(bytes, pos, end);
      next = skipValue(bytes, pos, end);
    }
    this.end = next;
    this.names = this.shape.names.length === 0 ? null : this.shape.names;
    return next;
  }

  /** Checks the struct against the shape of the message before; -1 when it differs. */
  private readKnown(bytes: Uint8Array, pos: number, end: number): number {
    const { texts } = this.shape;
    let at = pos + 1;
    for (let k = 0; k < texts.length; k++) {
      const text = texts[k] as Uint8Array;
      if (at < 0 || !startsWith(bytes, at, text)) return -1;
      at = skipValue(bytes, skipSpace(bytes, at + text.length, end), end);
      at = nextMember(bytes, at, end);
    }
    return at < 0 ? ~at : -1;
  }

  private shapeOf(bytes: Uint8Array, pos: number, end: number): KeyShape {
    const names: string[] = [];
    let at = skipSpace(bytes, pos + 1, end);
    if (bytes[at] === CLOSE_BRACE) at = -1;
    while (at >= 0) {
      if (bytes[at] !== QUOTE || at >= end) throw new JsonFault(at, "a key");
      const value = skipColon(bytes, skipString(bytes, at, end), end);
      names.push(stringAt(bytes, at, end));
      at = nextMember(bytes, skipValue(bytes, value, end), end);
    }
    const id = JSON.stringify(names);
    const shape = this.shapes.get(id) ?? { names, texts: names.map(keyText) };
    this.shapes.set(id, shape);
    return shape;
  }
}
