import { expect, it } from "vitest";
import { noCounts, runCampaign } from "../../../support/compaction-campaign.ts";

/** `FRAZIL_COMPACT_RUNS=1000` takes four to six minutes of one core; `FRAZIL_COMPACT_SEED` is the first seed. */
const RUNS = Number(process.env["FRAZIL_COMPACT_RUNS"] ?? 20);
const FIRST_SEED = Number(process.env["FRAZIL_COMPACT_SEED"] ?? 1);
const COMMANDS = 100;

it(`${RUNS} runs of ${COMMANDS} commands leave the rows of a map`, { timeout: 60_000 + RUNS * 3_000 }, async () => {
  const counts = noCounts();
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) {
    try {
      await runCampaign(seed, COMMANDS, counts);
    } catch (error) {
      throw new Error(`FRAZIL_COMPACT_SEED=${seed} FRAZIL_COMPACT_RUNS=1`, { cause: error });
    }
  }
  expect(counts.compactions).toBeGreaterThan(RUNS * 2);
  expect(counts.permuted).toBeGreaterThan(RUNS / 2);
  expect(counts.spread).toBeGreaterThan(RUNS / 10);
  expect(counts.remapped).toBeGreaterThan(RUNS / 10);
  expect(counts.followed).toBeGreaterThan(RUNS / 4);
  expect(counts.crashes).toBeGreaterThan(RUNS / 2);
});
