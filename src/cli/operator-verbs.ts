import { type Command, Option } from "commander";
import type { ResetOptions, SetOptions } from "./commands/set-positions.ts";
import type { RepairOptions } from "./commands/repair.ts";
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
    .option(
      "--source <job>",
      "instead: read a job's source from its beginning, and compare the keys with those of its tables",
    )
    .option("--head", "only what the current snapshot needs; without it, every snapshot that is held")
    .option("--deep", "read all data of the current snapshot, too, not only keys and the footers of files")
    .action(
      verb(async (context, names: string[], options: VerifyOptions) =>
        (await import("./commands/verify.ts")).verify(context, names, options),
      ),
    );

  program
    .command("repair")
    .description(
      "put right what verify finds and what can be proven: a lost tag, ledger or hint, lost statistics, older rows of one key",
    )
    .argument("<table>", "namespace.table")
    .option("--drop-missing", "also take data files that are gone out of the table: their rows are lost")
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, table: string, options: RepairOptions) =>
        (await import("./commands/repair.ts")).repair(context, table, options),
      ),
    );

  const positions = program
    .command("positions")
    .description("tell how far a job has come in each split of its source, or have it go on elsewhere");

  positions
    .command("show", { isDefault: true })
    .description("tell how far a job has come in each split of its source")
    .argument("<job>", "a job file")
    .action(verb(async (context, job: string) => (await import("./commands/positions.ts")).positions(context, job)));

  positions
    .command("set")
    .description(
      "have a job go on from other points, as a new snapshot of each of its tables; what lies between is read again, or left out",
    )
    .argument("<job>", "a job file")
    .argument("<split=point...>", "shop.orders/0=1200: the next message that is read of a split; others stay")
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, job: string, points: string[], options: SetOptions) =>
        (await import("./commands/set-positions.ts")).setPositions(context, job, points, options),
      ),
    );

  positions
    .command("reset")
    .description("have a job begin anew in all splits; the rows that its tables hold stay")
    .argument("<job>", "a job file")
    .addOption(
      new Option("--to <where>", "start: as the job file says for new tables")
        .choices(["start", "earliest", "latest"])
        .default("start"),
    )
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, job: string, options: ResetOptions) =>
        (await import("./commands/set-positions.ts")).resetPositions(context, job, options),
      ),
    );
}
