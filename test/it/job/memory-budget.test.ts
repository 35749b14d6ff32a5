import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { frazil } from "./job-process.ts";
import { END, expected } from "./memory-budget-changes.ts";

const folder = mkdtempSync(join(tmpdir(), "frazil-budget-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The least that `memory:` may be, and more than the job needs. */
const SMALL_MIB = 64;
const AMPLE_MIB = 512;

/** What a process takes beyond its budget: Node itself, the heap's slack, and what is being encoded. */
const BEYOND_BUDGET_MIB = 200;

interface Report {
  readonly reason: string;
  readonly checkpoints: number;
  readonly checkpointMs: number;
  readonly longestMs: number;
  readonly spilled: number;
  readonly peakRssMib: number;
}

async function run(mib: number): Promise<Report> {
  const place = join(folder, String(mib));
  const job = fileURLToPath(new URL("memory-budget-job.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [job, place, String(mib)]);
  const report = JSON.parse(stdout) as Report;
  console.log(
    `${mib} MiB: ${report.checkpoints} checkpoints of ${Math.round(END / report.checkpoints)} changes, ${report.checkpointMs} ms in all, peak RSS ${report.peakRssMib} MiB`,
  );
  return report;
}

/** Figures that a row too many, too few or of an older state changes. */
async function seen(mib: number): Promise<unknown> {
  const sql =
    "SELECT count(*)::VARCHAR AS rows, count(DISTINCT id)::VARCHAR AS ids, sum(value)::VARCHAR AS sum, sum((id * 31 + value) % 1000003)::VARCHAR AS mix FROM shop.t";
  const asked = frazil(["query", sql, "--warehouse", join(folder, String(mib), "lake"), "--json"]);
  expect(await asked.ended, asked.stderr()).toBe(0);
  return JSON.parse(asked.stdout());
}

it(
  "past the budget there are more checkpoints, which take longer in all; memory holds, and rows are right",
  { timeout: 300_000 },
  async () => {
    const ample = await run(AMPLE_MIB);
    const small = await run(SMALL_MIB);
    expect([ample.reason, small.reason]).toEqual(["caught-up", "caught-up"]);
    // All keys fit the one budget, few the other.
    expect(ample.spilled).toBe(0);
    expect(small.spilled).toBeGreaterThan(0);
    expect(small.checkpoints).toBeGreaterThan(ample.checkpoints);
    expect(small.peakRssMib).toBeLessThanOrEqual(SMALL_MIB + BEYOND_BUDGET_MIB);
    expect(ample.peakRssMib).toBeLessThanOrEqual(AMPLE_MIB + BEYOND_BUDGET_MIB);
    const rows = expected();
    expect(await seen(AMPLE_MIB)).toEqual(rows);
    expect(await seen(SMALL_MIB)).toEqual(rows);
  },
);
