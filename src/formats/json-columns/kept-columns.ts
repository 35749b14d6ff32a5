import type { PrimitiveType } from "../../../table-format/index.ts";
import { FrazilError } from "../../core/errors.ts";
import type { DecodeNotices, TableBinding } from "../../core/table-binding.ts";
import type { ColumnSlot } from "./column-slot.ts";
import type { Layout } from "./layout.ts";
import type { Wire } from "./wire.ts";

/**
 * Leaves a column out of a layout where the table keeps its columns as they are and has no such one, whatever its values are.
 * @returns whether it did, which is noted.
 */
export function leaveOut(layout: Layout, binding: TableBinding, notices: DecodeNotices, name: string): boolean {
  const { keepsColumns, existing } = binding;
  // A table that is not there yet gets the columns that come first.
  if (keepsColumns !== true || existing.size === 0 || existing.has(name)) return false;
  const slot = layout.find(name) ?? layout.add(name);
  slot.leftOut = true;
  notices.leftOut?.(binding, name);
  return true;
}

/** The type that a column has whatever messages declare: that of `columns:`, or of a table that keeps its columns as they are. */
export function givenType({ columns, keepsColumns, existing }: TableBinding, name: string): PrimitiveType | null {
  return columns.get(name) ?? (keepsColumns === true ? (existing.get(name) ?? null) : null);
}

/**
 * Gives a column the type `type` (see `givenType`).
 * @throws FrazilError `config` when values of this kind cannot be read as the type; `data` where the type is the table's, as it is then
 * the message that does not fit.
 */
export function declareColumn(
  slot: ColumnSlot,
  binding: TableBinding,
  type: PrimitiveType,
  required: boolean,
  wire: Wire,
): void {
  try {
    slot.declare(type, required, wire, binding.columns.has(slot.name));
  } catch (error) {
    if (binding.keepsColumns !== true || !(error instanceof FrazilError) || error.kind !== "config") throw error;
    throw new FrazilError("data", error.code, error.message, { hint: error.hint, cause: error });
  }
}
