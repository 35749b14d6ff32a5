import { counted, grouped } from "../core/count-text.ts";
import type { DuckDBValue } from "@duckdb/node-api";
import { cellPrinter, jsonRow } from "../query/cells.ts";
import type { ResultRows } from "../query/duckdb.ts";
import { type Output, tableText } from "./output.ts";

/** More rows than this are of no use on a terminal, and the widths of columns need them all in memory. */
const TERMINAL_ROWS = 1000;

/** Prints a result: one JSON object a row, or a table for people. */
export async function printRows(output: Output, result: ResultRows): Promise<void> {
  if (result.names.length === 0) {
    // Some statements are done only when their result is read.
    for await (const _rows of result.chunks());
    return;
  }
  const printers = result.types.map(cellPrinter);
  if (output.json) {
    for await (const rows of result.chunks()) {
      const lines = rows.map((row) =>
        jsonRow(
          result.names,
          printers.map((printer, index) => printer.json(cell(row, index))),
        ),
      );
      await output.write(lines.map((line) => `${line}\n`).join(""));
    }
    return;
  }
  const shown: string[][] = [];
  let total = 0;
  for await (const rows of result.chunks()) {
    total += rows.length;
    for (const row of rows.slice(0, TERMINAL_ROWS - shown.length)) {
      shown.push(printers.map((printer, index) => printer.text(cell(row, index))));
    }
  }
  const columns = result.names.map((name, index) => ({
    name,
    align: printers[index]?.isNumber ? ("right" as const) : ("left" as const),
  }));
  await output.write(tableText(columns, shown));
  if (total > shown.length) {
    output.note(`the first ${grouped(shown.length)} of ${counted(total, "row")}; --json prints all`);
  }
}

function cell(row: readonly DuckDBValue[], index: number): DuckDBValue {
  return row[index] ?? null;
}
