import { type ChangeBatch, Op } from "../../core/change-batch.ts";
import { FrazilError } from "../../core/errors.ts";
import type { Decoder, Rejects } from "../../core/format.ts";
import type { MessageSlab } from "../../core/message-slab.ts";
import type { DecodeNotices, TableBinding, TableRouter } from "../../core/table-binding.ts";
import { LETTER_n } from "../json-bytes/ascii.ts";
import { findMember } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import { skipValue } from "../json-bytes/skip.ts";
import { rangesEqual } from "../json-bytes/text.ts";
import { dataError, MessageFault, notKept } from "../json-columns/data-errors.ts";
import { type AfterTaker, Envelope } from "./envelope.ts";
import { fillsUnknown, tellsMoreThanKey } from "./before-image.ts";
import { rowFields } from "./connect-schema.ts";
import { KeyedDeletes } from "./keyed-deletes.ts";
import { MessageKey } from "./message-key.ts";
import { noneSkipped, type SkippedCounts, type SkippedKind, skippedKind } from "./skipped.ts";
import { SchemaRows } from "./schema-rows.ts";
import { keySchemaTable, sourceTable } from "./source-table.ts";
import { sourceTimeUs } from "./source-time.ts";
import { TombstoneEchoes } from "./tombstone-echoes.ts";

const CREATE = 0x63;
const DELETE = 0x64;
const LOGICAL_MESSAGE = 0x6d;
const READ = 0x72;
const TRUNCATE = 0x74;
const UPDATE = 0x75;

/** Stands on the `c` of a key change, which Debezium sends as a `d` of the old key and a `c` of the new one. */
const OLD_KEY_HEADER = "__debezium.oldkey";

/** Decodes Debezium's change events; see `debeziumJson`. */
export class DebeziumJsonDecoder implements Decoder, AfterTaker {
  /** Messages that were not row changes, since the start. */
  readonly skipped: SkippedCounts = noneSkipped();
  private readonly router: TableRouter;
  private readonly notices: DecodeNotices;
  private readonly rejects: Rejects | null;
  private readonly tables = new Map<number, SchemaRows>();
  private readonly unrouted = new Set<string>();
  private readonly key = new MessageKey();
  private readonly envelope = new Envelope();
  private readonly echoes = new TombstoneEchoes();
  private readonly deletes = new KeyedDeletes();
  private slab!: MessageSlab;
  private offsetWords: Int32Array = new Int32Array(0);
  private message = 0;
  private inKey = false;
  /** The slab's table where its stream decides; else null. */
  private streamTable: SchemaRows | null = null;
  /** The table of the message, once known. */
  private table: SchemaRows | null = null;
  private rowTaken = false;
  /** Whether rows of the message may have been committed before it has been read to its end. */
  private marked = false;
  /** `after` while it is still being read: its end is the message's. */
  private readonly ahead: Range = { start: 0, end: 0 };

  constructor(router: TableRouter, notices: DecodeNotices, rejects: Rejects | null) {
    this.router = router;
    this.notices = notices;
    this.rejects = rejects;
  }

  decode(slab: MessageSlab): ChangeBatch[] {
    this.slab = slab;
    this.offsetWords = new Int32Array(slab.offsets.buffer, slab.offsets.byteOffset, slab.count * 2);
    for (const table of this.tables.values()) table.begin(slab);
    this.echoes.begin();
    const binding = this.router.byStream(slab.stream);
    this.streamTable = binding === null ? null : this.tableOf(binding);
    for (this.message = 0; this.message < slab.count; this.message++) {
      try {
        this.decodeMessage();
      } catch (fault) {
        this.refuse(fault);
      }
    }
    this.echoes.finish(slab);
    return [...this.tables.values()].flatMap((table) => table.take());
  }

  /** Hands the message to the rejects, without a row of it left behind; throws where there are none or it is no fault of the data. */
  private refuse(fault: unknown): void {
    const { slab, message, table, rejects } = this;
    const slot = table?.slotInRow ?? null;
    const error = dataError(fault, { slab, message, inKey: this.inKey, binding: table?.binding ?? null, slot });
    if (!(error instanceof FrazilError) || error.kind !== "data") throw error;
    if (rejects === null) throw notKept(error);
    if (this.marked) table?.undo();
    else table?.drop();
    rejects.reject(slab, message, error, slot?.name ?? null, (table ?? this.streamTable)?.binding.target ?? null);
  }

