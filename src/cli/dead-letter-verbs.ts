import type { Command } from "commander";
import type { ListLettersOptions, ShowLetterOptions } from "./commands/dead-letters.ts";
import type { ReplayOptions } from "./commands/replay.ts";
import { verb } from "./verb.ts";

/** Declares `dead-letters list|show|replay`. */
export function addDeadLetterVerbs(program: Command): void {
  const letters = program
    .command("dead-letters")
    .description("look at messages that a job could not decode, and replay them");

  letters
    .command("list")
    .description("count them by cause, each with its first message")
    .argument("<job>", "a job file")
    .option("--all", "also those that have been replayed")
    .action(
      verb(async (context, path: string, options: ListLettersOptions) =>
        (await import("./commands/dead-letters.ts")).listLetters(context, path, options),
      ),
    );

  letters
    .command("show")
    .description("print one message with the reason why it could not be decoded")
    .argument("<job>", "a job file")
    .requiredOption("--topic <topic>", "its topic")
    .requiredOption("--partition <n>", "its topic partition")
    .requiredOption("--offset <n>", "its offset")
    .action(
      verb(async (context, path: string, options: ShowLetterOptions) =>
        (await import("./commands/dead-letters.ts")).showLetter(context, path, options),
      ),
    );

  letters
    .command("replay")
    .description("decode them again as the job file says now, and apply what decodes; stop the job before")
    .argument("<job>", "a job file")
    .option("--yes", "do it; without it the plan is printed")
    .action(
      verb(async (context, path: string, options: ReplayOptions) =>
        (await import("./commands/replay.ts")).replay(context, path, options),
      ),
    );
}
