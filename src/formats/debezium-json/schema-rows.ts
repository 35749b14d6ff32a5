import type { Layout } from "../json-columns/layout.ts";
import { TableRows } from "../json-columns/table-rows.ts";
import { type ConnectSchema, rowFields } from "./connect-schema.ts";
import { declaredLayout } from "./declared-layout.ts";

/** The open batch of a table whose messages may carry their schema. */
export class SchemaRows extends TableRows {
  private readonly layouts = new Map<ConnectSchema, Layout>();

  /** Chooses the columns by the schema that comes with a message; null = what messages without schema have shown. */
  useSchema(schema: ConnectSchema | null): void {
    this.useLayout(schema === null ? this.grown : (this.layouts.get(schema) ?? this.declaredLayout(schema)));
  }

  private declaredLayout(schema: ConnectSchema): Layout {
    const fields = rowFields(schema);
    // A schema in which only a namespace or a comment differs is no reason for another batch.
    const fresh = fields === null ? this.grown : declaredLayout(this.binding, this.notices, fields);
    const layout = [...this.layouts.values(), fresh].find((known) => known === fresh || known.equals(fresh)) as Layout;
    this.layouts.set(schema, layout);
    return layout;
  }
}
