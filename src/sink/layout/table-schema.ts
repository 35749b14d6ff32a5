import {
  addColumns,
  canWiden,
  fieldByName,
  isPrimitive,
  newSchema,
  type PrimitiveType,
  type Schema,
  type TableUpdate,
  typesEqual,
  typeText,
  widenField,
} from "../../../table-format/index.ts";
import type { ChangeColumn } from "../../core/change-batch.ts";
import { FrazilError } from "../../core/errors.ts";
import type { TableRule } from "../../core/table-rule.ts";
import type { BufferedBatch } from "../changes/buffered-changes.ts";

/** The columns of a checkpoint's changes, each with the widest type that occurs. @throws FrazilError `data` for types that do not fit. */
export function changedColumns(target: string, batches: readonly BufferedBatch[]): Map<string, ChangeColumn> {
  const columns = new Map<string, ChangeColumn>();
  for (const { batch } of batches) {
    for (const field of batch.fields) {
      if (field.unsent === true) continue;
      const known = columns.get(field.name);
      if (known === undefined || canWiden(known.type, field.type, 3)) columns.set(field.name, field);
      else if (!typesEqual(known.type, field.type) && !canWiden(field.type, known.type, 3)) {
        throw typeChange(target, field.name, known.type, field.type, "earlier changes of this checkpoint have");
      }
    }
  }
  return columns;
}

/**
 * A new table's schema: key columns required, all others optional so that the source may relax or drop them.
 * @throws FrazilError `data` for names that differ only by case.
 */
export function firstSchema(
  target: string,
  columns: ReadonlyMap<string, ChangeColumn>,
  key: readonly string[],
): Schema {
  const fields = [...columns.values()].map(({ name, type }) => ({ name, type, required: key.includes(name) }));
  checkNames(target, fields);
  return newSchema(fields, key);
}

/**
 * The updates that make a table's schema take the changes: new optional columns, legal widenings. Empty when it takes them already.
 * @param own a column that the job itself adds, which no policy is about.
 * @throws FrazilError `data` for any other change of type, for every change under `schema_changes: refuse`, and for a wider type under
 *   `ignore`, where a decoder gives rows the table's types once it knows them.
 */
export function schemaUpdates(
  target: string,
  current: { readonly schema: Schema; readonly lastColumnId: number; readonly formatVersion: number },
  columns: ReadonlyMap<string, ChangeColumn>,
  policy: TableRule["schemaChanges"],
  own: string | null = null,
): TableUpdate[] {
  let { schema } = current;
  const added: { name: string; type: PrimitiveType }[] = [];
  for (const { name, type } of columns.values()) {
    const field = fieldByName(schema, name);
    if (field === null) {
      if (policy === "evolve" || name === own) added.push({ name, type });
      else if (policy === "refuse") throw refused(target, `column ${name} (${typeText(type)}) is new`);
      continue;
    }
    if (!isPrimitive(field.type)) throw typeChange(target, name, field.type, type);
    if (typesEqual(field.type, type) || canWiden(type, field.type, current.formatVersion)) continue;
    if (!canWiden(field.type, type, current.formatVersion)) throw typeChange(target, name, field.type, type);
    if (policy === "ignore") throw keptType(target, name, field.type, type);
    if (policy === "refuse") {
      throw refused(target, `column ${name} became ${typeText(type)}, it was ${typeText(field.type)}`);
    }
    schema = widenField(schema, name, type, current.formatVersion);
  }
  if (added.length === 0 && schema === current.schema) return [];
  checkNames(target, [...schema.fields, ...added]);
  const evolved = addColumns(schema, current.lastColumnId, added);
  return [
    { action: "add-schema", schema: evolved.schema, lastColumnId: evolved.lastColumnId },
    { action: "set-current-schema", schemaId: -1 },
  ];
}

/** Iceberg tells names apart that differ only by case; DuckDB and Spark do not, and could no longer read the table. */
function checkNames(target: string, fields: readonly { readonly name: string }[]): void {
  const names = new Map<string, string>();
  for (const { name } of fields) {
    const twin = names.get(name.toLowerCase());
    names.set(name.toLowerCase(), name);
    if (twin === undefined) continue;
    throw new FrazilError(
      "data",
      "COLUMN_CASE",
      `table ${target}: expected column names that differ by more than case, found ${JSON.stringify(twin)} and ${JSON.stringify(name)}`,
      { hint: "rename one of the two in the source" },
    );
  }
}

function typeChange(
  target: string,
  column: string,
  from: Parameters<typeof typeText>[0],
  to: PrimitiveType,
  held = "the table has",
): FrazilError {
  return new FrazilError(
    "data",
    "TYPE_CHANGE",
    `table ${target}, column ${column}: ${held} ${typeText(from)}, the source now sends ${typeText(to)}, which does not fit into it`,
    { hint: `declare a type that holds both, such as columns: { ${column}: string }, and load into a new table` },
  );
}

function keptType(target: string, column: string, from: PrimitiveType, to: PrimitiveType): FrazilError {
  return new FrazilError(
    "data",
    "TYPE_KEPT",
    `table ${target}, column ${column}: the table has ${typeText(from)} and keeps it, as schema_changes is ignore; the source now sends ${typeText(to)}`,
    { hint: "start the job again: values that fit are then written; or set schema_changes: evolve" },
  );
}

function refused(target: string, what: string): FrazilError {
  return new FrazilError("data", "SCHEMA_CHANGE_REFUSED", `table ${target}: ${what}, and schema_changes is refuse`, {
    hint: "set schema_changes: evolve, or change the table first",
  });
}
