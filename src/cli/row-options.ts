import { type Command, Option } from "commander";

/** Options of verbs that print rows of one table. */
export interface RowOptions {
  readonly columns?: string;
  readonly where?: string;
  readonly format?: "ndjson" | "arrow";
}

/** Adds the options of `RowOptions` to a verb. */
export function addRowOptions(command: Command): Command {
  return command
    .option("--columns <names>", "these columns only, in this order: id,total")
    .option("--where <condition>", "rows that fulfil a condition of DuckDB's SQL: \"total > 100 and region = 'eu'\"")
    .addOption(
      new Option("--format <format>", "ndjson: an object a line; arrow: Arrow's IPC stream").choices([
        "ndjson",
        "arrow",
      ]),
    );
}
