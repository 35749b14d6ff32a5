import { describe, expect, it } from "vitest";
import { CONFIGURATIONS } from "./one-table/configurations.ts";
import { oneTable } from "./one-table/model.ts";
import { MUTANTS, REDUNDANT } from "./one-table/mutants.ts";
import { configurationRow, mutantRow, rowsOf } from "./page.ts";
import { brokenBy, explored } from "./printing.ts";

const page = rowsOf("One table");

describe("one table", () => {
  it.each(Object.entries(CONFIGURATIONS))("keeps its promises: %s", { timeout: 300_000 }, (name, bounds) => {
    const found = explored(oneTable(`one table: ${name}`, bounds));
    expect(found).toMatchObject({ complete: true, violation: null });
    expect(page.configurations).toContainEqual(configurationRow(name, found));
  });

  it.each(MUTANTS)("needs: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    const found = brokenBy(oneTable(without.join(", "), bounds, without));
    expect(found.violation).not.toBeNull();
    expect(page.mutants).toContainEqual(mutantRow(found));
  });

  it.each(REDUNDANT)("can do without: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    expect(brokenBy(oneTable(without.join(", "), bounds, without))).toMatchObject({ complete: true, violation: null });
  });
});
