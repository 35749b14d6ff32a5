import { expect, it } from "vitest";
import { runCampaigns } from "../../../support/compaction-campaigns.ts";

/** `FRAZIL_COMPACT_RUNS=20000` makes more of them; `FRAZIL_COMPACT_SEED` is the first seed. */
const RUNS = Number(process.env["FRAZIL_COMPACT_RUNS"] ?? 1_000);
const FIRST_SEED = Number(process.env["FRAZIL_COMPACT_SEED"] ?? 1);
const COMMANDS = 100;

it(`${RUNS} runs of ${COMMANDS} commands leave the rows of a map`, { timeout: 60_000 + RUNS * 3_000 }, async () => {
  const counts = await runCampaigns(FIRST_SEED, RUNS, COMMANDS);
  if (RUNS < 20) return;
  expect(counts.compactions).toBeGreaterThan(RUNS * 2);
  expect(counts.permuted).toBeGreaterThan(RUNS / 2);
  expect(counts.spread).toBeGreaterThan(RUNS / 10);
  expect(counts.remapped).toBeGreaterThan(RUNS / 10);
  expect(counts.followed).toBeGreaterThan(RUNS / 4);
  expect(counts.crashes).toBeGreaterThan(RUNS / 2);
  expect(counts.expiries).toBeGreaterThan(RUNS);
  expect(counts.manifests).toBeGreaterThan(RUNS / 4);
  expect(counts.orphans).toBeGreaterThan(RUNS / 10);
  expect(counts.foreign).toBeGreaterThan(RUNS / 20);
});
