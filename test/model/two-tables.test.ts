import { describe, expect, it } from "vitest";
import { configurationRow, mutantRow, rowsOf } from "./page.ts";
import { brokenBy, explored } from "./printing.ts";
import { CONFIGURATIONS } from "./two-tables/configurations.ts";
import { twoTables } from "./two-tables/model.ts";
import { MUTANTS, REDUNDANT } from "./two-tables/mutants.ts";

const page = rowsOf("Two tables");

describe("two tables", () => {
  it.each(Object.entries(CONFIGURATIONS))("keep their promises: %s", { timeout: 300_000 }, (name, bounds) => {
    const found = explored(twoTables(`two tables: ${name}`, bounds));
    expect(found).toMatchObject({ complete: true, violation: null });
    expect(page.configurations).toContainEqual(configurationRow(name, found));
  });

  it.each(MUTANTS)("need: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    const found = brokenBy(twoTables(without.join(", "), bounds, without));
    expect(found.violation).not.toBeNull();
    expect(page.mutants).toContainEqual(mutantRow(found));
  });

  it.each(REDUNDANT)("can do without: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    expect(brokenBy(twoTables(without.join(", "), bounds, without))).toMatchObject({ complete: true, violation: null });
  });
});
