import type { Column, PrimitiveType } from "../../../table-format/index.ts";
import { type ChangeBatch, NO_TIME, offsetPoints } from "../../core/change-batch.ts";
import type { MessageSlab } from "../../core/message-slab.ts";
import type { DecodeNotices, TableBinding } from "../../core/table-binding.ts";
import { finishedBits, trimBatch } from "../../core/trim-batch.ts";
import { trimColumn } from "../../core/trim-column.ts";
import type { Range } from "../json-bytes/range.ts";
import type { ColumnSlot } from "./column-slot.ts";
import { MessageFault } from "./data-errors.ts";
import { Layout } from "./layout.ts";
import { learnColumns, learnHeld, showsUnknown } from "./learn.ts";
import { readRow, type RowState, UNKNOWN_COLUMN } from "./row-reader.ts";
import { unsentColumns } from "./unsent-columns.ts";
import { PLAIN, type Wire } from "./wire.ts";

/** Rows for which a fresh batch has room. */
const FIRST_ROWS = 64;

/**
 * The open batch of one table. A row is read, then committed with its op; what is read and not committed is dropped. A batch ends where
 * its columns or its key change, and with the slab.
 */
export class TableRows {
  readonly binding: TableBinding;
  readonly notices: DecodeNotices;
  /** What messages have shown that declare no columns. */
  protected readonly grown: Layout;
  /** The columns of all batches so far: messages may come with other ones each time. */
  private readonly shown = new Map<string, PrimitiveType>();
  /** The columns of the open batch. */
  layout: Layout;
  /** Whether rows keep their times: see `ChangeBatch.timesUs`. */
  readonly keepsTimes: boolean;
  /** When the source made the rows committed next, microseconds since 1970 UTC; NaN: their messages' times count. */
  sourceTimeUs = NaN;
  private timesUs = new Float64Array(0);
  /** Of the slab's messages. */
  private timestampsMs: Float64Array = new Float64Array(0);
  /** Columns that the messages name as key; see `ChangeBatch.key`. */
  private key: readonly string[] | null = null;
  private opened = false;
  private length = 0;
  private ops = new Uint8Array(0);
  /** The offset after each row, as words of 32 bits. */
  private next = new Int32Array(0);
  private readonly row: RowState = {
    serial: 0,
    index: 0,
    named: 0,
    placeholders: 0,
    literal: false,
    keeps: false,
    slot: null,
  };
  /** Batches that ended since the last `take`. */
  private ended: ChangeBatch[] = [];
  private split = "";
  private generation: number | undefined;
  private markedRows = 0;
  private markedBatches = 0;

  /** @param wire how values stand in columns that no message declares. */
  constructor(binding: TableBinding, notices: DecodeNotices, wire: Wire = PLAIN) {
    this.binding = binding;
    this.notices = notices;
    this.keepsTimes = binding.timed ?? binding.mode === "history";
    this.layout = this.grown = new Layout(true, wire);
  }

  /** The column that was being read when something was thrown. */
  get slotInRow(): ColumnSlot | null {
    return this.row.slot;
  }

  /** Columns of the row just read whose values were not sent. */
  get placeholders(): number {
    return this.row.placeholders;
  }

  /** Chooses the columns. */
  useLayout(layout: Layout): void {
    if (layout === this.layout) return;
    this.end();
    this.layout = layout;
  }

  /** Names the key of the rows that follow. Equal keys must be the same array. */
  useKey(key: readonly string[] | null): void {
    if (key === this.key) return;
    this.end();
    this.key = key;
  }

  /** Reads a row from the object at `pos` and returns the position after it. `literal`: see `RowState`. */
  read(bytes: Uint8Array, pos: number, end: number, literal: boolean): number {
    this.startRow(literal);
    let next = readRow(this.layout, this.row, bytes, pos, end);
    if (next === UNKNOWN_COLUMN) {
      this.learn(bytes, pos, end, null);
      this.startRow(literal);
      next = readRow(this.layout, this.row, bytes, pos, end);
    }
    return next;
  }

