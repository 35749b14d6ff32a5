import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = readFileSync(join(ROOT, "docs/bad-input.md"), "utf8");

/** The rows of the page's tables, without their heads. */
const rows = PAGE.split("\n")
  .filter((line) => line.startsWith("|") && !/^\| (Input|---)/.test(line))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe("docs/bad-input.md", () => {
  it.each(rows)("%s", (_input, _does, exit, tests) => {
    expect(exit).toMatch(/^(0|65|69|7[4-8])(, (65|69|7[4-8]))*$/);
    const paths = Array.from((tests ?? "").matchAll(/`([^`]+)`/g), ([, path]) => path ?? "");
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) expect(existsSync(join(ROOT, path)), path).toBe(true);
  });

  it("names codes that there are in the tests that it names", () => {
    const missing: string[] = [];
    for (const [input, does, , tests] of rows) {
      const codes = Array.from((does ?? "").matchAll(/`([A-Z]+(?:_[A-Z0-9]+)+|FENCED)`/g), ([, code]) => code ?? "");
      const paths = Array.from((tests ?? "").matchAll(/`([^`]+)`/g), ([, path]) => path ?? "");
      const texts = paths.map((path) => readFileSync(join(ROOT, path), "utf8")).join("\n");
      missing.push(...codes.filter((code) => !texts.includes(code)).map((code) => `${input}: ${code}`));
    }
    expect(missing).toEqual([]);
  });
});
