import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect } from "vitest";
import { commands, settings } from "./upsert-commands.ts";
import { type RunCounts, UpsertRun } from "./upsert-run.ts";

/** Half of a thousand: each format version has as many. More for longer campaigns: `FRAZIL_UPSERT_RUNS=20000`. */
export const RUNS = Number(process.env["FRAZIL_UPSERT_RUNS"] ?? 500);

export const COMMANDS = 100;

const SEED = Number(process.env["FRAZIL_UPSERT_SEED"] ?? 6);

/** Of a hundred runs so many keep their keys in files. */
const WITH_SIDECARS = 1;

/** Runs random commands on tables of one format version and on a map; the first difference is shrunk and thrown. */
export async function expectUpserts(formatVersion: 2 | 3): Promise<void> {
  const total: RunCounts = { commits: 0, compared: 0, crashes: 0, foreign: 0, compactions: 0, letters: 0 };
  await fc.assert(
    fc.asyncProperty(settings(formatVersion, WITH_SIDECARS), commands(COMMANDS), async (setting, given) => {
      const cache = setting.sidecars ? mkdtempSync(join(tmpdir(), "frazil-upsert-")) : null;
      try {
        const run = new UpsertRun(setting, cache);
        await run.run(given);
        for (const [name, count] of Object.entries(run.counts)) total[name as keyof RunCounts] += count;
      } finally {
        if (cache !== null) rmSync(cache, { recursive: true, force: true });
      }
    }),
    { numRuns: RUNS, seed: SEED + formatVersion },
  );
  // Not a test of nothing.
  for (const [name, atLeast] of Object.entries({ commits: 3, compared: 5, crashes: 0.5, foreign: 1, letters: 1 })) {
    expect(total[name as keyof RunCounts], name).toBeGreaterThan(RUNS * atLeast);
  }
}