  private tableOf(binding: TableBinding): SchemaRows {
    let table = this.tables.get(binding.table);
    if (table === undefined) {
      table = new SchemaRows(binding, this.notices);
      table.begin(this.slab);
      this.tables.set(binding.table, table);
    }
    return table;
  }

  private decodeMessage(): void {
    const { slab, message } = this;
    this.table = null;
    this.marked = false;
    this.inKey = true;
    this.key.read(slab.bytes, slab.keyStarts[message] as number, slab.keyEnds[message] as number);
    this.inKey = false;
    const start = slab.valueStarts[message] as number;
    if (start < 0) {
      // There is no envelope: what the last one said is not about this message.
      this.envelope.source.start = -1;
      this.tombstone();
      return;
    }
    this.rowTaken = false;
    this.envelope.read(slab.bytes, start, slab.valueEnds[message] as number, this);
    if (this.envelope.empty) this.tombstone();
    else if (this.envelope.op === 0) this.skip(skippedKind(this.envelope) ?? this.unknownShape());
    else this.change(this.envelope.op);
  }

  /** Reads the row while the envelope is read, when nothing that comes after it can decide otherwise. */
  takeAfter(bytes: Uint8Array, pos: number, end: number): number {
    const table = this.streamTable;
    if (table === null) return -1;
    const { before } = this.envelope;
    if (before.start >= 0) {
      if (keepsBefore(table)) return -1;
      const key = this.keyOf(table.binding);
      this.ahead.start = pos;
      this.ahead.end = end;
      if (key !== null && !this.sameKey(key, before, this.ahead)) return -1;
    }
    const next = this.readRow(table, bytes, pos, end, false);
    this.rowTaken = true;
    return next;
  }

  private change(op: number): void {
    const { envelope } = this;
    if (op === LOGICAL_MESSAGE) {
      this.skip("logicalMessage");
      return;
    }
    const table = this.streamTable ?? this.routeBySource();
    if (table === null) {
      if (op === DELETE) this.echoes.noteDelete(this.message);
      this.skip("unrouted");
      return;
    }
    this.table = table;
    switch (op) {
      case CREATE:
      case READ:
        this.inserted(table);
        break;
      case UPDATE:
        this.update(table);
        break;
      case DELETE:
        this.delete(table);
        break;
      case TRUNCATE:
        this.refuseAfter();
        table.useSchema(envelope.schema);
        table.startRow(false);
        this.commit(table, Op.truncate);
        break;
      default:
        throw new MessageFault(
          "UNKNOWN_OP",
          `expected an "op" of c, r, u, d, t or m, found ${JSON.stringify(String.fromCharCode(op))}`,
          "the job's format must be the one that the producer writes",
        );
    }
  }

  /**
   * An insert may hold the very text that stands for an unavailable value elsewhere. The second half of a key change may not: its value
   * stood in the row of the old key, and is not to be had from this message.
   */
  private inserted(table: SchemaRows): void {
    this.row(table, false);
    if (table.placeholders > 0) {
      if (this.slab.headers(this.message).some(([name]) => name === OLD_KEY_HEADER)) {
        throw new MessageFault(
          "UNAVAILABLE_VALUE",
          "expected every value of a row whose key has changed, found Debezium's placeholder for one that it did not have at hand",
          "let the source send whole rows (PostgreSQL: REPLICA IDENTITY FULL)",
        );
      }
      this.row(table, true);
    }
    this.commit(table, Op.insert);
  }

