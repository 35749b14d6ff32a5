import { type Column, isValid, nullColumn, type PrimitiveType, type Schema } from "../../../table-format/index.ts";
import { NO_TIME, Op } from "../../core/change-batch.ts";
import { must } from "../../core/errors.ts";
import type { BufferedBatch } from "../changes/buffered-changes.ts";
import { keyWords } from "../keys/key-words.ts";
import { keyFields } from "../keys/table-state.ts";

/** Time of a row that has none. */
export const TIMELESS = -1;

/** Rows as `dedupe` sees them. */
export interface TimedKeys {
  readonly keys: Uint32Array;
  /** Milliseconds since 1970 UTC; `TIMELESS` for rows without a time or without a value in each key column: they are no copies. */
  readonly timesMs: Float64Array;
}

/** The keys and times of rows. @param columns the key's, of the types `types`. @param timesUs microseconds since 1970 UTC, `NO_TIME` for none. */
export function timedKeys(
  columns: readonly Column[],
  types: readonly PrimitiveType[],
  names: readonly string[],
  length: number,
  timesUs: (row: number) => bigint,
  seed: number,
): TimedKeys {
  const timesMs = new Float64Array(length);
  // Rows without a key are passed over like truncates, which have none either.
  const ops = new Uint8Array(length).fill(Op.insert);
  for (let row = 0; row < length; row++) {
    const time = timesUs(row);
    const keyed = columns.every((column) => isValid(column, row));
    if (!keyed) ops[row] = Op.truncate;
    timesMs[row] = keyed && time !== NO_TIME ? wholeMs(time) : TIMELESS;
  }
  return { keys: keyWords(columns, types, names, length, ops, seed), timesMs };
}

/** The keys and times of a batch's rows. @param schema the table's. */
export function batchKeys({ batch }: BufferedBatch, schema: Schema, key: readonly string[], seed: number): TimedKeys {
  const fields = keyFields(schema, key);
  const columns = fields.map(({ name, type }) => {
    const index = batch.fields.findIndex((field) => field.name === name);
    return index < 0 ? nullColumn(type, batch.length) : must(batch.columns[index], "a column a field");
  });
  const types = fields.map(({ type }) => type);
  return timedKeys(columns, types, key, batch.length, (row) => batch.timesUs?.[row] ?? NO_TIME, seed);
}

/** What was before 1970 counts as then. */
function wholeMs(micros: bigint): number {
  return micros <= 0n ? 0 : Number(micros / 1_000n);
}
