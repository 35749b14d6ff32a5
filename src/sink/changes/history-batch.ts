import { createBuilder, type PrimitiveType } from "../../../table-format/index.ts";
import { type ChangeBatch, type ChangeColumn, NO_TIME, Op } from "../../core/change-batch.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { TableRule } from "../../core/table-rule.ts";
import { TIME_COLUMN, withTimeColumn } from "./time-column.ts";

const TEXT: PrimitiveType = { kind: "string" };

/** What a table with `mode: history` has beside the changes' own columns. */
export const HISTORY_COLUMNS: readonly ChangeColumn[] = [
  { name: "_op", type: TEXT, required: true },
  { name: "_ts", type: { kind: "timestamptz" }, required: false },
  { name: "_split", type: TEXT, required: true },
  { name: "_position", type: TEXT, required: true },
];

/** What `_op` says. */
const OP_NAMES = new Map<number, string>([
  [Op.insert, "insert"],
  [Op.updateBefore, "update_before"],
  [Op.update, "update_after"],
  [Op.delete, "delete"],
  [Op.truncate, "truncate"],
]);

/**
 * The rows that a table takes: the changes as they are, with `mode: history` a new row for each that tells what it was, and with the column
 * that `soft_delete` or `dedupe` adds.
 */
export function rowsFor({ mode, softDelete, dedupe }: TableRule, target: string, batch: ChangeBatch): ChangeBatch {
  if (softDelete !== undefined) return withTimeColumn(target, batch, softDelete, "soft_delete", Op.delete);
  if (dedupe !== undefined) return withTimeColumn(target, batch, TIME_COLUMN.name, "dedupe", null);
  return mode === "history" ? historyBatch(target, batch) : batch;
}

/** The column that the table's rule adds to those of the changes, whatever `schema_changes` says of theirs; null: none. */
export function ownColumn({ softDelete, dedupe }: TableRule): string | null {
  return softDelete ?? (dedupe === undefined ? null : TIME_COLUMN.name);
}

/** @throws FrazilError `data` when a column of the changes has the name of one that the mode adds. */
function historyBatch(target: string, batch: ChangeBatch): ChangeBatch {
  const taken = batch.fields.find(({ name }) => HISTORY_COLUMNS.some((column) => column.name === name));
  if (taken !== undefined) {
    throw new FrazilError(
      "data",
      "HISTORY_COLUMN",
      `table ${target}: the changes have a column ${taken.name}, which mode: history adds itself`,
      { hint: "rename the column in the source, or use another mode" },
    );
  }
  const { length, split, points, timesUs } = batch;
  const [ops, times, splits, positions] = HISTORY_COLUMNS.map(({ type }) => createBuilder(type));
  for (let row = 0; row < length; row++) {
    ops?.appendString(must(OP_NAMES.get(batch.ops[row] as number), "an op has a name"));
    const time = timesUs?.[row] ?? NO_TIME;
    if (time === NO_TIME) times?.appendNull();
    else times?.appendI64(time);
    splits?.appendString(split);
    positions?.appendString(points.after(row));
  }
  const added = [ops, times, splits, positions].flatMap((builder) => (builder === undefined ? [] : [builder]));
  return {
    ...batch,
    ops: new Uint8Array(length).fill(Op.insert),
    fields: [...batch.fields, ...HISTORY_COLUMNS],
    absent: [...batch.absent, ...HISTORY_COLUMNS.map(() => null)],
    sizeBytes: added.reduce((sum, builder) => sum + builder.sizeBytes, batch.sizeBytes),
    columns: [...batch.columns, ...added.map((builder) => builder.finish())],
    messages: undefined,
  };
}
