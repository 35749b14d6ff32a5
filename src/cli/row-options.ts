import { type Command, InvalidArgumentError, Option } from "commander";
import type { Part } from "../query/row-choice.ts";

/** Options of verbs that print rows of one table. */
export interface RowOptions {
  readonly columns?: string;
  readonly where?: string;
  readonly part?: Part;
  readonly format?: "ndjson" | "arrow";
}

/** Adds the options of `RowOptions` to a verb. */
export function addRowOptions(command: Command): Command {
  return command
    .option("--columns <names>", "these columns only, in this order: id,total")
    .option("--where <condition>", "rows that fulfil a condition of DuckDB's SQL: \"total > 100 and region = 'eu'\"")
    .option(
      "--part <i/n>",
      "one of n shares, from 1/n to n/n, for readers side by side: changes of a key are all in the same one",
      partOption,
    )
    .addOption(
      new Option("--format <format>", "ndjson: an object a line; arrow: Arrow's IPC stream").choices([
        "ndjson",
        "arrow",
      ]),
    );
}

/** `2/3` as the second of three. */
function partOption(text: string): Part {
  const [, index = "0", of = "0"] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  if (Number(index) < 1 || Number(index) > Number(of)) throw new InvalidArgumentError("Write 1/3, 2/3 or 3/3.");
  return { index: Number(index) - 1, of: Number(of) };
}
