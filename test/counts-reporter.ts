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

/** The closing line that CI reads. */
export function closingLine(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

/** Names the file that the closing line is written to. */
export const COUNTS_FILE = "FRAZIL_TEST_COUNTS";

/** What a run has written there; nothing when it has not come to that. */
export function countsOf(file: string): Counts {
  const line = existsSync(file) ? readFileSync(file, "utf8") : "";
  const [passed = 0, failed = 0, skipped = 0] = line.match(/\d+/g)?.map(Number) ?? [];
  return { passed, failed, skipped };
}

/** Prints the closing line after a run, and writes it to the file named by FRAZIL_TEST_COUNTS for those who asked for the run. */
export class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const line = closingLine(countTests(modules, unhandledErrors.length));
    const file = process.env[COUNTS_FILE];
    if (file !== undefined && file !== "") writeFileSync(file, `${line}\n`);
    process.stdout.write(`\n${line}\n`);
  }
}
