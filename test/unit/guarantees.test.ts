import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { lastRuns } from "../docs/last-runs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGE = readFileSync(join(ROOT, "docs/guarantees.md"), "utf8");
const FILES = globSync(["test/**/*.ts", "src/**/*.ts", "table-format/**/*.ts"], { cwd: ROOT });
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>;
};

/** The names in backquotes, of the whole page or of the table under a heading. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
}

/** Whether a name that may be a path, a file's or a test's stands for something that is there. */
function isThere(name: string): boolean {
  if (existsSync(join(ROOT, name))) return true;
  return FILES.some((file) => [name, `${name}.ts`, `${name}.test.ts`].includes(basename(file)));
}

describe("docs/guarantees.md names what is there", () => {
  const paths = namesIn(PAGE).filter((name) => /^(test|src|docs)\/|\.ts$/.test(name));
  it.each(paths)("the file %s", (name) => expect(isThere(name)).toBe(true));

  const commands = namesIn(PAGE).flatMap((name) => /^npm run ([\w:]+)/.exec(name)?.[1] ?? []);
  it.each([...new Set(commands)])("the command npm run %s", (name) => expect(scripts).toHaveProperty([name]));

  /** What guards it stands in cells of its own: each backquoted name there is a test or a command. */
  const guards = /## Which tests guard it\n([^#]*)/.exec(PAGE)?.[1] ?? "";
  const cells = guards.split("\n").flatMap((line) => (line.startsWith("|") ? line.split("|").slice(-2, -1) : []));
  const tests = cells.flatMap(namesIn).filter((name) => !name.startsWith("npm run") && !name.endsWith(":"));
  it.each([...new Set(tests)])("the test %s", (name) => expect(isThere(name)).toBe(true));

  const links = [...PAGE.matchAll(/\]\(([\w-]+\.md)(?:#([\w-]+))?\)/g)].map(([, page, part]) => ({ page, part }));
  it.each(links)("the page $page#$part", ({ page, part }) => {
    const text = readFileSync(join(ROOT, "docs", page as string), "utf8");
    if (part === undefined) return;
    const heads = [...text.matchAll(/^#+ (.*)$/gm)].map(([, head]) =>
      (head as string)
        .toLowerCase()
        .replace(/[^\w\s-]/g, "")
        .replaceAll(" ", "-"),
    );
    expect(heads).toContain(part);
  });

  it.each([...lastRuns()])("%s: the numbers of its report; else: npm run docs", (_name, text) => {
    expect(PAGE).toContain(`| ${text} `);
  });

  it("finds names, commands and links to look at", () => {
    expect(Math.min(paths.length, tests.length, links.length)).toBeGreaterThan(5);
  });
});
