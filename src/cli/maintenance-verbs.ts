import { type Command, InvalidArgumentError } from "commander";
import type { AnalyzeOptions } from "./commands/analyze.ts";
import type { CleanOrphansOptions } from "./commands/clean-orphans.ts";
import { addEngineOptions } from "./engine-options.ts";
import { durationOption, verb } from "./verb.ts";

/** Verbs that look after whole tables. */
export function addMaintenanceVerbs(program: Command): void {
  addEngineOptions(program.command("clean-orphans"))
    .description(
      "delete files in the folders of tables that nothing reaches: what crashes and lost commits left behind",
    )
    .argument("[table...]", "namespace.table")
    .option("--all", "all tables of the warehouse")
    .option("--older-than <time>", "keep younger files that no name decides (default 3d, at least 1d)", ageOption)
    .option(
      "--foreign",
      "also files of other engines that are as old: nothing tells whether they may still commit them",
    )
    .option("--list", "print each file of the plan")
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, names: string[], options: CleanOrphansOptions) =>
        (await import("./commands/clean-orphans.ts")).cleanOrphans(context, names, options),
      ),
    );

  program
    .command("analyze")
    .description("count the distinct values of columns into statistics that the planners of Spark and Trino use")
    .argument("<table>", "namespace.table")
    .option("--columns <names>", "only these columns: a,b (default: all of primitive types)")
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, table: string, options: AnalyzeOptions) =>
        (await import("./commands/analyze.ts")).analyze(context, table, options),
      ),
    );
}

const DAY_MS = 86_400_000;

/** Files of a commit that is under way are younger than a day, whoever makes it. */
function ageOption(text: string): number {
  const ms = durationOption(text);
  if (ms < DAY_MS)
    throw new InvalidArgumentError("Expected at least 1d: younger files may belong to a commit under way.");
  return ms;
}
