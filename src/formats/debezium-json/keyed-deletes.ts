import type { ColumnSlot } from "../json-columns/column-slot.ts";
import { hasColumns, KeyRows } from "../json-columns/key-rows.ts";
import type { Layout } from "../json-columns/layout.ts";
import type { ConnectSchema } from "./connect-schema.ts";
import { declaredLayout } from "./declared-layout.ts";
import type { MessageKey } from "./message-key.ts";
import type { SchemaRows } from "./schema-rows.ts";

/** Reads deleted rows' keys, also from the message key. */
export class KeyedDeletes extends KeyRows {
  private readonly keyLayouts = new WeakMap<ConnectSchema, Layout>();

  /** Reads the key from a message's key; false when it lacks a column of it, or has null there. */
  fromKey(table: SchemaRows, key: readonly string[] | null, messageKey: MessageKey, bytes: Uint8Array): boolean {
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

  private keyLayout(table: SchemaRows, schema: ConnectSchema): Layout {
    let layout = this.keyLayouts.get(schema);
    if (layout === undefined) {
      layout = declaredLayout(table.binding, table.notices, schema.fields);
      this.keyLayouts.set(schema, layout);
    }
    return layout;
  }
}

function sameColumn(a: ColumnSlot | undefined, b: ColumnSlot | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    JSON.stringify([a.column?.type, a.wire]) === JSON.stringify([b.column?.type, b.wire])
  );
}
