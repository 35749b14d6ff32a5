import { jobJsonSchema } from "../../config/json-schema.ts";
import { SOURCES } from "../../registry.ts";
import type { CliContext } from "../context.ts";

/** `frazil schema`: the JSON Schema of a job file. */
export async function schema(context: CliContext): Promise<void> {
  await context.output.write(jobSchemaText());
}

/** The text of `jobs/job.schema.json`. */
export function jobSchemaText(): string {
  return `${JSON.stringify(jobJsonSchema(SOURCES), null, 2)}\n`;
}
