import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { loadJob } from "../../../src/config/load.ts";
import { SOURCES } from "../../../src/registry.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

it.each(globSync("jobs/**/*.yaml", { cwd: ROOT }))("%s loads without any environment", (path) => {
  const job = loadJob(readFileSync(join(ROOT, path), "utf8"), path, {}, SOURCES);
  expect(job.tables.length).toBeGreaterThan(0);
});
