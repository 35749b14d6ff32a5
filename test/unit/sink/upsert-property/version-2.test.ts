import { it } from "vitest";
import { COMMANDS, expectUpserts, RUNS } from "../../../support/upsert-property.ts";

it(`tables of version 2 are what a map says, over ${RUNS} runs of ${COMMANDS} commands`, { timeout: 3_600_000 }, () =>
  expectUpserts(2),
);
