import {
  currentSchema,
  type Catalog,
  identText,
  isPrimitive,
  type PrimitiveType,
  type TableIdent,
} from "../../table-format/index.ts";
import type { TableTypes } from "./job-run.ts";

/** The column types of the tables that the job can write to and that exist already. */
export async function presentTypes(catalog: Catalog, mayWrite: (ident: TableIdent) => boolean): Promise<TableTypes> {
  const types = new Map<string, ReadonlyMap<string, PrimitiveType>>();
  for (const namespace of await catalog.listNamespaces()) {
    for (const ident of await catalog.listTables(namespace)) {
      const loaded = mayWrite(ident) ? await catalog.loadTable(ident) : null;
      if (loaded === null) continue;
      const columns = new Map<string, PrimitiveType>();
      for (const { name, type } of currentSchema(loaded.metadata).fields)
        if (isPrimitive(type)) columns.set(name, type);
      types.set(identText(ident), columns);
    }
  }
  return types;
}
