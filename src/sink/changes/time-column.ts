import { createBuilder } from "../../../table-format/index.ts";
import { type ChangeBatch, type ChangeColumn, NO_TIME, type Op } from "../../core/change-batch.ts";
import { FrazilError } from "../../core/errors.ts";

/** The column that `dedupe` adds: when the source made the row, else the time of its message. Null where neither is known. */
export const TIME_COLUMN: ChangeColumn = { name: "_ts", type: { kind: "timestamptz" }, required: false };

/**
 * The changes with one column more that holds their times (`ChangeBatch.timesUs`).
 * @param only the op whose rows get a time, the others null; null: every row that has one.
 * @param setting what asks for the column, for messages.
 * @throws FrazilError `data` when the changes have a column of the name, code `OWN_COLUMN`; when a row of `only` has no time, code `NO_TIME`.
 */
export function withTimeColumn(
  target: string,
  batch: ChangeBatch,
  name: string,
  setting: string,
  only: (typeof Op)[keyof typeof Op] | null,
): ChangeBatch {
  if (batch.fields.some((field) => field.name === name)) {
    throw new FrazilError(
      "data",
      "OWN_COLUMN",
      `table ${target}: the changes have a column ${name}, which ${setting} adds itself`,
      { hint: "rename the column in the source, or choose another name where the setting has one" },
    );
  }
  const times = createBuilder(TIME_COLUMN.type);
  for (let row = 0; row < batch.length; row++) {
    const time = batch.timesUs?.[row] ?? NO_TIME;
    if (only !== null && batch.ops[row] !== only) times.appendNull();
    else if (time !== NO_TIME) times.appendI64(time);
    else if (only === null) times.appendNull();
    else throw noTime(target, batch, row, setting);
  }
  return {
    ...batch,
    fields: [...batch.fields, { ...TIME_COLUMN, name }],
    columns: [...batch.columns, times.finish()],
    absent: [...batch.absent, null],
    sizeBytes: batch.sizeBytes + times.sizeBytes,
  };
}

function noTime(target: string, batch: ChangeBatch, row: number, setting: string): FrazilError {
  return new FrazilError(
    "data",
    "NO_TIME",
    `table ${target}: ${setting} needs the time of each delete; ${batch.split} has one without before point ${batch.points.after(row)}`,
    { hint: "let the producer write times, or take deleted rows out: without soft_delete" },
  );
}
