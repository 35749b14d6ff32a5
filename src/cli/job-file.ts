import { loadJob } from "../config/load.ts";
import { FrazilError } from "../core/errors.ts";
import { type AnyJob, SOURCES } from "../registry.ts";
import type { CliContext } from "./context.ts";
import { type FileWanted, readNamedFile } from "./read-file.ts";

const JOB_FILE: FileWanted = {
  what: "job file",
  code: "JOB_FILE",
  hint: "frazil init kafka -o orders.yaml writes a job file to begin with",
};

/**
 * Reads and checks the job file that the user named.
 *
 * @throws FrazilError `config`; code `USAGE` where the command line names another warehouse, which the job would not write to.
 */
export function readJob(context: CliContext, path: string): AnyJob {
  const { globals } = context;
  const text = readNamedFile(path, JOB_FILE);
  if (globals.warehouseGiven) {
    throw new FrazilError(
      "config",
      "USAGE",
      `--warehouse does not go with a job file: ${path} names its own warehouse`,
      {
        hint: "write location: ${WAREHOUSE:-…} into the job file, and set the variable",
      },
    );
  }
  return loadJob(text, path, globals.env, SOURCES);
}
