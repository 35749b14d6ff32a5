import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { Command, Option } from "commander";
import { must } from "../core/errors.ts";
import type { QueryOptions } from "./commands/query.ts";
import type { RunOptions } from "./commands/run.ts";
import { addDeadLetterVerbs } from "./dead-letter-verbs.ts";
import { addGlobalOptions } from "./globals.ts";
import { addInspectVerbs } from "./inspect-verbs.ts";
import { addJobFileVerbs } from "./job-file-verbs.ts";
import { addMaintenanceVerbs } from "./maintenance-verbs.ts";
import { addMaintainVerb } from "./maintain-verb.ts";
import { addOperatorVerbs } from "./operator-verbs.ts";
import { addRowOptions, type RowOptions } from "./row-options.ts";
import { addTimeTravelVerbs } from "./time-travel-verbs.ts";
import { countOption, durationOption, verb } from "./verb.ts";

/**
 * The command line: every verb with its arguments. What a verb needs is loaded when it runs, so that `--version` and `--help` are
 * there at once.
 */
export function createProgram(): Command {
  const program = new Command("frazil")
    .description("Changelogs in, Apache Iceberg tables out")
    .version(packageVersion(), "-V, --version")
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  addGlobalOptions(program);
  program.addHelpText("after", GLOBAL_HELP);

  program
    .command("run")
    .description("run a job; it resumes where its tables stand, and the first Ctrl-C finishes the checkpoint")
    .argument("<job>", "a job file, such as jobs/demo.yaml")
    .addOption(new Option("--until <end>", "end at the source's end as of the start").choices(["caught-up"]))
    .option("--for <duration>", "end after a time: 30s, 10m, 2h", durationOption)
    .option("--max-rows <n>", "end after this many changes", countOption)
    .action(
      verb(async (context, path: string, options: RunOptions) =>
        (await import("./commands/run.ts")).run(context, path, options),
      ),
    );

  program
    .command("tables")
    .description("list the tables of the warehouse")
    .action(verb(async (context) => (await import("./commands/tables.ts")).tables(context)));

  program
    .command("snapshots")
    .description("list the snapshots of a table")
    .argument("<table>", "namespace.table")
    .action(
      verb(async (context, table: string) => (await import("./commands/snapshots.ts")).snapshots(context, table)),
    );

  program
    .command("query")
    .description("run SQL over the tables of the warehouse, in an embedded DuckDB")
    .argument("<sql>", "one SELECT; tables are named namespace.table")
    .option("--as-of <point>", "the tables as they were: a snapshot id, an RFC 3339 time, a tag or branch")
    .option("--consistent <job>", "all tables of a job, by its file or name, as one checkpoint left them")
    .option("--print-statement", "print SQL to paste into any DuckDB instead of running it")
    .action(
      verb(async (context, sql: string, options: QueryOptions) =>
        (await import("./commands/query.ts")).query(context, sql, options),
      ),
    );

  addRowOptions(program.command("diff"))
    .description("print the rows that changed between two snapshots of a table")
    .argument("<table>", "namespace.table")
    .argument("<range>", "a..b: snapshot ids, RFC 3339 times, tags or branches; without b: up to now")
    .action(
      verb(async (context, table: string, range: string, options: RowOptions) =>
        (await import("./commands/diff.ts")).diff(context, table, range, options),
      ),
    );

  addInspectVerbs(program);
  addTimeTravelVerbs(program);
  addMaintenanceVerbs(program);
  addMaintainVerb(program);
  addOperatorVerbs(program);
  addDeadLetterVerbs(program);
  addJobFileVerbs(program);
  groupVerbs(program);
  hintAtHelp(program, "frazil");
  return program;
}

const GLOBAL_HELP = `
Global options may also be given as FRAZIL_JSON, FRAZIL_QUIET, FRAZIL_LOG_LEVEL, FRAZIL_LOG_FORMAT,
FRAZIL_COLOR, FRAZIL_ENV_FILE and FRAZIL_WAREHOUSE. Without a warehouse, ./warehouse is read.`;

/** The verbs by what one wants to do, in this order. */
const VERB_GROUPS: readonly (readonly [title: string, verbs: readonly string[]])[] = [
  ["Describe a job", ["init", "lint", "schema", "list"]],
  ["Run a job", ["check", "plan", "tap", "run", "status", "positions", "dead-letters"]],
  ["Look at tables", ["tables", "describe", "snapshots", "files", "query", "sql", "read", "diff", "consumers"]],
  ["Name, publish and bring back states of a table", ["tag", "branch", "publish", "restore", "rollback"]],
  ["Keep tables in shape", ["compact", "expire", "clean-orphans", "analyze", "maintain", "verify", "repair"]],
];

function groupVerbs(program: Command): void {
  const order = VERB_GROUPS.flatMap(([, verbs]) => verbs);
  for (const command of program.commands) {
    const group = VERB_GROUPS.find(([, verbs]) => verbs.includes(command.name()));
    command.helpGroup(`${must(group, `a group that has ${command.name()}`)[0]}:`);
  }
  // Help shows them as they stand here.
  (program.commands as Command[]).sort((a, b) => order.indexOf(a.name()) - order.indexOf(b.name()));
  const help = new Command("help").argument("[command]").description("tell about a verb").helpGroup("Help:");
  program.addHelpCommand(help);
}

/** Usage errors, of a verb and those below it, in the form of ours, with the help that tells what is right. */
function hintAtHelp(command: Command, name: string): void {
  command.configureOutput({
    outputError(text, write) {
      write(`error USAGE: ${text.replace(/^error: /, "").trimEnd()}\nhint: ${name} --help\n`);
    },
  });
  for (const below of command.commands) hintAtHelp(below, `${name} ${below.name()}`);
}

function packageVersion(): string {
  const path = must(findPackageJSON("..", import.meta.url), "the package has no package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
