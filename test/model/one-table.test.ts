import { describe, expect, it } from "vitest";
import { CONFIGURATIONS } from "./one-table/configurations.ts";
import { oneTable } from "./one-table/model.ts";
import { MUTANTS, REDUNDANT } from "./one-table/mutants.ts";
import { brokenBy, explored } from "./printing.ts";

describe("one table", () => {
  it.each(Object.entries(CONFIGURATIONS))("keeps its promises: %s", { timeout: 300_000 }, (name, bounds) => {
    expect(explored(oneTable(`one table: ${name}`, bounds))).toMatchObject({ complete: true, violation: null });
  });

  it.each(MUTANTS)("needs: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    expect(brokenBy(oneTable(without.join(", "), bounds, without)).violation).not.toBeNull();
  });

  it.each(REDUNDANT)("can do without: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    expect(brokenBy(oneTable(without.join(", "), bounds, without))).toMatchObject({ complete: true, violation: null });
  });
});
