import { FrazilError } from "../errors.ts";
import { defaultColumn } from "../parquet/default-value.ts";
import { canWiden } from "../schema/evolve.ts";
import { checkIdentifier, checkNames, fieldById, numberFields } from "../schema/schema.ts";
import { hasNoDefault, isPrimitive, typesEqual, typeText } from "../schema/type-json.ts";
import type { NestedField, PrimitiveType, Schema, Type } from "../schema/types.ts";
import { editField, editLevel, pathOf } from "./schema-path.ts";

/**
 * A step of a schema change (Java's `UpdateSchema`). A column is named as `pathOf` says. Ids of new fields count on from the table's last
 * one, and no change of a column changes its id.
 */
export type SchemaChange =
  | {
      readonly change: "add-column";
      /** The struct that gets the field; absent: the table. */
      readonly parent?: string;
      readonly name: string;
      readonly type: Type;
      readonly doc?: string;
      /** Only with a default, or where incompatible changes are allowed. */
      readonly required?: boolean;
      /** What rows have that were written before, and rows whose writer says nothing: the JSON single-value form; format version 3. */
      readonly default?: unknown;
    }
  | { readonly change: "delete-column"; readonly name: string }
  | { readonly change: "rename-column"; readonly name: string; readonly to: string }
  /** To a wider type (spec, "Schema Evolution"). */
  | { readonly change: "update-column"; readonly name: string; readonly type: PrimitiveType }
  | { readonly change: "update-column-doc"; readonly name: string; readonly doc: string | null }
  /** The default of rows to come; those that were written keep theirs. */
  | { readonly change: "update-column-default"; readonly name: string; readonly default: unknown }
  | { readonly change: "make-column-optional"; readonly name: string }
  /** Rows that were written may hold nulls: only where incompatible changes are allowed. */
  | { readonly change: "require-column"; readonly name: string }
  | { readonly change: "move-first"; readonly name: string }
  /** Within the same struct. */
  | { readonly change: "move-before" | "move-after"; readonly name: string; readonly other: string }
  | { readonly change: "set-identifier-fields"; readonly names: readonly string[] };

export interface SchemaChangeRules {
  readonly formatVersion: number;
  readonly allowIncompatibleChanges: boolean;
}

/**
 * The schema after changes, and the table's last column id.
 * @throws FrazilError kind `config` or `data` naming the column and what is wrong with it
 */
export function changeSchema(
  schema: Schema,
  lastColumnId: number,
  changes: readonly SchemaChange[],
  rules: SchemaChangeRules,
): { readonly schema: Schema; readonly lastColumnId: number } {
  const counter = { last: lastColumnId, before: lastColumnId };
  let changed = schema;
  for (const change of changes) changed = applyChange(changed, change, counter, rules);
  for (const id of changed.identifierFieldIds) {
    const field = fieldById(changed, id);
    if (field === null) {
      const name = fieldById(schema, id)?.name ?? String(id);
      throw new FrazilError("data", "IDENTIFIER_DELETED", `column ${name} identifies rows and cannot be deleted`, {
        hint: "set other identifier fields in the same update",
      });
    }
    checkIdentifier(changed, id);
  }
  return { schema: changed, lastColumnId: counter.last };
}

function applyChange(
  schema: Schema,
  change: SchemaChange,
  counter: { last: number; readonly before: number },
  rules: SchemaChangeRules,
): Schema {
  if (change.change === "add-column") return addColumn(schema, change, counter, rules);
  if (change.change === "set-identifier-fields") {
    const identifierFieldIds = change.names.map((name) => fieldAt(schema, name).id);
    return { ...schema, identifierFieldIds };
  }
  const fields = editField(schema.fields, pathOf(schema, change.name), (field, siblings) => {
    switch (change.change) {
      case "delete-column":
        return [];
      case "rename-column":
        if (siblings.some((other) => other.name === change.to)) throw taken(change.to);
        return [{ ...field, name: change.to }];
      case "update-column":
        return [{ ...field, type: widened(field, change.type, rules) }];
      case "update-column-doc":
        return [withDoc(field, change.doc)];
      case "update-column-default":
        checkDefault(field.name, field.type, change.default);
        return [{ ...field, writeDefault: change.default }];
      case "make-column-optional":
        return [{ ...field, required: false }];
      case "require-column":
        // A column of the same change has its default in all rows that were written.
        if (field.required || (field.id > counter.before && field.initialDefault !== undefined)) {
          return [{ ...field, required: true }];
        }
        if (!rules.allowIncompatibleChanges) throw incompatible(field.name, "become required");
        return [{ ...field, required: true }];
      case "move-first":
      case "move-before":
      case "move-after":
        return [field];
    }
  });
  const edited = { ...schema, fields };
  return change.change === "move-first" || change.change === "move-before" || change.change === "move-after"
    ? moveColumn(edited, change)
    : edited;
}

