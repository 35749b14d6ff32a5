import type { DecodeNotices, TableBinding } from "../../core/table-binding.ts";
import { Layout, refusedType } from "../json-columns/layout.ts";
import { checkColumnName } from "../json-columns/column-name.ts";
import { declareColumn, givenType, leaveOut } from "../json-columns/kept-columns.ts";
import type { ConnectSchema } from "./connect-schema.ts";
import { declaredType } from "./logical-types.ts";

/**
 * The layout that a Connect schema declares; `columns:` of the job wins over it.
 * @throws FrazilError `data` naming a column whose type no table column holds.
 */
export function declaredLayout(
  binding: TableBinding,
  notices: DecodeNotices,
  fields: readonly ConnectSchema[],
): Layout {
  const layout = new Layout(false);
  for (const field of fields) {
    if (leaveOut(layout, binding, notices, field.field)) continue;
    const declared = declaredType(field);
    const type = givenType(binding, field.field) ?? ("type" in declared ? declared.type : null);
    if (type === null) throw refusedType(binding, field.field, (declared as { refused: string }).refused);
    checkColumnName(binding, field.field);
    declareColumn(layout.add(field.field), binding, type, !field.optional, declared.wire);
  }
  return layout;
}
