import { Argument, type Command } from "commander";
import type { LintOptions } from "./commands/lint.ts";
import { verb } from "./verb.ts";

/** What `frazil list` knows. */
const LISTS = ["sources", "formats"] as const;

/** Declares the verbs that need nothing but files: they reach no server and no warehouse. */
export function addJobFileVerbs(program: Command): void {
  program
    .command("init")
    .description("print a job file to fill in, every setting with its default")
    .argument("<source>", "a source type; see frazil list sources")
    .option("-o, --output <file>", "write it to a new file")
    .action(
      verb(async (context, type: string, options: { output?: string }) =>
        (await import("./commands/init.ts")).init(context, type, options.output ?? null),
      ),
    );

  program
    .command("lint")
    .description(
      "check job files and files of policies without their sources, warehouses or environment; ends with 78 for errors",
    )
    .argument("<file...>", "job files, and files of maintain --policies")
    .option("--deny-warnings", "end with 78 for warnings too")
    .action(
      verb(async (context, paths: string[], options: LintOptions) =>
        (await import("./commands/lint.ts")).lint(context, paths, options),
      ),
    );

  program
    .command("schema")
    .description("print the JSON Schema of a job file, for editors")
    .action(verb(async (context) => (await import("./commands/schema.ts")).schema(context)));

  program
    .command("list")
    .description("list what a job file can name")
    .addArgument(new Argument("<what>", "what to list").choices(LISTS))
    .action(
      verb(async (context, what: (typeof LISTS)[number]) => (await import("./commands/list.ts")).list(context, what)),
    );
}
