import type { TableBinding } from "../../core/table-binding.ts";
import { Layout, refusedType } from "../json-columns/layout.ts";
import { checkColumnName } from "../json-columns/column-name.ts";
import type { ConnectSchema } from "./connect-schema.ts";
import { declaredType } from "./logical-types.ts";

/**
 * The layout that a Connect schema declares; `columns:` of the job wins over it.
 * @throws FrazilError `data` naming a column whose type no table column holds.
 */
export function declaredLayout(binding: TableBinding, fields: readonly ConnectSchema[]): Layout {
  const layout = new Layout(false);
  for (const field of fields) {
    const declared = declaredType(field);
    const byUser = binding.columns.get(field.field);
    const type = byUser ?? ("type" in declared ? declared.type : null);
    if (type === null) throw refusedType(binding, field.field, (declared as { refused: string }).refused);
    checkColumnName(binding, field.field);
    layout.add(field.field).declare(type, !field.optional, declared.wire, byUser !== undefined);
  }
  return layout;
}
