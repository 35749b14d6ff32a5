import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/** How many tests ended in which way; a file that cannot be loaded counts as one failure. */
export type Counts = { passed: number; failed: number; skipped: number };

/** Counts the tests of `modules`; `unhandledErrors` are errors outside any test, each one a failure. */
export function countTests(modules: readonly TestModule[], unhandledErrors: number): Counts {
  const counts: Counts = { passed: 0, failed: unhandledErrors, skipped: 0 };
  for (const module of modules) {
    counts.failed += module.errors().length;
    for (const suite of module.children.allSuites()) counts.failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const state = test.result().state;
      // A test that is still pending never ran: the run was cut off, which is not a pass.
      counts[state === "pending" ? "failed" : state] += 1;
    }
  }
  return counts;
}

/** What failed, a line each: the project, the file and the names of suites and test. */
export function failuresOf(modules: readonly TestModule[]): string[] {
  return modules.flatMap((module) => {
    const place = `${module.project.name} ${module.relativeModuleId}`;
    const broken = [module, ...module.children.allSuites()].filter((each) => each.errors().length > 0);
    const failed = [...module.children.allTests()].filter(
      (test) => !["passed", "skipped"].includes(test.result().state),
    );
    return [
      ...broken.map((each) => (each.type === "module" ? place : `${place} > ${each.fullName}`)),
      ...failed.map((test) => `${place} > ${test.fullName}`),
    ];
  });
}

/** The closing line that CI reads. */
export function closingLine(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

/** Names the file that the closing line is written to. */
export const COUNTS_FILE = "FRAZIL_TEST_COUNTS";

/** What failed and how many tests ended in which way, as the last lines of a run say it. */
export function closingText(failures: readonly string[], counts: Counts): string {
  return `${failures.map((each) => `failed: ${each}\n`).join("")}${closingLine(counts)}\n`;
}

/** What a run has written to its file (`closingText`); nothing when it has not come to that. */
export function resultOf(file: string): { readonly counts: Counts; readonly failures: readonly string[] } {
  const lines = existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  const [passed = 0, failed = 0, skipped = 0] = lines.at(-1)?.match(/\d+/g)?.map(Number) ?? [];
  const failures = lines.slice(0, -1).map((line) => line.slice("failed: ".length));
  return { counts: { passed, failed, skipped }, failures };
}

/** Prints what failed and the closing line after a run, and writes them to the file named by FRAZIL_TEST_COUNTS for those who asked. */
export class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const text = closingText(failuresOf(modules), countTests(modules, unhandledErrors.length));
    const file = process.env[COUNTS_FILE];
    if (file !== undefined && file !== "") writeFileSync(file, text);
    process.stdout.write(`\n${text}`);
  }
}
