import type { Command } from "commander";
import type { ReadOptions } from "./commands/read.ts";
import { verb } from "./verb.ts";

/** Verbs that look into a warehouse or a source. */
export function addInspectVerbs(program: Command): void {
  program
    .command("describe")
    .description("tell all about a table: columns, partitioning, properties, refs, location, sizes")
    .argument("<table>", "namespace.table")
    .action(verb(async (context, table: string) => (await import("./commands/describe.ts")).describe(context, table)));

  program
    .command("files")
    .description("list the data files of a table, with their rows and deleted rows")
    .argument("<table>", "namespace.table")
    .option("--as-of <point>", "the table as it was: a snapshot id, an RFC 3339 time or a tag")
    .action(
      verb(async (context, table: string, options: { asOf?: string }) =>
        (await import("./commands/files.ts")).files(context, table, options.asOf ?? null),
      ),
    );

  program
    .command("read")
    .description("print the rows of a table, or its changes commit by commit")
    .argument("<table>", "namespace.table")
    .option(
      "--from <point>",
      "print changes behind a snapshot id, RFC 3339 time or tag; earliest: all that are held, latest: those to come",
    )
    .option("--follow", "go on with the commits to come until Ctrl-C; without --from, the present rows come first")
    .action(
      verb(async (context, table: string, options: ReadOptions) =>
        (await import("./commands/read.ts")).read(context, table, options),
      ),
    );
}
