import {
  currentSchema,
  fieldById,
  identText,
  isPrimitive,
  type LoadedTable,
  type Schema,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { commitMetadata, type MetadataContext } from "../../commit/metadata-commit.ts";
import { fieldNames, hasItsKey, keySchema } from "../verify/key-fields.ts";
import { NOTHING, type RepairPlan } from "./repair.ts";

/**
 * The identifier fields that another engine took from a table for upserts, or changed: those that the table was made with come back as a
 * new schema. No row is looked at: whether keys are unique is what comes next.
 */
export function planKeyRepair(context: MetadataContext, table: LoadedTable): RepairPlan {
  const { metadata } = table;
  const made = keySchema(metadata);
  if (made === null || hasItsKey(metadata, made)) return NOTHING;
  const name = identText(table.ident);
  const key = fieldNames(metadata, made);
  const unfit = unfitField(metadata, made);
  if (unfit !== null) {
    const problem = `the table was made with the key ${key}, and column ${unfit.column} ${unfit.why}`;
    return { repairs: [], refusals: [{ table: name, problem, hint: unfit.hint }] };
  }
  const uuid = metadata.tableUuid;
  return {
    refusals: [],
    repairs: [
      {
        repair: "key",
        table: name,
        plan: `identifier fields become ${key} again, the key that the table was made with (schema ${made.schemaId})`,
        rows: 0n,
        async run() {
          await commitMetadata(context, "repair", [table], ([base]) => {
            // What else was changed meanwhile is looked at anew by the next call.
            if (base === undefined || hasItsKey(base.metadata, made)) return [];
            const { identifierFieldIds } = made;
            const { currentSchemaId, lastColumnId } = base.metadata;
            return [
              {
                ident: base.ident,
                requirements: [
                  { type: "assert-table-uuid", uuid },
                  { type: "assert-current-schema-id", currentSchemaId },
                ],
                updates: [
                  {
                    action: "add-schema",
                    schema: { ...currentSchema(base.metadata), identifierFieldIds },
                    lastColumnId,
                  },
                  { action: "set-current-schema", schemaId: -1 },
                ],
              },
            ];
          });
          return `${name} has the identifier fields ${key}`;
        },
      },
    ],
  };
}

interface UnfitField {
  readonly column: string;
  readonly why: string;
  readonly hint: string;
}

/** A field of the key that can be none any more (spec, "Identifier Field IDs": required, and no float). */
function unfitField(metadata: TableMetadata, made: Schema): UnfitField | null {
  const schema = currentSchema(metadata);
  for (const id of made.identifierFieldIds) {
    const field = fieldById(schema, id);
    if (field === null || !isPrimitive(field.type)) {
      const column = fieldById(made, id)?.name ?? String(id);
      const hint = "load the table anew: change its to: and the job's name:";
      return { column, why: "has been dropped by another engine", hint };
    }
    if (field.required) continue;
    const hint = `if no row has a null there, make ${field.name} required again with the engine that changed it, then frazil repair`;
    return { column: field.name, why: "is no longer required: its rows may hold nulls", hint };
  }
  return null;
}
