import { run as runJob } from "../../run.ts";
import { createFigures } from "../../observe/figures.ts";
import type { CliContext } from "../context.ts";
import { holdMemory } from "../held-memory.ts";
import { keyCachePath } from "../key-cache.ts";
import { readJob } from "../job-file.ts";
import { runReporter } from "../run-reporter.ts";
import { onSignals } from "../signals.ts";

export interface RunOptions {
  readonly until?: "caught-up";
  /** Milliseconds. */
  readonly for?: number;
  readonly maxRows?: number;
}

/** `frazil run <job>`: until it is stopped, or as the options say. */
export async function run(context: CliContext, path: string, options: RunOptions): Promise<void> {
  const job = readJob(context, path);
  holdMemory(job.memoryBytes);
  const end = {
    caughtUp: options.until !== undefined,
    afterMs: options.for ?? null,
    maxRows: options.maxRows ?? null,
  };
  const signals = onSignals((line) => context.output.note(line));
  const figures = createFigures(context.runtime.clock);
  const reporter = runReporter(context, job.name, figures);
  try {
    const summary = await runJob(job, context.runtime, {
      end,
      stop: signals.stop,
      observer: reporter,
      figures,
      keyCache: keyCachePath(context.globals.env),
    });
    await reporter.finished(summary);
  } catch (error) {
    await reporter.failed(error);
    throw error;
  } finally {
    reporter.close();
    signals.close();
  }
}
