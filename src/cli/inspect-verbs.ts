import { type Command, Option } from "commander";
import type { CompactOptions } from "./commands/compact.ts";
import type { ConsumersOptions } from "./commands/consumers.ts";
import type { ExpireOptions } from "./commands/expire.ts";
import type { ReadOptions } from "./commands/read.ts";
import type { RollbackOptions } from "./commands/rollback.ts";
import type { TagOptions } from "./commands/tag.ts";
import type { TapOptions } from "./commands/tap.ts";
import { EXPIRE_MAX_SNAPSHOTS } from "../core/limits.ts";
import { addEngineOptions } from "./engine-options.ts";
import { addRowOptions } from "./row-options.ts";
import { countOption, durationOption, ratioOption, shareOption, sizeOption, verb } from "./verb.ts";

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
    .option("--as-of <point>", "the table as it was: a snapshot id, an RFC 3339 time, a tag or branch")
    .action(
      verb(async (context, table: string, options: { asOf?: string }) =>
        (await import("./commands/files.ts")).files(context, table, options.asOf ?? null),
      ),
    );

  addRowOptions(program.command("read"))
    .description("print the rows of a table, or its changes commit by commit")
    .argument("<table>", "namespace.table")
    .option(
      "--from <point>",
      "print changes behind a snapshot id, RFC 3339 time, tag or branch; earliest: all that are held, latest: those to come",
    )
    .option("--as-of <point>", "the rows as they were: a snapshot id, an RFC 3339 time, a tag or branch")
    .option("--branch <name>", "the rows or changes of a branch instead of main's")
    .option("--follow", "go on with the commits to come until Ctrl-C; without --from, the present rows come first")
    .option(
      "--consumer <name>",
      "keep in the warehouse how far was read, and go on there; --from counts the first time",
    )
    .option("--net", "fold the commits that there are into the net change of each row")
    .action(
      verb(async (context, table: string, options: ReadOptions) =>
        (await import("./commands/read.ts")).read(context, table, options),
      ),
    );

  program
    .command("consumers")
    .description("tell who reads the changes of a table, and how far they have come")
    .argument("[table]", "namespace.table; without it all tables of the warehouse")
    .option("--delete <name>", "forget a consumer")
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, table: string | undefined, options: ConsumersOptions) =>
        (await import("./commands/consumers.ts")).consumers(context, table, options),
      ),
    );

  program
    .command("tag")
    .description("give a snapshot of a table a name, under which it stays until the tag is removed")
    .argument("<table>", "namespace.table")
    .argument("<name>", "the tag")
    .option("--snapshot <point>", "a snapshot id, an RFC 3339 time or another tag; without it the current snapshot")
    .option("--delete", "remove the tag")
    .option("--yes", "move or remove a tag that is there; without it the plan is printed")
    .action(
      verb(async (context, table: string, name: string, options: TagOptions) =>
        (await import("./commands/tag.ts")).tag(context, table, name, options),
      ),
    );

  program
    .command("rollback")
    .description(
      "bring rows back as they were, as a new snapshot, together with the position of the pipeline that writes them",
    )
    .argument("[table]", "namespace.table")
    .requiredOption("--to <point>", "a snapshot id, an RFC 3339 time or a tag")
    .option("--pipeline <name>", "roll back all tables of a pipeline, to one checkpoint")
    .option("--keep-position", "bring the rows back, and let the pipeline go on where it is")
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, table: string | undefined, options: RollbackOptions) =>
        (await import("./commands/rollback.ts")).rollback(context, table, options),
      ),
    );

  addEngineOptions(program.command("compact"))
    .description("join small data files of a table and rewrite those with many deleted rows, while jobs go on writing")
    .argument("<table>", "namespace.table")
    .option("--target-size <size>", "size of the new files (default 256MiB)", sizeOption)
    .option("--min-files <n>", "join at least so many small files (default 8)", countOption)
    .option(
      "--delete-ratio <share>",
      "rewrite a file of which at least this share of the rows is deleted; 0: any with deletes (default 0.05)",
      ratioOption,
    )
    .option("--sort [order]", 'rewrite all files sorted: "region, created_at desc"; bare: by the table\'s sort order')
    .option("--zorder <columns>", "rewrite all files so that rows near in several columns stand together: a,b")
    .option(
      "--where <condition>",
      "only files that may hold such rows: \"region = 'eu' and day(created_at) >= now - 7d\"",
    )
    .option("--partition <name>", "only files of a partition, named as its folder: region=eu/created_at_day=2026-11-20")
    .option("--old-specs", "also rewrite large files of older partition specs into the present one")
    .option("--max-bytes <size>", "bytes that one commit replaces at most (default 4GiB)", sizeOption)
    .option(
      "--memory <size>",
      "memory of a rewrite; sorted runs beyond it go to a temporary folder (default 256MiB)",
      sizeOption,
    )
    .option(
      "--pace <share>",
      "share of the time to work, above 0 to 1; the rest is for others (default 1)",
      shareOption,
    )
    .option("--manifests", "merge small manifests instead, sorted by partition; no data file is touched")
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, table: string, options: CompactOptions) =>
        (await import("./commands/compact.ts")).compact(context, table, options),
      ),
    );

  addEngineOptions(program.command("expire"))
    .description("take old snapshots out of a table and delete the files that only they reach")
    .argument("<table>", "namespace.table")
    .option(
      "--keep-last <n>",
      "snapshots of each branch to keep at least (default 1, or the table's property)",
      countOption,
    )
    .option(
      "--keep-for <time>",
      "keep snapshots younger than this (default 5d, or the table's property)",
      durationOption,
    )
    .option(
      "--max-snapshots <n>",
      `snapshots of each branch to keep at most, but for those of the last hour (default ${EXPIRE_MAX_SNAPSHOTS}, unless --keep-for or the table's property says how long they stay)`,
      countOption,
    )
    .option(
      "--consumers-hold <time>",
      "how long a consumer that stands still keeps what it has yet to read (default 7d, or the table's property)",
      durationOption,
    )
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, table: string, options: ExpireOptions) =>
        (await import("./commands/expire.ts")).expire(context, table, options),
      ),
    );

  program
    .command("status")
    .description("tell how tables and the job that writes them stand: rows, last commit, freshness, read lag")
    .argument("[job]", "a job file; without it all tables of the warehouse are shown")
    .action(
      verb(async (context, job: string | undefined) => (await import("./commands/status.ts")).status(context, job)),
    );

  program
    .command("tap")
    .description("print the changes that a job's source holds, decoded, until Ctrl-C; writes nothing anywhere")
    .argument("<job>", "a job file")
    .addOption(new Option("--from <end>", "where to begin").choices(["earliest", "latest"]).default("earliest"))
    .option("--table <table>", "changes of one target table, namespace.table")
    .option("--limit <n>", "end after this many changes", countOption)
    .action(
      verb(async (context, job: string, options: TapOptions) =>
        (await import("./commands/tap.ts")).tap(context, job, options),
      ),
    );

  program
    .command("plan")
    .description("tell where a job starts and which tables and columns it would create or change; writes nothing")
    .argument("<job>", "a job file")
    .action(verb(async (context, job: string) => (await import("./commands/plan.ts")).plan(context, job)));

  program
    .command("check")
    .description("try everything that a job needs: source, warehouse, positions; ends with the code of the worst")
    .argument("<job>", "a job file")
    .action(verb(async (context, job: string) => (await import("./commands/check.ts")).check(context, job)));

  program
    .command("sql")
    .description("a prompt for SQL over the tables of the warehouse; also reads statements from a pipe")
    .option("--as-of <point>", "the tables as they were: a snapshot id, an RFC 3339 time, a tag or branch")
    .action(
      verb(async (context, options: { asOf?: string }) =>
        (await import("./commands/sql.ts")).sql(context, options.asOf ?? null),
      ),
    );
}