  /** A key change, where a producer makes one event of it, is a delete of the old key and an insert of the new one. */
  private update(table: SchemaRows): void {
    const { before, after, schema } = this.envelope;
    const { bytes } = this.slab;
    const key = this.keyOf(table.binding);
    if (keepsBefore(table) && before.start >= 0 && after.start >= 0 && tellsMoreThanKey(bytes, before, key)) {
      this.bothImages(table);
      return;
    }
    const changed =
      !this.rowTaken && before.start >= 0 && after.start >= 0 && key !== null && !this.sameKey(key, before, after);
    if (!changed) {
      this.row(table, false);
      this.commit(table, Op.update);
      return;
    }
    table.useSchema(schema);
    table.useKey(this.messageKeyFor(table));
    table.foresee(bytes, key, before, after);
    table.mark();
    this.marked = true;
    if (this.deletes.fromImage(table, key, bytes, before)) this.commit(table, Op.delete);
    else if (table.binding.mode !== "append") throw missingKey(key);
    this.row(table, false);
    this.commit(table, Op.insert);
  }

  /** An update with the row as it was, whatever became of its key. */
  private bothImages(table: SchemaRows): void {
    const { before, schema } = this.envelope;
    table.useSchema(schema);
    table.useKey(this.messageKeyFor(table));
    table.mark();
    this.marked = true;
    this.readRow(table, this.slab.bytes, before.start, before.end, false);
    this.commit(table, Op.updateBefore);
    this.rowTaken = false;
    this.row(table, false);
    this.commit(table, Op.update);
  }

  /** Makes sure that the row of `after` has been read. `literal`: see `RowState`. */
  private row(table: SchemaRows, literal: boolean): void {
    const { after } = this.envelope;
    if (after.start < 0) {
      throw new MessageFault(
        "NO_ROW",
        'expected "after" with the row\'s columns, found none',
        "changes that carry no full row (MongoDB without full documents) cannot be applied",
      );
    }
    if (this.rowTaken && literal && table.placeholders > 0) {
      table.drop();
      this.rowTaken = false;
    }
    if (!this.rowTaken) this.readRow(table, this.slab.bytes, after.start, after.end, literal);
    const key = this.keyOf(table.binding);
    if (key !== null && table.binding.mode !== "append") table.requireKey(key);
  }

  private commit(table: SchemaRows, op: number): void {
    if (table.keepsTimes) table.sourceTimeUs = sourceTimeUs(this.slab.bytes, this.envelope.source);
    table.commit(op, this.offsetWords, this.message);
  }

  private readRow(table: SchemaRows, bytes: Uint8Array, pos: number, end: number, literal: boolean): number {
    this.table = table;
    table.useSchema(this.envelope.schema);
    table.useKey(this.messageKeyFor(table));
    return table.read(bytes, pos, end, literal);
  }

  private delete(table: SchemaRows): void {
    this.refuseAfter();
    const { before, schema } = this.envelope;
    const { bytes } = this.slab;
    const key = this.keyOf(table.binding);
    this.echoes.noteDelete(this.message);
    table.useSchema(schema);
    table.useKey(this.messageKeyFor(table));
    if ((keepsBefore(table) || table.binding.orderBy !== undefined) && this.wholeBefore(table, key)) {
      this.commit(table, Op.delete);
      return;
    }
    const found = (before.start >= 0 && this.deletes.fromImage(table, key, bytes, before)) || this.deleteByKey(table);
    if (!found) {
      // Append tables refuse deletes whatever they hold.
      if (table.binding.mode !== "append") throw missingKey(key);
      table.startRow(false);
    }
    this.commit(table, Op.delete);
  }

  /** Reads the row as it was, where the message has more of it than its key. */
  private wholeBefore(table: SchemaRows, key: readonly string[] | null): boolean {
    const { before, source, schema } = this.envelope;
    const { bytes } = this.slab;
    if (before.start < 0) return false;
    const columns = schema === null ? null : rowFields(schema);
    if (!tellsMoreThanKey(bytes, before, key, fillsUnknown(bytes, source), columns)) return false;
    if (key !== null && !this.deletes.locate(key, bytes, before)) return false;
    this.readRow(table, bytes, before.start, before.end, false);
    return true;
  }

  private deleteByKey(table: SchemaRows): boolean {
    this.inKey = true;
    const found = this.deletes.fromKey(table, this.keyOf(table.binding), this.key, this.slab.bytes);
    this.inKey = false;
    return found;
  }

