/** `npm run docs`: writes every page that is made from declarations. `test/unit/docs.test.ts` fails when one of them is stale. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { pages } from "./pages.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

for (const [path, text] of pages()) {
  const file = join(ROOT, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  process.stderr.write(`${path}\n`);
}
