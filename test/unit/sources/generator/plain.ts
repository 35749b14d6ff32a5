import type { ChangeBatch } from "../../../../src/core/change-batch.ts";
import type { PlainChange, PlainRow, PlainValue } from "../../../../src/sources/generator/expected.ts";
import { type Column, isValid } from "../../../../table-format/index.ts";

const opNames = ["insert", "update", "delete"] as const;

/** The rows of a batch in plain form; `table` by the batch's table number. */
export function plainChanges(batch: ChangeBatch, tables: readonly string[]): (PlainChange & { point: string })[] {
  return Array.from({ length: batch.length }, (_, row) => {
    const op = opNames[batch.ops[row] as number] as PlainChange["op"];
    const all: [string, PlainValue][] = batch.fields.map(({ name }, index) => [
      name,
      plainValue(batch.columns[index] as Column, row),
    ]);
    const key = op === "delete" ? (batch.key ?? []) : batch.fields.map(({ name }) => name);
    for (const [name, value] of all) if (!key.includes(name) && value !== null) throw new Error(`${name} of a delete`);
    const plain: PlainRow = Object.fromEntries(all.filter(([name]) => key.includes(name)));
    return { table: tables[batch.table] as string, op, row: plain, point: batch.points.after(row) };
  });
}

/** One value in the form that `expected.ts` gives. */
export function plainValue(column: Column, row: number): PlainValue {
  if (!isValid(column, row)) return null;
  switch (column.layout) {
    case "bits":
      return (((column.values[row >> 3] as number) >> (row & 7)) & 1) === 1;
    case "i32":
    case "f32":
    case "f64":
    case "i64":
      return column.values[row] as number | bigint;
    case "i128": {
      const unscaled =
        (column.values[row * 2 + 1] as bigint) * 2n ** 64n + BigInt.asUintN(64, column.values[row * 2] as bigint);
      const scale = column.type.kind === "decimal" ? column.type.scale : 0;
      const magnitude = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
      return `${unscaled < 0n ? "-" : ""}${magnitude.slice(0, -scale)}.${magnitude.slice(-scale)}`;
    }
    case "bytes": {
      const bytes = Buffer.from(column.values.slice(column.offsets[row], column.offsets[row + 1]));
      return column.type.kind === "string" ? bytes.toString("utf8") : bytes.toString("hex").toUpperCase();
    }
    case "fixed": {
      const hex = Buffer.from(column.values.slice(row * column.width, (row + 1) * column.width)).toString("hex");
      return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
    }
  }
}
