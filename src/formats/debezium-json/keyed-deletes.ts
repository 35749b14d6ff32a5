import { LETTER_n } from "../json-bytes/ascii.ts";
import { findMember, keyText } from "../json-bytes/members.ts";
import type { ColumnSlot } from "./column-slot.ts";
import type { ConnectSchema } from "./connect-schema.ts";
import type { Range } from "./envelope.ts";
import { declaredLayout, type Layout } from "./layout.ts";
import type { MessageKey } from "./message-key.ts";
import type { TableRows } from "./table-rows.ts";
import { readValue } from "./value-reader.ts";

/** Reads rows of which only the key columns have values; the caller commits them. */
export class KeyedDeletes {
  private lastKey: readonly string[] | null = null;
  private lastTexts: readonly Uint8Array[] = [];
  private readonly starts: number[] = [];
  private readonly keyLayouts = new WeakMap<ConnectSchema, Layout>();

  /** The key columns' names as bytes, see `keyText`. */
  textsOf(key: readonly string[]): readonly Uint8Array[] {
    if (key !== this.lastKey) {
      this.lastKey = key;
      this.lastTexts = key.map(keyText);
    }
    return this.lastTexts;
  }

  /** Reads the key from an image of the row, whose columns the table already has by its schema; false when a part is missing or null. */
  fromImage(table: TableRows, key: readonly string[] | null, bytes: Uint8Array, image: Range): boolean {
    if (key === null || !this.locate(key, bytes, image)) return false;
    if (!hasColumns(table.layout, key)) {
      if (!table.layout.grows) return false;
      table.learn(bytes, image.start, image.end, key);
    }
    return this.append(table, key, bytes, image.end);
  }

  /** Reads the key from a message's key; false when it lacks a column of it, or has null there. */
  fromKey(table: TableRows, key: readonly string[] | null, messageKey: MessageKey, bytes: Uint8Array): boolean {
    if (key === null || messageKey.names === null || !this.locate(key, bytes, messageKey)) return false;
    const { schema } = messageKey;
    if (schema !== null && !table.layout.grows) {
      // The key columns' types may have changed since the table's last row.
      const declared = this.keyLayout(table, schema);
      if (!key.every((name) => sameColumn(table.layout.find(name), declared.find(name)))) table.useLayout(declared);
    } else if (!hasColumns(table.layout, key)) {
      if (schema !== null) {
        table.useLayout(this.keyLayout(table, schema));
      } else {
        table.useSchema(null);
        table.learn(bytes, messageKey.start, messageKey.end, key);
      }
    }
    return hasColumns(table.layout, key) && this.append(table, key, bytes, messageKey.end);
  }

  private keyLayout(table: TableRows, schema: ConnectSchema): Layout {
    let layout = this.keyLayouts.get(schema);
    if (layout === undefined) {
      layout = declaredLayout(table.binding, schema.fields);
      this.keyLayouts.set(schema, layout);
    }
    return layout;
  }

  private locate(key: readonly string[], bytes: Uint8Array, object: Range): boolean {
    const texts = this.textsOf(key);
    for (let k = 0; k < texts.length; k++) {
      const start = findMember(bytes, object.start, object.end, texts[k] as Uint8Array);
      if (start < 0 || bytes[start] === LETTER_n) return false;
      this.starts[k] = start;
    }
    return true;
  }

  private append(table: TableRows, key: readonly string[], bytes: Uint8Array, end: number): boolean {
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

function hasColumns(layout: Layout, names: readonly string[]): boolean {
  for (const name of names) {
    const slot = layout.find(name);
    if (slot === undefined || slot.column === null) return false;
  }
  return true;
}

function sameColumn(a: ColumnSlot | undefined, b: ColumnSlot | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    JSON.stringify([a.column?.type, a.wire]) === JSON.stringify([b.column?.type, b.wire])
  );
}