function addColumn(
  schema: Schema,
  change: Extract<SchemaChange, { change: "add-column" }>,
  counter: { last: number },
  rules: SchemaChangeRules,
): Schema {
  const { name, type, doc, required = false } = change;
  const hasDefault = change.default !== undefined && change.default !== null;
  if (required && !hasDefault && !rules.allowIncompatibleChanges) throw incompatible(name, "be added as required");
  if (hasDefault) checkDefault(name, type, change.default);
  const path = change.parent === undefined ? [] : pathOf(schema, change.parent);
  const fields = editLevel(schema.fields, path, (level) => {
    if (level.some((other) => other.name === name)) throw taken(name);
    const [field] = numberFields([{ name, type, required, ...(doc !== undefined && { doc }) }], counter);
    const defaults = hasDefault ? { initialDefault: change.default, writeDefault: change.default } : {};
    return [...level, { ...(field as NestedField), ...defaults }];
  });
  checkNames(fields);
  return { ...schema, fields };
}

function moveColumn(
  schema: Schema,
  change: Extract<SchemaChange, { change: "move-first" | "move-before" | "move-after" }>,
): Schema {
  const path = pathOf(schema, change.name);
  const own = path.at(-1);
  const fields = editLevel(schema.fields, path.slice(0, -1), (level) => {
    const field = level.find((each) => each.name === own) as NestedField;
    const others = level.filter((each) => each !== field);
    if (change.change === "move-first") return [field, ...others];
    const otherPath = pathOf(schema, change.other);
    const place = others.findIndex((each) => each.name === otherPath.at(-1));
    const sameLevel = otherPath.slice(0, -1).join("\n") === path.slice(0, -1).join("\n");
    if (place < 0 || !sameLevel) {
      const message = `column ${change.name} cannot be moved beside ${change.other}, which is not in the same struct`;
      throw new FrazilError("config", "SCHEMA_CHANGE", message);
    }
    return others.toSpliced(change.change === "move-before" ? place : place + 1, 0, field);
  });
  return { ...schema, fields };
}

function fieldAt(schema: Schema, name: string): NestedField {
  let found: NestedField | null = null;
  editField(schema.fields, pathOf(schema, name), (field) => {
    found = field;
    return [field];
  });
  return found as unknown as NestedField;
}

function widened({ name, type }: NestedField, to: PrimitiveType, { formatVersion }: SchemaChangeRules): Type {
  if (typesEqual(type, to) || canWiden(type, to, formatVersion)) return to;
  const change = `${typeText(type)} to ${typeText(to)}`;
  throw new FrazilError(
    "data",
    "NOT_WIDENING",
    `column ${name}: ${change} is not a widening in format version ${formatVersion}`,
    {
      hint: "legal: int to long, float to double, a decimal of the same scale to more digits; in version 3 date to timestamp",
    },
  );
}

/** The default must be readable as a value of the type. */
function checkDefault(name: string, type: Type, value: unknown): void {
  if (hasNoDefault(type) && value !== null) {
    const message = `column ${name}: the default of a column of type ${typeText(type)} is always null`;
    throw new FrazilError("data", "BAD_DEFAULT", message);
  }
  if (value === null && !isPrimitive(type)) return;
  if (isPrimitive(type)) {
    try {
      defaultColumn(type, value, 1);
      return;
    } catch (cause) {
      const message = `column ${name}: expected a default of type ${typeText(type)}, found ${String(value)}`;
      throw new FrazilError("data", "BAD_DEFAULT", message, { cause });
    }
  }
  throw new FrazilError("unsupported", "NESTED_DEFAULT", `column ${name}: defaults of ${type.kind}s are not written`);
}

function withDoc(field: NestedField, doc: string | null): NestedField {
  const { doc: _, ...rest } = field;
  return doc === null ? rest : { ...rest, doc };
}

function taken(name: string): FrazilError {
  return new FrazilError("config", "DUPLICATE_COLUMN", `a column ${JSON.stringify(name)} is already there`);
}

function incompatible(name: string, what: string): FrazilError {
  return new FrazilError(
    "data",
    "INCOMPATIBLE_CHANGE",
    `column ${name} cannot ${what}: rows that were written may lack it`,
    {
      hint: "give it a default (format version 3), or set allowIncompatibleChanges",
    },
  );
}
