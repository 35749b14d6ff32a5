import { createBuilder, type PrimitiveType } from "../../table-format/index.ts";
import { type ChangeBatch, Op, offsetPoints } from "../../src/core/change-batch.ts";
import type { Process } from "./checkpoints.ts";

export type Cell = bigint | number | string | Uint8Array | null | undefined;
export type Row = readonly [op: keyof typeof Op, ...cells: Cell[]];

/** A batch of table `a` and one split from rows; undefined = not sent. `pairs`: rows whose point is that of the row after it. */
export function batchOf(
  process: Process,
  columns: Readonly<Record<string, PrimitiveType>>,
  rows: readonly Row[],
  first: number,
  given: { key?: readonly string[]; points?: readonly number[]; timesUs?: readonly (bigint | number)[] } = {},
): ChangeBatch {
  const names = Object.keys(columns);
  const absent = names.map(() => new Uint8Array((rows.length + 7) >> 3));
  const built = names.map((name, at) => {
    const type = columns[name] as PrimitiveType;
    const builder = createBuilder(type);
    for (const [index, [, ...cells]] of rows.entries()) {
      const cell = cells[at];
      if (cell === undefined) (absent[at] as Uint8Array)[index >> 3]! |= 1 << (index & 7);
      if (cell === undefined || cell === null) builder.appendNull();
      else if (typeof cell === "string") builder.appendString(cell);
      else if (cell instanceof Uint8Array) builder.appendBytes(cell, 0, cell.length);
      else if (type.kind === "decimal") builder.appendDecimal128(BigInt.asIntN(64, BigInt(cell)), BigInt(cell) >> 64n);
      else if (type.kind === "int" || type.kind === "date") builder.appendI32(Number(cell));
      else builder.appendI64(BigInt(cell));
    }
    return builder.finish();
  });
  return {
    table: process.router.byStream("a")?.table as number,
    split: "t/0",
    length: rows.length,
    ops: Uint8Array.from(rows, ([op]) => Op[op]),
    fields: names.map((name) => ({ name, type: columns[name] as PrimitiveType, required: false })),
    columns: built,
    absent: absent.map((bits) => (bits.some((byte) => byte !== 0) ? bits : null)),
    key: given.key ?? ["id"],
    points: offsetPoints(BigInt64Array.from(given.points ?? rows.map((_, row) => first + row + 1), BigInt)),
    ...(given.timesUs === undefined ? {} : { timesUs: BigInt64Array.from(given.timesUs, BigInt) }),
    sizeBytes: 40 * rows.length,
  };
}
