import { describe, expect, it } from "vitest";
import { CONFIGURATIONS } from "./hint/configurations.ts";
import { hintOfTable } from "./hint/model.ts";
import { MUTANTS } from "./hint/mutants.ts";
import { configurationRow, mutantRow, rowsOf } from "./page.ts";
import { brokenBy, explored } from "./printing.ts";

const page = rowsOf("The hint");

describe("the hint of a table", () => {
  it.each(Object.entries(CONFIGURATIONS))("keeps its promises: %s", { timeout: 300_000 }, (name, bounds) => {
    const found = explored(hintOfTable(`hint: ${name}`, bounds));
    expect(found).toMatchObject({ complete: true, violation: null });
    expect(page.configurations).toContainEqual(configurationRow(name, found));
  });

  it.each(MUTANTS)("needs: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    const found = brokenBy(hintOfTable(without.join(", "), bounds, without));
    expect(found.violation).not.toBeNull();
    expect(page.mutants).toContainEqual(mutantRow(found));
  });
});
