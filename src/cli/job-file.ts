import { readFileSync } from "node:fs";
import { loadJob } from "../config/load.ts";
import { FrazilError } from "../core/errors.ts";
import { type AnyJob, SOURCES } from "../registry.ts";
import type { CliContext } from "./context.ts";

/** Reads and checks the job file that the user named. @throws FrazilError `config`. */
export function readJob(context: CliContext, path: string): AnyJob {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new FrazilError("config", "JOB_FILE", `the job file ${path} cannot be read: ${(cause as Error).message}`, {
      cause,
      hint: "frazil run <file>, for example jobs/demo.yaml",
    });
  }
  return loadJob(text, path, context.globals.env, SOURCES);
}
