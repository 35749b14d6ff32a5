import { describe, expect, it } from "vitest";
import { brokenBy, explored } from "./printing.ts";
import { CONFIGURATIONS } from "./two-tables/configurations.ts";
import { twoTables } from "./two-tables/model.ts";
import { MUTANTS, REDUNDANT } from "./two-tables/mutants.ts";

describe("two tables", () => {
  it.each(Object.entries(CONFIGURATIONS))("keep their promises: %s", { timeout: 300_000 }, (name, bounds) => {
    expect(explored(twoTables(`two tables: ${name}`, bounds))).toMatchObject({ complete: true, violation: null });
  });

  it.each(MUTANTS)("need: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    expect(brokenBy(twoTables(without.join(", "), bounds, without)).violation).not.toBeNull();
  });

  it.each(REDUNDANT)("can do without: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    expect(brokenBy(twoTables(without.join(", "), bounds, without))).toMatchObject({ complete: true, violation: null });
  });
});
