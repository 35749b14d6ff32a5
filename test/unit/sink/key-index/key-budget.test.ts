import { expect, it } from "vitest";
import { KeyBudget, type Spillable } from "../../../../src/sink/key-index/key-budget.ts";

function table(busy: boolean): Spillable {
  return { sizeBytes: 0, busy, sizeWith: () => 0, spill: async () => {} };
}

it("tables whose keys are read at once share what may be read ahead", () => {
  const budget = new KeyBudget(1_600);
  budget.join(table(false));
  expect(budget.readAheadBytes).toBe(400);
  for (let busy = 1; busy <= 4; busy++) {
    budget.join(table(true));
    expect(budget.readAheadBytes).toBe(400 / busy);
  }
});
