/**
 * `npm run docs`: writes every page that is made from declarations, and the numbers of the last runs. `test/unit/docs.test.ts` and
 * `test/unit/guarantees.test.ts` fail when they are stale.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeLastRuns } from "./last-runs.ts";
import { pages } from "./pages.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

for (const [path, text] of pages()) {
  const file = join(ROOT, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  process.stderr.write(`${path}\n`);
}
writeLastRuns();