  /** Reads a row of which the object at `under` holds all columns that the one at `over` lacks. */
  readOver(bytes: Uint8Array, over: Range, under: Range, literal: boolean): void {
    const { row } = this;
    for (;;) {
      this.startRow(literal);
      let unknown = over;
      if (readRow(this.layout, row, bytes, over.start, over.end) !== UNKNOWN_COLUMN) {
        row.keeps = true;
        if (readRow(this.layout, row, bytes, under.start, under.end) !== UNKNOWN_COLUMN) return;
        unknown = under;
      }
      this.learn(bytes, unknown.start, unknown.end, null);
    }
  }

  /** Ends the batch without the row being read, and learns what the object at `pos` shows of columns that are not known. */
  learn(bytes: Uint8Array, pos: number, end: number, only: readonly string[] | null): void {
    this.end();
    learnColumns(this.layout, this.binding, this.notices, bytes, pos, end, only);
  }

  /**
   * Learns the columns of a key change before its first half is read: both stand in one batch, where the second takes over what it does not
   * send. The old row decides what the key columns are.
   */
  foresee(bytes: Uint8Array, key: readonly string[], old: Range, row: Range): void {
    const { layout } = this;
    if (!layout.grows) return;
    if (showsUnknown(layout, bytes, old.start, old.end, key)) this.learn(bytes, old.start, old.end, key);
    if (showsUnknown(layout, bytes, row.start, row.end, null)) this.learn(bytes, row.start, row.end, null);
  }

  /** Drops the row being read. The batch ends with the rows before it. */
  drop(): void {
    this.end();
  }

  /** Notes which rows there are, for `undo`. */
  mark(): void {
    this.markedRows = this.length;
    this.markedBatches = this.ended.length;
  }

  /** Drops the rows since `mark`, and the one being read. The batch ends with the rows before them. */
  undo(): void {
    if (this.ended.length === this.markedBatches) {
      this.length = this.markedRows;
      this.end();
      return;
    }
    // The batch has ended since: within a message its columns may be learned, and another key or other columns declared.
    const [last] = this.ended.splice(this.markedBatches);
    if (this.markedRows > 0) this.ended.push(trimBatch(last as ChangeBatch, this.markedRows));
    this.reset();
  }

  /** Begins a row: values may be appended, and `commit` takes it. */
  startRow(literal: boolean): void {
    if (!this.opened) {
      learnHeld(this.layout, this.binding);
      this.layout.open();
      this.opened = true;
    }
    const { row } = this;
    row.serial++;
    row.index = this.length;
    row.named = 0;
    row.placeholders = 0;
    row.literal = literal;
    row.keeps = false;
  }

  /** Notes that a value was appended for a column by the caller. */
  nameColumn(slot: ColumnSlot): void {
    slot.row = this.row.serial;
    this.row.named++;
  }

  /** Which column is being read, for messages. */
  enterColumn(slot: ColumnSlot | null): void {
    this.row.slot = slot;
  }

  /**
   * Makes sure that the row just read has a value for each key column.
   * @throws MessageFault naming the first that has none.
   */
  requireKey(key: readonly string[]): void {
    const { row, binding } = this;
    for (const name of key) {
      const slot = this.layout.find(name);
      const named = slot !== undefined && slot.row === row.serial;
      if (named && slot.builder !== null && slot.nullRow !== row.serial) continue;
      row.slot = slot ?? null;
      throw new MessageFault(
        "KEY_WITHOUT_VALUE",
        `expected a value for key column ${JSON.stringify(name)} of ${binding.target}, found ${named ? "null" : "none"}`,
        "name columns that every row has in key:, or use mode: append",
      );
    }
  }

