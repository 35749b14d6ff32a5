import {
  currentSchema,
  fieldById,
  identText,
  type LoadedTable,
  type Schema,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { MODE_PROPERTY } from "../../commit/table-mode.ts";
import type { Finding } from "./finding.ts";

/**
 * The schema that says which key a table for upserts was made with: its first one that has identifier fields. A job never gives a table
 * another key, and hands it on from schema to schema, so whatever later ones say otherwise is of another engine.
 *
 * @returns null where the table was not made for upserts, or no schema tells any more.
 */
export function keySchema({ properties, schemas }: TableMetadata): Schema | null {
  if (properties.get(MODE_PROPERTY) !== "upsert") return null;
  const told = schemas.filter(({ identifierFieldIds }) => identifierFieldIds.length > 0);
  return told.toSorted((a, b) => a.schemaId - b.schemaId)[0] ?? null;
}

/** Whether the current schema has the key that the table was made with. */
export function hasItsKey(metadata: TableMetadata, made: Schema): boolean {
  const now = new Set(currentSchema(metadata).identifierFieldIds);
  return now.size === made.identifierFieldIds.length && made.identifierFieldIds.every((id) => now.has(id));
}

/** The names of fields as they are called now; what is gone has the name that it had. */
export function fieldNames(metadata: TableMetadata, made: Schema): string {
  const schema = currentSchema(metadata);
  const names = made.identifierFieldIds.map((id) => (fieldById(schema, id) ?? fieldById(made, id))?.name ?? String(id));
  return `[${names.join(", ")}]`;
}

/** Tells of a table for upserts whose identifier fields are no longer the key that it was made with. */
export function verifyKeyFields({ ident, metadata }: LoadedTable): Finding[] {
  if (metadata.properties.get(MODE_PROPERTY) !== "upsert") return [];
  const made = keySchema(metadata);
  if (made !== null && hasItsKey(metadata, made)) return [];
  const name = identText(ident);
  const now = currentSchema(metadata);
  return [
    {
      check: "keys",
      table: name,
      object: `schema ${now.schemaId}`,
      expected: `identifier fields ${made === null ? "that are the job's key" : `${fieldNames(metadata, made)}, the key that the table was made with`}`,
      found: now.identifierFieldIds.length === 0 ? "none" : fieldNames(metadata, now),
      hint:
        made === null
          ? "another engine has removed them, and the schemas that tell: set the job's key as identifier fields with that engine"
          : `another engine has changed them, and readers no longer know what a row is told by: frazil repair ${name} puts them back`,
    },
  ];
}
