import type { Expression } from "../expression/expression.ts";
import { currentSchema } from "../metadata/refs.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import { scanFilter } from "../scan/scan-filter.ts";
import type { FileFilter } from "./file-filter.ts";

/** A condition on rows: an expression in the names of the table's current schema, or what the caller says of files. */
export type RowFilter = Expression | FileFilter;

/**
 * The condition as a table has it now: by its schema, its partition specs and the metrics of its files.
 * @throws FrazilError kind `config` for an expression that does not fit the schema
 */
export function filterOf(metadata: TableMetadata, filter: RowFilter): FileFilter {
  if ("mightMatch" in filter) return filter;
  const prepared = scanFilter(metadata, currentSchema(metadata), filter);
  return {
    text: JSON.stringify(filter, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
    mightMatch: (file) => (file.content === "data" ? prepared.residualOf(file) !== null : prepared.mayDelete(file)),
    mightHold: (manifest) => prepared.mayHold(manifest),
    mustMatch: (file) =>
      file.content === "data" ? prepared.residualOf(file)?.kind === "true" : prepared.coversPartition(file),
  };
}