  /** Takes the row just read into the batch. `offsets` holds the offset of message `message` as two words, low word first. */
  commit(op: number, offsets: Int32Array, message: number): void {
    const { length } = this;
    if (this.row.named !== this.layout.fields.length) this.fillAbsent();
    if (length === this.ops.length) this.grow();
    this.ops[length] = op;
    const low = ((offsets[message * 2] as number) + 1) | 0;
    const high = offsets[message * 2 + 1] as number;
    this.next[length * 2] = low;
    this.next[length * 2 + 1] = low === 0 ? high + 1 : high;
    if (this.keepsTimes) {
      const messageMs = this.timestampsMs[message] as number;
      this.timesUs[length] = Number.isNaN(this.sourceTimeUs) ? messageMs * 1_000 : this.sourceTimeUs;
    }
    this.length = length + 1;
  }

  private fillAbsent(): void {
    const { serial, index } = this.row;
    for (const slot of this.layout.slots) {
      if (slot.builder === null || slot.row === serial) continue;
      slot.builder.appendNull();
      slot.markAbsent(index);
    }
  }

  private grow(): void {
    const capacity = Math.max(FIRST_ROWS, this.ops.length * 2);
    const ops = new Uint8Array(capacity);
    ops.set(this.ops);
    this.ops = ops;
    const next = new Int32Array(new BigInt64Array(capacity).buffer);
    next.set(this.next);
    this.next = next;
    if (!this.keepsTimes) return;
    const timesUs = new Float64Array(capacity);
    timesUs.set(this.timesUs);
    this.timesUs = timesUs;
  }

  /** Starts reading a slab. What an earlier, failed one left behind is dropped. */
  begin(slab: MessageSlab): void {
    this.split = slab.split;
    this.generation = slab.generation;
    this.timestampsMs = slab.timestampsMs;
    this.sourceTimeUs = NaN;
    this.ended = [];
    this.reset();
  }

  /** The batches of the slab. */
  take(): ChangeBatch[] {
    this.end();
    const batches = this.ended;
    this.ended = [];
    return batches;
  }

  private end(): void {
    if (this.length > 0) this.ended.push(this.batch());
    this.reset();
  }

  private reset(): void {
    this.opened = false;
    this.row.slot = null;
    this.length = 0;
    this.ops = new Uint8Array(0);
    this.next = new Int32Array(0);
    this.timesUs = new Float64Array(0);
  }

  private batch(): ChangeBatch {
    const { length, layout } = this;
    const columns: Column[] = [];
    const absent: (Uint8Array | null)[] = [];
    let sizeBytes = length * (this.keepsTimes ? 17 : 9);
    for (const slot of layout.slots) {
      if (slot.builder === null) continue;
      sizeBytes += slot.builder.sizeBytes;
      columns.push(trimColumn(slot.builder.finish(), length));
      absent.push(slot.absent === null ? null : finishedBits(slot.absent, length));
    }
    const ops = this.ops.subarray(0, length);
    // A schema says which columns there are: those that it lacks are gone.
    const unsent = layout.grows ? unsentColumns(this.binding, this.shown, layout.fields, ops) : [];
    for (const added of unsent) {
      columns.push(added.column);
      absent.push(added.absent);
    }
    for (const { name, type } of layout.fields) this.shown.set(name, type);
    const nextOffsets = new BigInt64Array(this.next.buffer, 0, length);
    return {
      table: this.binding.table,
      split: this.split,
      length,
      ops,
      fields: unsent.length === 0 ? layout.fields : [...layout.fields, ...unsent.map(({ field }) => field)],
      columns,
      absent,
      key: this.key,
      points: offsetPoints(nextOffsets, this.generation),
      ...(this.keepsTimes ? { timesUs: BigInt64Array.from(this.timesUs.subarray(0, length), exactTime) } : {}),
      sizeBytes,
    };
  }
}

/** Messages without a timestamp have a negative one. */
function exactTime(micros: number): bigint {
  return micros < 0 ? NO_TIME : BigInt(micros);
}
