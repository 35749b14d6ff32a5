import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as hint from "./hint/configurations.ts";
import * as hintMutants from "./hint/mutants.ts";
import { PROTECTIONS as OF_HINT } from "./hint/state.ts";
import * as keys from "./keys/configurations.ts";
import * as keysMutants from "./keys/mutants.ts";
import { PROTECTIONS as OF_KEYS } from "./keys/state.ts";
import * as oneTable from "./one-table/configurations.ts";
import * as oneTableMutants from "./one-table/mutants.ts";
import { PROTECTIONS as OF_ONE_TABLE } from "./one-table/table.ts";
import { PAGE, rowsOf } from "./page.ts";
import * as twoTables from "./two-tables/configurations.ts";
import * as twoTablesMutants from "./two-tables/mutants.ts";
import { PROTECTIONS as OF_TWO_TABLES } from "./two-tables/state.ts";

const MODELS = [
  { name: "One table", protections: OF_ONE_TABLE, ...oneTable, ...oneTableMutants },
  { name: "Two tables", protections: OF_TWO_TABLES, ...twoTables, ...twoTablesMutants },
  { name: "Keys", protections: OF_KEYS, ...keys, ...keysMutants, REDUNDANT: [] },
  { name: "The hint", protections: OF_HINT, ...hint, ...hintMutants, REDUNDANT: [] },
];

describe.each(MODELS)("$name", ({ name, protections, CONFIGURATIONS, MUTANTS, REDUNDANT }) => {
  it("has a mutant without each of its protections", () => {
    const lacking = [...MUTANTS, ...REDUNDANT].flatMap(({ without }): readonly string[] => without);
    expect(protections.filter((each) => !lacking.includes(each))).toEqual([]);
  });

  it("stands in docs/model.md with its configurations and mutants, and no others", () => {
    const { configurations, mutants } = rowsOf(name);
    expect(configurations.map(([first]) => first)).toEqual(Object.keys(CONFIGURATIONS));
    expect(mutants.map(([first]) => first)).toEqual(MUTANTS.map(({ without }) => without.join(", ")));
  });
});

it("docs/model.md and docs/guarantees.md tell the sums of its tables, more than 2 million states", () => {
  const rows = MODELS.map(({ name }) => rowsOf(name));
  const states = rows
    .flatMap(({ configurations }) => configurations)
    .reduce((sum, [, count = ""]) => sum + Number(count.replaceAll(",", "")), 0);
  const mutants = rows.flatMap((each) => each.mutants).length;
  expect(states).toBeGreaterThan(2_000_000);
  const guarantees = readFileSync(new URL("../../docs/guarantees.md", import.meta.url), "utf8");
  expect(PAGE).toContain(`${states.toLocaleString("en-US")} states`);
  expect(PAGE).toContain(`each of the ${mutants} mutants`);
  expect(guarantees).toContain(`${states.toLocaleString("en-US")} states`);
  expect(guarantees).toContain(`each of ${mutants} protections`);
});
