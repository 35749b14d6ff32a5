import { describe, expect, it } from "vitest";
import { CONFIGURATIONS } from "./keys/configurations.ts";
import { keyedTable } from "./keys/model.ts";
import { MUTANTS } from "./keys/mutants.ts";
import { brokenBy, explored } from "./printing.ts";

describe("keys", () => {
  it.each(Object.entries(CONFIGURATIONS))("keep their promises: %s", { timeout: 300_000 }, (name, bounds) => {
    expect(explored(keyedTable(`keys: ${name}`, bounds))).toMatchObject({ complete: true, violation: null });
  });

  it.each(MUTANTS)("need: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    expect(brokenBy(keyedTable(without.join(", "), bounds, without)).violation).not.toBeNull();
  });
});
