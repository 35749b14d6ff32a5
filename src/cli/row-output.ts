import { FrazilError } from "../core/errors.ts";
import { LIBRARY_BATCH_ROWS } from "../core/limits.ts";
import { type ArrowStream, arrowSchema, arrowStream, type RowColumns } from "../query/arrow-table.ts";
import type { ResultRows } from "../query/duckdb.ts";
import { rowBatches } from "../query/row-batches.ts";
import { type RowChoice, rowChoice } from "../query/row-choice.ts";
import type { Output } from "./output.ts";
import { printRows } from "./result-rows.ts";
import type { RowOptions } from "./row-options.ts";

/** What the options choose. */
export function chosenRows({ columns, where, part }: RowOptions): RowChoice {
  return rowChoice({ where, part, columns: columns?.split(",").map((name) => name.trim()) });
}

/** Prints results one after another in the form that was asked for. */
export interface RowPrinter {
  /** @throws FrazilError `data`, code `SCHEMA_CHANGED`, for columns that the Arrow stream did not begin with. */
  print(result: ResultRows & RowColumns): Promise<void>;
  /** Ends what has been begun. */
  end(): Promise<void>;
}

/** A printer of JSON lines, of tables for people, or of one Arrow stream with these columns, whose schema is written at once. */
export async function openRowPrinter(
  output: Output,
  format: RowOptions["format"],
  columns: () => Promise<RowColumns>,
): Promise<RowPrinter> {
  if (format !== "arrow") {
    const lines = format === "ndjson" ? { ...output, json: true } : output;
    return { print: (result) => printRows(lines, result), end: async () => undefined };
  }
  const stream = arrowStream(await columns());
  await output.write(stream.start);
  return {
    async print(result) {
      checkSame(stream, result);
      for await (const rows of rowBatches(result, LIBRARY_BATCH_ROWS)) await output.write(stream.batch(rows));
    },
    end: () => output.write(stream.end),
  };
}

function checkSame({ schema }: ArrowStream, columns: RowColumns): void {
  const text = (fields: typeof schema): string => fields.fields.map(String).join(", ");
  const found = text(arrowSchema(columns));
  if (found === text(schema)) return;
  throw new FrazilError(
    "data",
    "SCHEMA_CHANGED",
    `the table's columns have changed, and an Arrow stream cannot; expected ${text(schema)}, found ${found}`,
    { hint: "run it again: the new stream has the new columns; with --consumer it goes on where this one ends" },
  );
}
