import { describe, expect, it } from "vitest";
import { CONFIGURATIONS } from "./keys/configurations.ts";
import { keyedTable } from "./keys/model.ts";
import { MUTANTS } from "./keys/mutants.ts";
import { configurationRow, mutantRow, rowsOf } from "./page.ts";
import { brokenBy, explored } from "./printing.ts";

const page = rowsOf("Keys");

describe("keys", () => {
  it.each(Object.entries(CONFIGURATIONS))("keep their promises: %s", { timeout: 300_000 }, (name, bounds) => {
    const found = explored(keyedTable(`keys: ${name}`, bounds));
    expect(found).toMatchObject({ complete: true, violation: null });
    expect(page.configurations).toContainEqual(configurationRow(name, found));
  });

  it.each(MUTANTS)("need: $without", { timeout: 60_000 }, ({ without, bounds }) => {
    const found = brokenBy(keyedTable(without.join(", "), bounds, without));
    expect(found.violation).not.toBeNull();
    expect(page.mutants).toContainEqual(mutantRow(found));
  });
});
