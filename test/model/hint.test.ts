import { describe, expect, it } from "vitest";
import { CONFIGURATIONS } from "./hint/configurations.ts";
import { hintOfTable } from "./hint/model.ts";
import { MUTANTS } from "./hint/mutants.ts";
import { brokenBy, explored } from "./printing.ts";

describe("the hint of a table", () => {
  it.each(Object.entries(CONFIGURATIONS))("keeps its promises: %s", { timeout: 300_000 }, (name, bounds) => {
    expect(explored(hintOfTable(`hint: ${name}`, bounds))).toMatchObject({ complete: true, violation: null });
  });

  it.each(MUTANTS)("needs: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    expect(brokenBy(hintOfTable(without.join(", "), bounds, without)).violation).not.toBeNull();
  });
});