  /** A message without value says that the row of its key is gone: nothing to do where a delete came before. */
  private tombstone(): void {
    const { slab, message, key } = this;
    if (key.names === null) {
      this.skip("empty");
      return;
    }
    const tableId = keySchemaTable(key.schema);
    const table = this.streamTable ?? this.tableById(tableId);
    if (table === null) {
      // The delete before has said already what no entry takes.
      const echo = this.echoes.isEcho(slab, message);
      if (!echo) this.noteUnrouted(tableId);
      this.skip(echo ? "tombstone" : "unrouted");
      return;
    }
    // A row of history for each change: the delete before it has made this one's. And a delete that came too late is no better for its echo.
    const { mode, onceDeleted } = table.binding;
    if (
      (mode === "history" && this.echoes.isEcho(slab, message)) ||
      (onceDeleted === true && this.echoes.isKnownEcho(slab, message))
    ) {
      this.skip("tombstone");
      return;
    }
    this.table = table;
    table.useKey(this.messageKeyFor(table));
    if (this.deleteByKey(table)) {
      this.commit(table, Op.delete);
    } else if (this.echoes.isEcho(slab, message)) {
      this.skip("tombstone");
    } else {
      throw missingKey(this.keyOf(table.binding));
    }
  }

  /** The key columns: the job's, else those that the message names. */
  private keyOf(binding: TableBinding): readonly string[] | null {
    return binding.key ?? this.key.names;
  }

  /** What `ChangeBatch.key` says: nothing where the job has said it already. */
  private messageKeyFor(table: SchemaRows): readonly string[] | null {
    return table.binding.key === null ? this.key.names : null;
  }

  /** Whether two images of a row hold the same key. An image that lacks a key column, or has null there, says nothing of it. */
  private sameKey(key: readonly string[], before: Range, after: Range): boolean {
    const { bytes } = this.slab;
    for (const text of this.deletes.textsOf(key)) {
      const old = findMember(bytes, before.start, before.end, text);
      if (old < 0 || bytes[old] === LETTER_n) continue;
      const now = findMember(bytes, after.start, after.end, text);
      if (now < 0) continue;
      const oldEnd = skipValue(bytes, old, before.end);
      if (!rangesEqual(bytes, old, oldEnd, bytes, now, skipValue(bytes, now, after.end))) return false;
    }
    return true;
  }

  private refuseAfter(): void {
    if (this.envelope.after.start < 0) return;
    throw new MessageFault(
      "UNEXPECTED_ROW",
      `expected no "after" in a change with op ${String.fromCharCode(this.envelope.op)}, found one`,
      "the job's format must be the one that the producer writes",
    );
  }

  private routeBySource(): SchemaRows | null {
    return this.routeById(sourceTable(this.slab.bytes, this.envelope.source));
  }

  private routeById(tableId: string | null): SchemaRows | null {
    const table = this.tableById(tableId);
    if (table === null) this.noteUnrouted(tableId);
    return table;
  }

  private tableById(tableId: string | null): SchemaRows | null {
    const binding = this.router.route(this.slab.stream, tableId);
    return binding === null ? null : this.tableOf(binding);
  }

  /** Says once that no entry takes a table. */
  private noteUnrouted(tableId: string | null): void {
    const { stream } = this.slab;
    const subject = JSON.stringify([stream, tableId]);
    if (this.unrouted.has(subject)) return;
    this.unrouted.add(subject);
    this.notices.unrouted(stream, tableId);
  }

  private skip(kind: SkippedKind): void {
    this.skipped[kind]++;
  }

  private unknownShape(): never {
    const keys = [...this.envelope.others].slice(0, 8).join(", ");
    throw new MessageFault(
      "NOT_A_CHANGE_EVENT",
      `expected a Debezium change event with "op", found an object of ${keys === "" ? "no known key" : keys}`,
      "rows flattened by ExtractNewRecordState are another format: take that transform off the connector",
    );
  }
}

/** Whether a table takes rows as they were before their updates, too. */
function keepsBefore(table: SchemaRows): boolean {
  return table.binding.mode === "history";
}

function missingKey(key: readonly string[] | null): MessageFault {
  return new MessageFault(
    "DELETE_WITHOUT_KEY",
    `expected a value for each key column (${key === null ? "the message names none" : key.join(", ")}) of the deleted row, found none`,
    "on PostgreSQL: ALTER TABLE … REPLICA IDENTITY FULL; or key: with the columns of the message key",
  );
}
