import { writeFileSync } from "node:fs";
import { jobTemplate, sourceShapes } from "../../config/job-template.ts";
import { jobShape } from "../../config/json-schema.ts";
import { nearest } from "../../config/suggest.ts";
import { FrazilError } from "../../core/errors.ts";
import { SOURCES } from "../../registry.ts";
import type { CliContext } from "../context.ts";

/** `frazil init <source type> [-o file]`: a job file to fill in, on stdout or in a new file. */
export async function init(context: CliContext, type: string, file: string | null): Promise<void> {
  const shape = jobShape(SOURCES);
  const types = [...sourceShapes(shape).keys()];
  if (!types.includes(type)) {
    const near = nearest(type, types);
    throw new FrazilError("config", "UNKNOWN_SOURCE", `expected a source type (${types.join(", ")}), found "${type}"`, {
      hint: near === null ? "frazil list sources" : `did you mean ${near}?`,
    });
  }
  const text = jobTemplate(shape, type);
  if (file === null) {
    await context.output.write(text);
    return;
  }
  try {
    // Never over a file that is there: it may be the only copy of a job.
    writeFileSync(file, text, { flag: "wx" });
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    const message = exists ? `${file} is there already` : `${file} cannot be written: ${(cause as Error).message}`;
    throw new FrazilError(exists ? "config" : "io", exists ? "FILE_EXISTS" : "FILE_WRITE", message, {
      cause,
      hint: exists ? "choose another name, or remove the file first" : undefined,
    });
  }
  context.output.note(`wrote ${file}; next: frazil lint ${file}`);
}
