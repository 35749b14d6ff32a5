import { type ChangeBatch, Op } from "../../core/change-batch.ts";
import type { Decoder, Rejects } from "../../core/format.ts";
import type { MessageSlab } from "../../core/message-slab.ts";
import type { DecodeNotices, TableRouter } from "../../core/table-binding.ts";
import { OPEN_BRACE } from "../json-bytes/ascii.ts";
import { JsonFault } from "../json-bytes/fault.ts";
import type { Range } from "../json-bytes/range.ts";
import { skipSpace, skipValue } from "../json-bytes/skip.ts";
import { MessageFault } from "../json-columns/data-errors.ts";
import { handOver } from "../json-columns/hand-over.ts";
import { KeyRows } from "../json-columns/key-rows.ts";
import { RoutedTables } from "../json-columns/routed-tables.ts";
import { TableRows } from "../json-columns/table-rows.ts";

/** Decodes plain records; see `json`. */
export class JsonDecoder implements Decoder {
  /** Messages that made no change, since the start. */
  readonly skipped = { unrouted: 0 };
  private readonly rejects: Rejects | null;
  private readonly tables: RoutedTables<TableRows>;
  private readonly keys = new KeyRows();
  private readonly messageKey: Range = { start: 0, end: 0 };
  private inKey = false;

  constructor(router: TableRouter, notices: DecodeNotices, rejects: Rejects | null) {
    this.rejects = rejects;
    this.tables = new RoutedTables(router, notices, (binding) => new TableRows(binding, notices));
  }

  decode(slab: MessageSlab): ChangeBatch[] {
    if (slab.count === 0) return [];
    this.tables.begin(slab);
    const table = this.tables.route(slab.stream, null);
    if (table === null) {
      this.skipped.unrouted += slab.count;
      return [];
    }
    const offsets = new Int32Array(slab.offsets.buffer, slab.offsets.byteOffset, slab.count * 2);
    for (let message = 0; message < slab.count; message++) {
      table.mark();
      try {
        table.commit(this.readMessage(table, slab, message), offsets, message);
      } catch (fault) {
        handOver(fault, slab, message, this.inKey, table, this.rejects);
      }
    }
    return table.take();
  }

  /** Reads the row of a message and returns its op. */
  private readMessage(table: TableRows, slab: MessageSlab, message: number): number {
    const { bytes } = slab;
    const start = slab.valueStarts[message] as number;
    this.inKey = start < 0;
    if (start < 0) return this.readDeleted(table, slab, message);
    const end = slab.valueEnds[message] as number;
    // A record is the whole row: no text stands for a value that was not sent.
    const next = skipSpace(bytes, table.read(bytes, skipSpace(bytes, start, end), end, true), end);
    if (next !== end) throw new JsonFault(next, "the end of the message");
    const { key, mode } = table.binding;
    if (mode !== "append" && key !== null) table.requireKey(key);
    return Op.insert;
  }

  private readDeleted(table: TableRows, slab: MessageSlab, message: number): number {
    const { bytes } = slab;
    const { key, mode } = table.binding;
    if (mode === "append") {
      throw new MessageFault(
        "NO_VALUE",
        `expected a record for ${table.binding.target}, found a message without value, which deletes`,
        "tables with mode: append take no deletes: use mode: upsert with key:",
      );
    }
    const { messageKey } = this;
    const end = slab.keyEnds[message] as number;
    messageKey.start = skipSpace(bytes, slab.keyStarts[message] as number, end);
    if (messageKey.start >= 0 && bytes[messageKey.start] === OPEN_BRACE && messageKey.start < end) {
      messageKey.end = skipValue(bytes, messageKey.start, end);
      const rest = skipSpace(bytes, messageKey.end, end);
      if (rest !== end) throw new JsonFault(rest, "the end of the key");
      if (this.keys.fromImage(table, key, bytes, messageKey)) return Op.delete;
    }
    throw new MessageFault(
      "DELETE_WITHOUT_KEY",
      `expected a message key that is an object with ${key === null ? "the key columns" : key.join(", ")}, found none: a message without value deletes the row of its key`,
      "name the columns of the message key in key:",
    );
  }
}
