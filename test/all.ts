/**
 * All tests, step by step: what `npm test` runs. Paths and options of vitest choose some of them. Its last lines are those of
 * `counts-reporter.ts`, for all of them together: what failed, and the counts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closingText, type Counts, COUNTS_FILE, resultOf } from "./counts-reporter.ts";
import { BESIDE, STEPS } from "./projects.ts";

const ROOT = join(import.meta.dirname, "..");
const VITEST = [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--config", "test/vitest.config.ts"];

/** Then a step may have none. */
const chosen = process.argv.length > 2 ? ["--passWithNoTests", ...process.argv.slice(2)] : [];

const folder = mkdtempSync(join(tmpdir(), "frazil-tests-"));
const running = new Set<ChildProcess>();
// A terminal sends Ctrl-C to all of its processes: each run ends by itself, and what it counted is told.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => running.forEach((child) => child.kill("SIGTERM")));

/** Runs the tests of some projects. What those beside others put out is kept back, and given as text. */
async function run(
  projects: readonly string[],
  place: "front" | "beside",
): Promise<{
  readonly passed: boolean;
  readonly counts: Counts;
  readonly failures: readonly string[];
  readonly text: string;
}> {
  const counted = join(folder, projects.join("-"));
  const output = place === "beside" ? "pipe" : "inherit";
  const child = spawn(process.execPath, [...VITEST, ...projects.map((name) => `--project=${name}`), ...chosen], {
    cwd: ROOT,
    stdio: ["ignore", output, output],
    env: { ...process.env, [COUNTS_FILE]: counted, ...(place === "beside" ? { [BESIDE]: "1" } : {}) },
  });
  running.add(child);
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => void chunks.push(chunk));
  const passed = await new Promise<boolean>((resolve) => child.on("close", (code) => resolve(code === 0)));
  running.delete(child);
  const { counts, failures } = resultOf(counted);
  // A run that broke off has counted nothing, or not why.
  if (!passed && counts.failed === 0) counts.failed = 1;
  return { passed, counts, failures, text: Buffer.concat(chunks).toString("utf8") };
}

const runs = [];
for (const { projects, beside } of STEPS) {
  const others = beside === undefined ? null : run(beside, "beside");
  runs.push(await run(projects, "front"));
  if (others === null) continue;
  const done = await others;
  process.stdout.write(`\nbeside ${projects.join(", ")}:\n${done.text}`);
  runs.push(done);
}
rmSync(folder, { recursive: true, force: true });

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const { counts } of runs) {
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
}
const failures = runs.flatMap((each) => each.failures);
const closing = closingText(failures, total);
const file = process.env[COUNTS_FILE];
if (file !== undefined && file !== "") writeFileSync(file, closing);
process.stdout.write(`\n${closing}`);
process.exitCode = runs.every(({ passed }) => passed) ? 0 : 1;
