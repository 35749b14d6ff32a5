import { type Command, Option } from "commander";
import type { MaintainOptions } from "./commands/maintain.ts";
import { countOption, verb } from "./verb.ts";

/** Declares the verb that keeps all tables of a warehouse in shape. */
export function addMaintainVerb(program: Command): void {
  program
    .command("maintain")
    .description(
      "compact, expire and tag all tables of a warehouse by their schedules, until Ctrl-C; several may run, one works",
    )
    .argument("[warehouse]", "a folder or s3://bucket/prefix; without it that of the policies or of --warehouse")
    .option(
      "--policies <file>",
      "what to do to which tables, and when; without it: compact, expire, clean orphans of all",
    )
    .option("--once", "do what is due, then end: for a cron of your own")
    .addOption(new Option("--history", "print what was done, the newest last").conflicts("once"))
    .option("--limit <n>", "so many runs of the history (default 100)", countOption)
    .action(
      verb(async (context, warehouse: string | undefined, options: MaintainOptions) =>
        (await import("./commands/maintain.ts")).maintain(context, warehouse ?? null, options),
      ),
    );
}
