import { counted, grouped } from "../../core/count-text.ts";
import type { ReplayPlan } from "../../pipeline/plan-replay.ts";
import { replay as replayJob, replayPlan } from "../../run.ts";
import { createFigures } from "../../observe/figures.ts";
import type { CliContext } from "../context.ts";
import { holdMemory } from "../held-memory.ts";
import { readJob } from "../job-file.ts";
import { jsonLine } from "../output.ts";
import { runReporter } from "../run-reporter.ts";
import { onSignals } from "../signals.ts";

export interface ReplayOptions {
  readonly yes?: boolean;
}

/** `frazil dead-letters replay <job> [--yes]`: prints the plan, and acts with `--yes`. */
export async function replay(context: CliContext, path: string, options: ReplayOptions): Promise<void> {
  const { output, runtime, globals } = context;
  const job = readJob(context, path);
  holdMemory(job.memoryBytes);
  const plan = await replayPlan(job, runtime);
  for (const line of planLines(plan)) output.note(line);
  if (globals.json) await output.write(jsonLine({ event: "plan", ...planRecord(plan) }));
  if (plan.letters === 0) return;
  if (options.yes !== true) {
    output.note("nothing is changed yet: stop the job, then --yes does it");
    return;
  }
  const signals = onSignals((line) => output.note(line));
  const figures = createFigures(runtime.clock);
  const reporter = runReporter(context, job.name, figures);
  try {
    await reporter.finished(await replayJob(job, runtime, { stop: signals.stop, observer: reporter, figures }));
  } catch (error) {
    await reporter.failed(error);
    throw error;
  } finally {
    reporter.close();
    signals.close();
  }
}

function planLines({ letters, rejected, tables }: ReplayPlan): string[] {
  if (letters === 0) return ["no dead letters to replay"];
  const still = [...rejected.values()].reduce((sum, count) => sum + count, 0);
  const lines = [`${grouped(letters)} dead letters, ${grouped(letters - still)} of them can be decoded now`];
  for (const [code, count] of rejected)
    lines.push(`  ${grouped(count)} still cannot be decoded (${code}) and stay dead letters`);
  for (const { target, changes, mode } of tables) {
    lines.push(`  ${counted(changes, "change")} to ${target}`);
    if (mode !== "upsert") continue;
    lines.push(
      `    they come after everything that is in the table: a row changed since is set back to what its letter says`,
    );
  }
  return lines;
}

function planRecord({ letters, rejected, tables }: ReplayPlan) {
  return { letters, rejected: Object.fromEntries(rejected), tables };
}
