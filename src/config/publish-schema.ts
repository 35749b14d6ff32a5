import { z } from "zod";
import { duration, text } from "./scalars.ts";

/** How the branch of a job becomes `main`. */
export interface PublishSettings {
  /** Null: `frazil publish` is run by somebody else. */
  readonly everyMs: number | null;
  /** SQL: a check holds when it gives no row, or a single true. */
  readonly checks: readonly string[];
}

/** A name that no snapshot id, time or pipeline's tag can be taken for. */
export const branchSchema = z
  .string()
  .regex(/^(?!main$|now$|earliest$|latest$|ingest\.|\d+$)[A-Za-z0-9_][A-Za-z0-9_-]{0,99}$/, {
    error: "must be a branch other than main: letters, digits, _ and -, not only digits",
  })
  .meta({ example: "audit" })
  .describe(
    "Write to this branch of the tables, not to `main`: who reads the tables sees nothing until it is published. The dead-letter table stays on `main`.",
  );

/** The `publish:` block. */
export const publishSchema = z
  .strictObject({
    every: duration(1000)
      .optional()
      .meta({ example: "1m" })
      .describe(
        "How often the job publishes the last checkpoint by itself, as long as the checks hold, and once more when it ends. Without it `frazil publish` does.",
      ),
    checks: z
      .array(text())
      .default([])
      .meta({ example: ["SELECT count(*) > 0 FROM shop.orders", "SELECT * FROM shop.orders WHERE total < 0"] })
      .describe(
        "One SELECT each, over the tables as they would be. A check holds when it gives no row, or a single value that is true.",
      ),
  })
  .transform((value): PublishSettings => ({ everyMs: value.every ?? null, checks: value.checks }));

/** Refuses to publish what nobody writes. */
export function checkBranch(
  job: { readonly branch?: string | undefined; readonly publish?: unknown },
  context: z.RefinementCtx,
): void {
  if (job.publish === undefined || job.branch !== undefined) return;
  const message = "needs branch: the branch that the job writes to, such as audit";
  context.addIssue({ code: "custom", path: ["publish"], message });
}
