import { jobSchemaText } from "../../src/cli/commands/schema.ts";
import { jobShape, policiesShape } from "../../src/config/json-schema.ts";
import { SOURCES } from "../../src/registry.ts";
import { createProgram } from "../../src/cli/program.ts";
import { jobFilePage, policiesPage } from "./job-file-page.ts";
import { verbsPage } from "./verbs-page.ts";

/** Every generated file by its path from the top of the repository. */
export function pages(): ReadonlyMap<string, string> {
  return new Map([
    ["docs/reference/job-file.md", jobFilePage(jobShape(SOURCES))],
    ["docs/reference/policies.md", policiesPage(policiesShape())],
    ["docs/reference/verbs.md", verbsPage(createProgram())],
    ["jobs/job.schema.json", jobSchemaText()],
  ]);
}
