import { isPrimitive, nullColumn, type Schema } from "../../../table-format/index.ts";
import { type ChangeBatch, type ChangeColumn, Op } from "../../core/change-batch.ts";
import { FrazilError, must } from "../../core/errors.ts";
import type { BufferedBatch } from "./buffered-changes.ts";

/** Tables with soft deletes take no truncate: to mark every row would be to write the whole table anew. @throws FrazilError `data`. */
export function refuseTruncates(target: string, { batch, from }: BufferedBatch): void {
  const row = batch.ops.indexOf(Op.truncate, from);
  if (row < 0) return;
  throw new FrazilError(
    "data",
    "SOFT_TRUNCATE",
    `table ${target} has soft_delete, which cannot mark all rows at once; ${batch.split} has a truncate just before point ${batch.points.after(row)}`,
    {
      hint: "run the job up to there without soft_delete to empty the table, or with ignore_deletes: true in its place to go on without the truncate",
    },
  );
}

/**
 * The batches with each delete as a change of its row (`Op.softDelete`) that sends the key, the time of the delete and, where it has one,
 * its ordering value. All other columns of the table count as not sent.
 *
 * @param key the table's key columns. @param softDelete the column of the times, which the batches have.
 */
export function asSoftDeletes(
  batches: readonly BufferedBatch[],
  schema: Schema,
  key: readonly string[],
  softDelete: string,
  orderBy: string | undefined,
): readonly BufferedBatch[] {
  const kept = new Set([...key, softDelete]);
  return batches.map((buffered) => {
    const { batch, from } = buffered;
    return batch.ops.includes(Op.delete, from) ? { batch: softDeleted(batch, schema, kept, orderBy), from } : buffered;
  });
}

function softDeleted(
  batch: ChangeBatch,
  schema: Schema,
  kept: ReadonlySet<string>,
  orderBy: string | undefined,
): ChangeBatch {
  const missing = schema.fields.flatMap(({ name, type }): ChangeColumn[] => {
    if (!isPrimitive(type) || batch.fields.some((field) => field.name === name)) return [];
    return [{ name, type, required: false }];
  });
  const fields = [...batch.fields, ...missing];
  const columns = [...batch.columns, ...missing.map(({ type }) => nullColumn(type, batch.length))];
  const absent = fields.map(({ name }, index) => {
    const sent = batch.absent[index] ?? null;
    if (kept.has(name)) return sent;
    const bits = sent?.slice() ?? new Uint8Array((batch.length + 7) >> 3);
    const { validity } = must(columns[index], "a column a field");
    for (let row = 0; row < batch.length; row++) {
      if (batch.ops[row] !== Op.delete) continue;
      const [byte, bit] = [row >> 3, 1 << (row & 7)];
      const tells = name === orderBy && (validity === null || ((validity[byte] as number) & bit) !== 0);
      if (!tells) bits[byte] = (bits[byte] as number) | bit;
    }
    return bits;
  });
  const ops = batch.ops.map((op) => (op === Op.delete ? Op.softDelete : op));
  return { ...batch, ops, fields, columns, absent };
}
