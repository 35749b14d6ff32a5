import type { ColumnBuilder, PrimitiveType } from "../../../table-format/index.ts";
import type { ChangeColumn } from "../../core/change-batch.ts";
import { keyText } from "../json-bytes/members.ts";
import { PLAIN, type Wire } from "./wire.ts";
import { Read, readerFor, type ValueReader } from "./value-reader.ts";

const HELD: ValueReader = { code: Read.held, other: () => -1 };

/**
 * A column of a layout: its name as bytes, how its values are read, and, while a batch is open, what they are appended to.
 * A column is *held* (no type, not part of batches) while only nulls have been seen and nothing declares its type.
 */
export class ColumnSlot {
  readonly name: string;
  /** `"name":` */
  readonly keyText: Uint8Array;
  column: ChangeColumn | null = null;
  wire: Wire = PLAIN;
  reader: ValueReader = HELD;
  /** Whether the column's values are passed over: its table has no such column, and gets none. */
  leftOut = false;
  /** Null exactly while the column is held or left out. */
  builder: ColumnBuilder | null = null;
  /** Bit per row of the open batch, set where the column was not sent; null until the first such row. */
  absent: Uint8Array | null = null;
  /** Serial of the last row that named the column. */
  row = -1;
  /** Serial of the last row that had null there, or did not send the value. */
  nullRow = -1;
  /** The column that followed this one in the last message: what the reader expects next. */
  next: ColumnSlot | null = null;

  constructor(name: string) {
    this.name = name;
    this.keyText = keyText(name);
  }

  /**
   * Gives the column its type.
   * @throws FrazilError `config` when values of this kind cannot be read as the type.
   */
  declare(type: PrimitiveType, required: boolean, wire: Wire, byUser: boolean): ChangeColumn {
    this.column = { name: this.name, type, required };
    this.wire = wire;
    this.reader = readerFor(this.name, type, wire, byUser);
    return this.column;
  }

  /** Marks row `row` of the open batch as without a value for the column. */
  markAbsent(row: number): void {
    const size = (row >> 3) + 1;
    if (this.absent === null || this.absent.length < size) {
      const grown = new Uint8Array(Math.max(size * 2, 64));
      if (this.absent !== null) grown.set(this.absent);
      this.absent = grown;
    }
    this.absent[row >> 3] = (this.absent[row >> 3] as number) | (1 << (row & 7));
  }
}
