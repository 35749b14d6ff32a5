import { FrazilError } from "../../core/errors.ts";
import type { TableBinding } from "../../core/table-binding.ts";

/** Names by what they are in lower case: those that the table had when there were `size` of them, and those that messages have shown. */
interface Names {
  readonly folded: Map<string, string>;
  size: number;
}

/** By table, because the layouts of one table share its columns. */
const NAMES = new WeakMap<TableBinding, Names>();

/**
 * Refuses names of new columns that Iceberg and Parquet take but readers do not, which could no longer read the table: one that is empty
 * or holds NUL (DuckDB), and one that differs from another one's only by case (DuckDB, Spark).
 * @throws FrazilError `data`, code `COLUMN_NAME` or `COLUMN_CASE`, the latter naming both.
 */
export function checkColumnName(binding: TableBinding, name: string): void {
  if (name === "" || name.includes("\0")) {
    throw new FrazilError(
      "data",
      "COLUMN_NAME",
      `a column of ${binding.target}: expected a name that SQL can write, found ${name === "" ? "an empty one" : `${JSON.stringify(name)}, which holds NUL`}`,
      { hint: "rename it in the source" },
    );
  }
  const names = namesOf(binding);
  const folded = name.toLowerCase();
  const twin = names.get(folded);
  if (twin === undefined) names.set(folded, name);
  if (twin === undefined || twin === name) return;
  throw new FrazilError(
    "data",
    "COLUMN_CASE",
    `column ${JSON.stringify(name)} of ${binding.target}: expected names that differ by more than case, found ${JSON.stringify(twin)} beside it`,
    {
      hint: "rename one of the two in the source; where it was renamed, load into a new table: change to: and the job's name:",
    },
  );
}

function namesOf(binding: TableBinding): Map<string, string> {
  let names = NAMES.get(binding);
  if (names === undefined) NAMES.set(binding, (names = { folded: new Map(), size: 0 }));
  // The table's columns grow as checkpoints are committed.
  if (names.size !== binding.existing.size) {
    for (const name of binding.existing.keys()) names.folded.set(name.toLowerCase(), name);
    names.size = binding.existing.size;
  }
  return names.folded;
}
