import { type ChangeBatch, Op } from "../../src/core/change-batch.ts";
import { type Column, isValid } from "../../table-format/index.ts";

/** What `rowsOf` gives for a column that was not sent for a row. */
export const ABSENT = Symbol("absent");

/** A row of a batch in plain values. */
export interface PlainRow {
  readonly op: keyof typeof Op;
  readonly after: string;
  readonly values: Record<string, unknown>;
}

const OPS = Object.keys(Op) as (keyof typeof Op)[];

/** The rows of batches, value by value; asserts nothing, so that tests may. */
export function rowsOf(batches: readonly ChangeBatch[]): PlainRow[] {
  return batches.flatMap((batch) =>
    Array.from({ length: batch.length }, (_, row) => ({
      op: OPS.find((name) => Op[name] === batch.ops[row]) as keyof typeof Op,
      after: batch.points.after(row),
      values: Object.fromEntries(
        batch.fields.map((field, k) => {
          const absent = batch.absent[k];
          const isAbsent =
            absent !== null && absent !== undefined && ((absent[row >> 3] ?? 0) & (1 << (row & 7))) !== 0;
          return [field.name, isAbsent ? ABSENT : plainValue(batch.columns[k] as Column, row)];
        }),
      ),
    })),
  );
}

/** int64 as bigint, decimals as `unscaled e-scale`, binary and fixed as hex, the rest as JavaScript has it. */
export function plainValue(column: Column, row: number): unknown {
  if (!isValid(column, row)) return null;
  switch (column.layout) {
    case "bits":
      return ((column.values[row >> 3] as number) & (1 << (row & 7))) !== 0;
    case "i32":
    case "i64":
    case "f32":
    case "f64":
      return column.values[row];
    case "i128": {
      const low = BigInt.asUintN(64, column.values[row * 2] as bigint);
      const unscaled = ((column.values[row * 2 + 1] as bigint) << 64n) | low;
      return `${unscaled}e-${column.type.kind === "decimal" ? column.type.scale : "?"}`;
    }
    case "bytes": {
      const bytes = column.values.subarray(column.offsets[row], column.offsets[row + 1]);
      return column.type.kind === "string"
        ? new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
        : hex(bytes);
    }
    case "fixed":
      return hex(column.values.subarray(row * column.width, (row + 1) * column.width));
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
