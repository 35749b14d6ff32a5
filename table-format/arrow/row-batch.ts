import { FrazilError } from "../errors.ts";
import { isPrimitive } from "../schema/type-json.ts";
import type { NestedField, Schema } from "../schema/types.ts";
import type { AnyBatch, AnyColumn, Cell, CellStruct } from "../values/cell.ts";
import { defaultCell } from "../values/default-cell.ts";
import { notOfType, valueCheck } from "../values/value-check.ts";
import { appendValue } from "./append-value.ts";
import { createBuilder } from "./builder.ts";

/**
 * A batch of rows given as objects by column name, in the form in which `cellAt` gives them: structs are objects, lists arrays, maps
 * arrays of `[key, value]` pairs, int64 and unscaled decimals bigint, uuid, fixed and binary bytes. A column that a row leaves out has
 * its `write-default` there, or is null. The parts of nested columns are checked when the batch is written.
 *
 * @throws FrazilError `data` naming a column that the schema lacks or whose value is of another type
 */
export function batchOfRows(schema: Schema, rows: readonly CellStruct[]): AnyBatch {
  const names = new Set(schema.fields.map(({ name }) => name));
  for (const row of rows) {
    for (const name of Object.keys(row)) {
      if (names.has(name)) continue;
      throw new FrazilError("data", "UNKNOWN_COLUMN", `column ${JSON.stringify(name)} is not in the schema`, {
        hint: `columns: ${[...names].join(", ")}`,
      });
    }
  }
  return { length: rows.length, columns: schema.fields.map((field) => columnOfRows(field, rows)) };
}

function columnOfRows(field: NestedField, rows: readonly CellStruct[]): AnyColumn {
  const { name, type } = field;
  const missing = defaultCell(field, "writeDefault");
  const values = rows.map((row): Cell | null => {
    const value = row[name];
    return value === undefined ? missing : value;
  });
  if (!isPrimitive(type)) return { layout: "cells", type, length: rows.length, values };
  const builder = createBuilder(type);
  const isOfType = valueCheck(type);
  for (const value of values) {
    if (value !== null && !isOfType(value)) throw notOfType(name, type, value);
    appendValue(builder, type, value);
  }
  return builder.finish();
}
