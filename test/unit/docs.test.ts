import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { pages } from "../docs/pages.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

it.each([...pages()])("%s says what its declaration says; else: npm run docs", (path, text) => {
  expect(readFileSync(join(ROOT, path), "utf8")).toBe(text);
});
