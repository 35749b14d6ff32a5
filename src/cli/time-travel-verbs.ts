import type { Command } from "commander";
import type { BranchOptions } from "./commands/branch.ts";
import type { PublishOptions } from "./commands/publish.ts";
import type { RestoreOptions } from "./commands/restore.ts";
import { verb } from "./verb.ts";

/** Verbs that work on branches and on how a table was. */
export function addTimeTravelVerbs(program: Command): void {
  program
    .command("branch")
    .description("list the branches of a table, make one, move one on, or remove one")
    .argument("<table>", "namespace.table")
    .argument("[name]", "the branch; without it all are listed")
    .option(
      "--snapshot <point>",
      "begin at a snapshot id, an RFC 3339 time, a tag or branch; without it at the current snapshot",
    )
    .option("--fast-forward <branch>", "move the branch (main too) on to another that holds all that it holds")
    .option("--delete", "remove the branch")
    .option("--yes", "move or remove a branch that is there; without it the plan is printed")
    .action(
      verb(async (context, table: string, name: string | undefined, options: BranchOptions) =>
        (await import("./commands/branch.ts")).branch(context, table, name, options),
      ),
    );

  program
    .command("publish")
    .description("make main what a branch holds, if checks on it hold; ends with 65 and leaves main alone if not")
    .argument("<table|job>", "namespace.table, or a job file: all its tables, with the checks that stand there")
    .option("--branch <name>", "the branch; without it the one that the table's job writes to")
    .option(
      "--check <sql>",
      "a SELECT that gives no row, or a single true; may be given several times",
      (sql: string, others: readonly string[] | undefined) => [...(others ?? []), sql],
    )
    .action(
      verb(async (context, subject: string, options: PublishOptions) =>
        (await import("./commands/publish.ts")).publish(context, subject, options),
      ),
    );

  program
    .command("restore")
    .description("bring chosen rows back as they were, as one commit; jobs go on, and their later changes win")
    .argument("<table>", "namespace.table, a table with a key")
    .requiredOption("--from <point>", "how they were: a snapshot id, an RFC 3339 time, a tag or branch")
    .option("--keys <keys>", "rows with these keys, of a table whose key is one column: 17,42")
    .option("--where <condition>", "rows that fulfilled a condition of DuckDB's SQL then: \"region = 'eu'\"")
    .option("--remove-new", "remove chosen rows that were not there then; without it they stay")
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, table: string, options: RestoreOptions) =>
        (await import("./commands/restore.ts")).restore(context, table, options),
      ),
    );
}
