import { LETTER_n } from "../json-bytes/ascii.ts";
import { findMember, keyText } from "../json-bytes/members.ts";
import type { Range } from "../json-bytes/range.ts";
import type { ColumnSlot } from "./column-slot.ts";
import type { Layout } from "./layout.ts";
import type { TableRows } from "./table-rows.ts";
import { readValue } from "./value-reader.ts";

/** Reads rows of which only the key columns have values, as deletes need no more; the caller commits them. */
export class KeyRows {
  private lastKey: readonly string[] | null = null;
  private lastTexts: readonly Uint8Array[] = [];
  private readonly starts: number[] = [];

  /** The key columns' names as bytes, see `keyText`. */
  textsOf(key: readonly string[]): readonly Uint8Array[] {
    if (key !== this.lastKey) {
      this.lastKey = key;
      this.lastTexts = key.map(keyText);
    }
    return this.lastTexts;
  }

  /**
   * Reads the key from an image of the row, whose columns the table already has by its schema; false when a part is missing or null.
   * `rest`: where parts stand that the image lacks.
   */
  fromImage(
    table: TableRows,
    key: readonly string[] | null,
    bytes: Uint8Array,
    image: Range,
    rest: Range | null = null,
  ): boolean {
    if (key === null || !this.locate(key, bytes, image, rest)) return false;
    if (!hasColumns(table.layout, key)) {
      if (!table.layout.grows) return false;
      table.learn(bytes, image.start, image.end, key);
      if (rest !== null) table.learn(bytes, rest.start, rest.end, key);
    }
    return this.append(table, key, bytes, rest === null ? image.end : Math.max(image.end, rest.end));
  }

  /** Finds the key columns' values in an object, those that it lacks in `rest`; false when one is missing or null. */
  locate(key: readonly string[], bytes: Uint8Array, object: Range, rest: Range | null = null): boolean {
    const texts = this.textsOf(key);
    for (let k = 0; k < texts.length; k++) {
      const text = texts[k] as Uint8Array;
      let start = findMember(bytes, object.start, object.end, text);
      if (rest !== null && (start < 0 || bytes[start] === LETTER_n))
        start = findMember(bytes, rest.start, rest.end, text);
      if (start < 0 || bytes[start] === LETTER_n) return false;
      this.starts[k] = start;
    }
    return true;
  }

  /** Reads the values that `locate` has found into a row of a table that has their columns. */
  protected append(table: TableRows, key: readonly string[], bytes: Uint8Array, end: number): boolean {
    table.startRow(false);
    for (const [k, name] of key.entries()) {
      const slot = table.layout.find(name) as ColumnSlot;
      table.enterColumn(slot);
      readValue(slot, bytes, this.starts[k] as number, end);
      table.nameColumn(slot);
    }
    table.enterColumn(null);
    return true;
  }
}

/** Whether a layout has all these columns, with their types. */
export function hasColumns(layout: Layout, names: readonly string[]): boolean {
  for (const name of names) {
    const slot = layout.find(name);
    if (slot === undefined || slot.column === null) return false;
  }
  return true;
}
