import type { Command } from "commander";
import type { VerifyOptions } from "./commands/verify.ts";
import { verb } from "./verb.ts";

/** Verbs for whoever looks after jobs and tables: what is wrong, and what to do about it. */
export function addOperatorVerbs(program: Command): void {
  program
    .command("verify")
    .description(
      "look whether tables are whole: objects, vectors, keys, tags and positions, ledger; ends with 65 when something is found",
    )
    .argument("[table...]", "namespace.table")
    .option("--all", "all tables of the warehouse")
    .option("--head", "only what the current snapshot needs; without it, every snapshot that is held")
    .action(
      verb(async (context, names: string[], options: VerifyOptions) =>
        (await import("./commands/verify.ts")).verify(context, names, options),
      ),
    );
}
