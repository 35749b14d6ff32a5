import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Exploration, STUCK } from "./explore.ts";

/** What `docs/model.md` says of the models. Its tables are what the tests have found: a row that is missing there is printed by the one that fails. */
export const PAGE = readFileSync(fileURLToPath(new URL("../../docs/model.md", import.meta.url)), "utf8");

/** A row of a table, its cells without the blanks that line them up. */
type Row = readonly string[];

/** The row of a configuration: name, states, depth. */
export function configurationRow(name: string, { states, depth }: Exploration): Row {
  return [name, states.toLocaleString("en-US"), String(depth)];
}

/** The row of a mutant: what it lacks, the invariant that breaks, and the length of the shortest way there. */
export function mutantRow({ model, violation }: Exploration): Row {
  const invariant = violation?.invariant === STUCK ? "stuck" : (violation?.invariant ?? "nothing");
  return [model, invariant, String(violation?.trace.length ?? 0)];
}

/** The page's rows of one model, whose name stands in bold above each of its tables. */
export function rowsOf(model: string): { readonly configurations: readonly Row[]; readonly mutants: readonly Row[] } {
  const [first = "", second = ""] = PAGE.split("\n## Mutants\n");
  return { configurations: tableUnder(first, model), mutants: tableUnder(second, model) };
}

function tableUnder(text: string, model: string): Row[] {
  const [, below = ""] = text.split(`\n**${model}**`);
  const lines = below.split("\n");
  const begin = lines.findIndex((line) => line.startsWith("|"));
  const end = lines.findIndex((line, index) => index > begin && !line.startsWith("|"));
  // Behind the head and its rule.
  return lines.slice(begin + 2, end).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
