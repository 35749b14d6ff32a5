import type { CommitOutcome, LoadedTable, TableIdent } from "../catalog/catalog.ts";
import { identText } from "../catalog/catalog.ts";
import { nameTaken } from "../catalog/lifecycle-errors.ts";
import { FrazilError } from "../errors.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import { parsePartitionBy } from "../partition/spec.ts";
import {
  checkIdentifier,
  checkNames,
  fieldById,
  highestFieldId,
  nestedFields,
  numberFields,
} from "../schema/schema.ts";
import type { Schema } from "../schema/types.ts";
import { parseSortBy } from "../sort/sort-order.ts";
import { isOutage, jitterOf } from "./commit.ts";
import type { WriteContext } from "./operation.ts";
import { pauseBefore, statusChecks } from "./retry-settings.ts";

export interface NewTable {
  /** Terms such as `region`, `day(ts)`, `bucket(16, id)`; by default the table is not partitioned. */
  readonly partitionSpec?: readonly string[];
  /** Terms such as `region`, `ts desc nulls last`; by default the rows have no order. */
  readonly sortOrder?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
  /** Default 3. */
  readonly formatVersion?: 1 | 2 | 3;
  /** By default where the catalog puts it. */
  readonly location?: string;
}

/**
 * Creates an empty table (Java's `createTable`) in a namespace that exists. Columns get ids from 1 on, whatever ids they come with, and
 * the identifier fields with them. A lost answer is looked up: a table that bears the id that it was to get has been created.
 *
 * @param schema as `newSchema` makes it, or of another table
 * @throws FrazilError `conflict`, code `TABLE_EXISTS`; `config` or `data` naming what of the schema, the partition or the order is wrong;
 *   `unavailable`, code `COMMIT_STATE_UNKNOWN`: it may or may not have been created, load it and look
 */
export async function createTable(
  context: Pick<WriteContext, "catalog" | "uuid" | "sleep">,
  ident: TableIdent,
  schema: Pick<Schema, "fields" | "identifierFieldIds">,
  table: NewTable = {},
): Promise<LoadedTable> {
  const { catalog } = context;
  const uuid = context.uuid();
  const updates = creation(freshIds(schema), uuid, table, table.location ?? catalog.defaultLocation(ident));
  const settings = statusChecks(new Map(Object.entries(table.properties ?? {})));
  for (let attempt = 1; ; attempt++) {
    // Sent again it creates the same table, or finds it.
    const outcome = await orUnknown(() =>
      catalog.commit([{ ident, requirements: [{ type: "assert-create" }], updates }]),
    );
    if (outcome.outcome === "committed" && outcome.tables[0] !== undefined) return outcome.tables[0];
    const found = await orUnknown(async () => catalog.loadTable(ident));
    const is = found === null || "outcome" in found ? null : found;
    if (is?.metadata.tableUuid.toLowerCase() === uuid.toLowerCase()) return is;
    if (is !== null) throw nameTaken(ident);
    if (attempt <= settings.retries) {
      await context.sleep(pauseBefore(settings, attempt, jitterOf(context.uuid())));
      continue;
    }
    if (outcome.outcome === "conflict") {
      throw new FrazilError("conflict", "COMMIT_CONFLICT", `table ${identText(ident)}: ${outcome.message}`);
    }
    throw new FrazilError("unavailable", "COMMIT_STATE_UNKNOWN", `table ${identText(ident)}: no answer came`, {
      hint: `load the table and look whether its uuid is ${uuid}`,
      cause: outcome.outcome === "unknown" ? outcome.cause : undefined,
    });
  }
}

/** An outage is an answer that was lost. */
async function orUnknown<T>(ask: () => Promise<T>): Promise<T | Extract<CommitOutcome, { outcome: "unknown" }>> {
  try {
    return await ask();
  } catch (cause) {
    if (!isOutage(cause)) throw cause;
    return { outcome: "unknown", cause };
  }
}

function creation(schema: Schema, uuid: string, table: NewTable, location: string): TableUpdate[] {
  return [
    { action: "assign-uuid", uuid },
    { action: "upgrade-format-version", formatVersion: table.formatVersion ?? 3 },
    { action: "add-schema", schema, lastColumnId: highestFieldId(schema) },
    { action: "set-current-schema", schemaId: -1 },
    { action: "add-spec", spec: parsePartitionBy(table.partitionSpec ?? [], schema) },
    { action: "set-default-spec", specId: -1 },
    { action: "add-sort-order", sortOrder: parseSortBy(table.sortOrder ?? [], schema) },
    { action: "set-default-sort-order", sortOrderId: -1 },
    { action: "set-location", location },
    { action: "set-properties", updates: new Map(Object.entries(table.properties ?? {})) },
  ];
}

/** Schema 0 with ids from 1 on, top-level fields before nested ones, as Java assigns them. */
function freshIds({ fields, identifierFieldIds }: Pick<Schema, "fields" | "identifierFieldIds">): Schema {
  const numbered = numberFields(fields, { last: 0 });
  checkNames(numbered);
  const given = [...nestedFields(fields)].map(({ id }) => id);
  const fresh = [...nestedFields(numbered)].map(({ id }) => id);
  const schema: Schema = { schemaId: 0, fields: numbered, identifierFieldIds: [] };
  const identifiers = identifierFieldIds.map((id) => {
    const field = fieldById(schema, fresh[given.indexOf(id)] ?? 0);
    if (field === null) throw new FrazilError("config", "UNKNOWN_COLUMN", `no column has the identifier's id ${id}`);
    checkIdentifier(schema, field.id);
    return field.id;
  });
  return { ...schema, identifierFieldIds: identifiers };
}
