import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import { openWarehouse } from "../../../src/warehouse.ts";
import { tableRows } from "../../support/table-rows.ts";
import { expectedRows, MEMORY_BYTES, TABLES } from "./many-tables-changes.ts";

const folder = mkdtempSync(join(tmpdir(), "frazil-many-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a process takes beyond its budget: Node itself, the heap's slack, and what is being encoded. */
const BEYOND_BUDGET_MIB = 200;

interface Report {
  readonly reason: string;
  readonly checkpoints: number;
  readonly spilled: number;
  readonly peakRssMib: number;
  readonly read: Readonly<Record<string, number>>;
  readonly committed: Readonly<Record<string, number>>;
}

it("200 tables share one memory budget, and none waits for the busy ones", { timeout: 300_000 }, async () => {
  const job = fileURLToPath(new URL("many-tables-job.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [job, folder]);
  const report = JSON.parse(stdout) as Report;
  console.log(`${report.checkpoints} checkpoints, peak RSS ${report.peakRssMib} MiB`);
  expect(report.reason).toBe("caught-up");
  // More keys than may be held in memory.
  expect(report.spilled).toBeGreaterThan(0);
  expect(report.peakRssMib).toBeLessThanOrEqual(MEMORY_BYTES / 2 ** 20 + BEYOND_BUDGET_MIB);
  // What is read of a table before a checkpoint is in that checkpoint.
  expect(Object.keys(report.read)).toHaveLength(TABLES);
  expect(report.committed).toEqual(report.read);
  const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
  const { io, catalog } = await openWarehouse(warehouseAt(join(folder, "lake"), {}), runtime, "read");
  for (const [table, rows] of expectedRows().entries()) {
    expect(await tableRows(io, catalog, { namespace: ["shop"], name: `t${table}` })).toEqual(rows);
  }
});
