import { type Column, nullColumn, type PrimitiveType } from "../../../table-format/index.ts";
import { type ChangeColumn, Op } from "../../core/change-batch.ts";
import type { TableBinding } from "../../core/table-binding.ts";

/** A column that no message of a batch has sent, beside the others of the batch. */
export interface UnsentColumn {
  readonly field: ChangeColumn;
  readonly column: Column;
  readonly absent: Uint8Array;
}

/**
 * The columns that a batch of messages without a schema lacks although the table has them, or earlier messages have shown them: they were
 * not sent. So it makes no difference which columns a process has seen since it started. None where no row takes values over (see
 * `takesOver`): null is what stands there then.
 *
 * @param shown the columns of the batches before, by name.
 */
export function unsentColumns(
  { mode, existing, ownColumn }: TableBinding,
  shown: ReadonlyMap<string, PrimitiveType>,
  fields: readonly ChangeColumn[],
  ops: Uint8Array,
): UnsentColumn[] {
  if (mode !== "upsert") return [];
  const names = new Set(fields.map(({ name }) => name));
  const missing = new Map([...shown, ...existing].filter(([name]) => !names.has(name) && name !== ownColumn));
  // Looked at last, as nearly always nothing is missing.
  if (missing.size === 0 || !takesOver(ops)) return [];
  return Array.from(missing, ([name, type]) => ({
    field: { name, type, required: false, unsent: true },
    column: nullColumn(type, ops.length),
    absent: ones(ops.length),
  }));
}

/** Whether one of the changes is an update, or may be the second half of a key change. */
function takesOver(ops: Uint8Array): boolean {
  return ops.some((op, row) => op === Op.update || (op === Op.insert && row > 0 && ops[row - 1] === Op.delete));
}

function ones(length: number): Uint8Array {
  const bits = new Uint8Array((length + 7) >> 3).fill(0xff);
  if (length % 8 !== 0) bits[bits.length - 1] = (1 << (length % 8)) - 1;
  return bits;
}
