import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runCampaign } from "../campaign.ts";
import { BROKEN_BUILDS } from "./builds.ts";

test.each(BROKEN_BUILDS)("$name breaks one place of $file", ({ file, find, replace }) => {
  const text = readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
  expect(text.split(find)).toHaveLength(2);
  expect(replace).not.toBe(find);
});

test("a build that overwrites deletion vectors is caught by the first seed", { timeout: 600_000 }, async () => {
  const { totals, failures } = await runCampaign({
    ...{ from: 1, seeds: 1, processes: 1, without: [], stopAtFirst: true, broken: "vector-overwritten" },
  });
  expect(totals.seeds).toBe(1);
  expect(failures).toMatchObject([{ seed: 1, rule: "rows differ" }]);
});
