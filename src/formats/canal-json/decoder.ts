import { type ChangeBatch, Op } from "../../core/change-batch.ts";
import type { Decoder, Rejects } from "../../core/format.ts";
import type { MessageSlab } from "../../core/message-slab.ts";
import type { DecodeNotices, TableRouter } from "../../core/table-binding.ts";
import { COMMA, LETTER_n, LETTER_t, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "../json-bytes/ascii.ts";
import { JsonFault } from "../json-bytes/fault.ts";
import { findMember } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import { skipSpace, skipValue } from "../json-bytes/skip.ts";
import { stringAt } from "../json-bytes/strings.ts";
import { rangesEqual } from "../json-bytes/text.ts";
import { wholeAt } from "../json-bytes/whole-number.ts";
import { MessageFault } from "../json-columns/data-errors.ts";
import { handOver } from "../json-columns/hand-over.ts";
import { KeyRows } from "../json-columns/key-rows.ts";
import { RoutedTables } from "../json-columns/routed-tables.ts";
import { CanalRows } from "./canal-rows.ts";
import { KeyNames } from "./key-names.ts";
import { CanalMessage } from "./message.ts";
import { noneSkipped, ROW_TYPES, type SkippedCounts, STATEMENTS, WATERMARKS } from "./message-types.ts";
import { refuseClaims } from "./ticdc.ts";

/** Decodes Canal's flat messages; see `canalJson`. */
export class CanalJsonDecoder implements Decoder {
  /** Messages that made no change, since the start. */
  readonly skipped: SkippedCounts = noneSkipped();
  private readonly notices: DecodeNotices;
  private readonly rejects: Rejects | null;
  private readonly tables: RoutedTables<CanalRows>;
  private readonly envelope = new CanalMessage();
  private readonly keyNames = new KeyNames();
  private readonly keys = new KeyRows();
  private slab!: MessageSlab;
  private offsets: Int32Array = new Int32Array(0);
  private message = 0;
  /** The message's table, once known. */
  private table: CanalRows | null = null;
  private readonly row: Range = { start: -1, end: -1 };
  private readonly oldRow: Range = { start: -1, end: -1 };

  constructor(router: TableRouter, notices: DecodeNotices, rejects: Rejects | null) {
    this.notices = notices;
    this.rejects = rejects;
    this.tables = new RoutedTables(router, notices, (binding) => new CanalRows(binding, notices));
  }

  decode(slab: MessageSlab): ChangeBatch[] {
    this.slab = slab;
    this.offsets = new Int32Array(slab.offsets.buffer, slab.offsets.byteOffset, slab.count * 2);
    this.tables.begin(slab);
    for (this.message = 0; this.message < slab.count; this.message++) {
      this.table = null;
      try {
        this.decodeMessage();
      } catch (fault) {
        handOver(fault, slab, this.message, false, this.table, this.rejects);
      }
    }
    return this.tables.take();
  }

  private decodeMessage(): void {
    const { slab, message, envelope } = this;
    const { bytes } = slab;
    const start = slab.valueStarts[message] as number;
    if (start < 0) {
      this.skipped.empty++;
      return;
    }
    envelope.read(bytes, start, slab.valueEnds[message] as number);
    const type = this.textOf(envelope.type);
    if (type === null) throw notCanal();
    if (WATERMARKS.has(type)) {
      this.skipped.watermark++;
      return;
    }
    const statement = STATEMENTS.has(type) || (envelope.isDdl.start >= 0 && bytes[envelope.isDdl.start] === LETTER_t);
    const op = ROW_TYPES.get(type);
    if (!statement && op === undefined) {
      throw new MessageFault(
        "UNKNOWN_OP",
        `expected a "type" of INSERT, UPDATE, DELETE or a statement's, found ${JSON.stringify(type)}`,
        "the job's format must be the one that the producer writes",
      );
    }
    if (!statement && envelope.data.start < 0) {
      this.skipped.rowless++;
      return;
    }
    const tableId = this.tableId();
    const table = this.tables.route(slab.stream, tableId);
    if (table === null) {
      this.skipped.unrouted++;
      return;
    }
    this.table = table;
    table.mark();
    if (!statement) {
      this.rows(table, op as number);
    } else if (type === "TRUNCATE") {
      this.truncate(table);
    } else {
      this.skipped.statement++;
      // Queries name no change of the table.
      if (type !== "QUERY") this.notices.statement?.(slab.stream, tableId, type);
    }
  }

  /** `database.table`, or `table` alone. */
  private tableId(): string | null {
    const table = this.textOf(this.envelope.table);
    const database = this.textOf(this.envelope.database);
    if (table === null || table === "") return null;
    return database === null || database === "" ? table : `${database}.${table}`;
  }

  private textOf({ start, end }: Range): string | null {
    const { bytes } = this.slab;
    if (start < 0) return null;
    if (bytes[start] !== QUOTE) throw new JsonFault(start, "a text");
    return stringAt(bytes, start, end);
  }

  private rows(table: CanalRows, op: number): void {
    const { envelope, row, oldRow } = this;
    const { bytes } = this.slab;
    const { data, old } = envelope;
    refuseClaims(bytes, envelope.tidb, op);
    table.useTypes(bytes, envelope.mysqlType);
    const named = this.keyNames.at(bytes, envelope.pkNames);
    table.useKey(table.binding.key === null ? named : null);
    const key = table.binding.key ?? named;
    const history = table.binding.mode === "history";
    if (table.keepsTimes) table.sourceTimeUs = this.eventTimeUs();
    row.start = firstElement(bytes, data);
    if (row.start < 0) this.skipped.rowless++;
    oldRow.start = op === Op.update && old.start >= 0 ? firstElement(bytes, old) : -1;
    while (row.start >= 0) {
      if (bytes[row.start] !== OPEN_BRACE) throw new JsonFault(row.start, "a row");
      if (oldRow.start >= 0) oldRow.end = skipValue(bytes, oldRow.start, old.end);
      if (history) this.keep(table, key, op, data.end);
      else if (op === Op.delete) this.delete(table, key, data.end);
      else this.write(table, key, op, data.end);
      row.start = nextElement(bytes, row.end, data.end);
      if (oldRow.start >= 0) oldRow.start = nextElement(bytes, oldRow.end, old.end);
    }
  }

  /** An update of the key is a delete of the old one and an insert of the new one. */
  private write(table: CanalRows, key: readonly string[] | null, op: number, end: number): void {
    const { row, oldRow } = this;
    const { bytes } = this.slab;
    const moved = key !== null && oldRow.start >= 0 && bytes[oldRow.start] === OPEN_BRACE && this.keyDiffers(key, end);
    if (moved) {
      row.end = skipValue(bytes, row.start, end);
      table.foresee(bytes, key, oldRow, row);
      if (!this.keys.fromImage(table, key, bytes, oldRow, row)) throw missingKey(key);
      this.commit(table, Op.delete);
    }
    // Canal leaves nothing out, so that no text stands for a value that was not sent.
    row.end = table.read(bytes, row.start, end, true);
    if (table.binding.mode !== "append" && key !== null) table.requireKey(key);
    this.commit(table, moved ? Op.insert : op);
  }

  /** For a history table: the row as it was before an update, where the message tells, and the row as it is or was last. */
  private keep(table: CanalRows, key: readonly string[] | null, op: number, end: number): void {
    const { row, oldRow } = this;
    const { bytes } = this.slab;
    if (oldRow.start >= 0 && namesColumns(bytes, oldRow)) {
      row.end = skipValue(bytes, row.start, end);
      table.readOver(bytes, oldRow, row, true);
      this.commit(table, Op.updateBefore);
    }
    row.end = table.read(bytes, row.start, end, true);
    if (key !== null) table.requireKey(key);
    this.commit(table, op);
  }

  /** When the source made the message's changes; NaN where it does not tell. */
  private eventTimeUs(): number {
    const { start, end } = this.envelope.es;
    const millis = start < 0 ? 0 : wholeAt(this.slab.bytes, start, end);
    return millis > 0 && Number.isSafeInteger(millis * 1_000) ? millis * 1_000 : NaN;
  }

  /** Whether `old` has another value for a key column than the row: it also names columns that stayed as they were. */
  private keyDiffers(key: readonly string[], end: number): boolean {
    const { row, oldRow } = this;
    const { bytes } = this.slab;
    for (const text of this.keys.textsOf(key)) {
      const was = findMember(bytes, oldRow.start, oldRow.end, text);
      if (was < 0 || bytes[was] === LETTER_n) continue;
      const is = findMember(bytes, row.start, end, text);
      if (is < 0) continue;
      if (!rangesEqual(bytes, was, skipValue(bytes, was, oldRow.end), bytes, is, skipValue(bytes, is, end)))
        return true;
    }
    return false;
  }

  private delete(table: CanalRows, key: readonly string[] | null, end: number): void {
    const { row } = this;
    const { bytes } = this.slab;
    if (table.binding.orderBy !== undefined && key !== null) {
      // The row as it was last, with the value that orders the delete.
      row.end = table.read(bytes, row.start, end, true);
      table.requireKey(key);
      this.commit(table, Op.delete);
      return;
    }
    row.end = skipValue(bytes, row.start, end);
    if (!this.keys.fromImage(table, key, bytes, row)) {
      // Append tables refuse deletes whatever they hold.
      if (table.binding.mode !== "append") throw missingKey(key);
      table.startRow(true);
    }
    this.commit(table, Op.delete);
  }

  /** Nothing is to be done where there is no table yet, and no row that would make one. */
  private truncate(table: CanalRows): void {
    if (table.binding.existing.size === 0 && table.layout.fields.length === 0) {
      this.skipped.statement++;
      return;
    }
    table.startRow(true);
    if (table.keepsTimes) table.sourceTimeUs = this.eventTimeUs();
    this.commit(table, Op.truncate);
  }

  private commit(table: CanalRows, op: number): void {
    table.commit(op, this.offsets, this.message);
  }
}

/** Start of an array's first element, or -1 when it is empty. */
function firstElement(bytes: Uint8Array, array: Range): number {
  if (bytes[array.start] !== OPEN_BRACKET) throw new JsonFault(array.start, "an array of rows");
  const pos = skipSpace(bytes, array.start + 1, array.end);
  return pos === array.end - 1 ? -1 : pos;
}

/** From the end of an element to the next one, or -1. */
function nextElement(bytes: Uint8Array, pos: number, end: number): number {
  const at = skipSpace(bytes, pos, end);
  return bytes[at] === COMMA ? skipSpace(bytes, at + 1, end) : -1;
}

/** Whether `old` is an object with members: where the server logs too little (`binlog_row_image`), Canal writes an empty one. */
function namesColumns(bytes: Uint8Array, { start, end }: Range): boolean {
  return bytes[start] === OPEN_BRACE && bytes[skipSpace(bytes, start + 1, end)] === QUOTE;
}

function notCanal(): MessageFault {
  return new MessageFault(
    "NOT_A_CANAL_MESSAGE",
    'expected a Canal message with "type", "database", "table" and "data", found an object without "type"',
    "the producer must write flat messages (canal.mq.flatMessage = true); wrapped ones are another format",
  );
}

function missingKey(key: readonly string[] | null): MessageFault {
  return new MessageFault(
    "DELETE_WITHOUT_KEY",
    `expected a value for each key column (${key === null ? "the message names none" : key.join(", ")}) of the deleted row, found none`,
    "give the source table a primary key, or name columns that every row has in key:",
  );
}
