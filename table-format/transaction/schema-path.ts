import { FrazilError } from "../errors.ts";
import type { NestedField, Schema, Type } from "../schema/types.ts";

/** Puts other fields in the place of one field among its siblings. */
export type EditField = (field: NestedField, siblings: readonly NestedField[]) => readonly NestedField[];

/**
 * The names on the way to a field: a top-level column of exactly this name, or names joined by dots, with `element` for what a list
 * holds and `value` for what a map does (`people.element.name`).
 */
export function pathOf(schema: Schema, name: string): readonly string[] {
  return schema.fields.some((field) => field.name === name) ? [name] : name.split(".");
}

/**
 * Copies fields with one of them edited, however deep it lies.
 * @throws FrazilError kind `config`, code `UNKNOWN_COLUMN`
 */
export function editField(fields: readonly NestedField[], path: readonly string[], edit: EditField): NestedField[] {
  const [name, ...rest] = path;
  const index = fields.findIndex((field) => field.name === name);
  const field = fields[index];
  if (field === undefined) throw unknown(path, fields);
  const replaced = rest.length === 0 ? edit(field, fields) : [{ ...field, type: editType(field.type, rest, edit) }];
  return fields.toSpliced(index, 1, ...replaced);
}

/** As `editField`, below a type. */
function editType(type: Type, path: readonly string[], edit: EditField): Type {
  const [name, ...rest] = path;
  if (type.kind === "struct") return { ...type, fields: editField(type.fields, path, edit) };
  if (type.kind === "list" && name === "element") {
    const item = { id: type.elementId, name, required: type.elementRequired, type: type.element };
    const edited = editPart(item, rest, edit);
    return { ...type, element: edited.type, elementRequired: edited.required };
  }
  if (type.kind === "map" && name === "value") {
    const item = { id: type.valueId, name, required: type.valueRequired, type: type.value };
    const edited = editPart(item, rest, edit);
    return { ...type, value: edited.type, valueRequired: edited.required };
  }
  throw unknown(path, []);
}

/** What a list or a map holds can change its type and whether it is required, and nothing else. */
function editPart(item: NestedField, rest: readonly string[], edit: EditField): NestedField {
  if (rest.length > 0) return { ...item, type: editType(item.type, rest, edit) };
  const [edited, ...others] = edit(item, [item]);
  if (edited !== undefined && others.length === 0 && edited.name === item.name && edited.id === item.id) return edited;
  throw new FrazilError(
    "config",
    "SCHEMA_CHANGE",
    `the ${item.name} of a list or map cannot be renamed, moved or deleted`,
  );
}

/** Copies fields with those of one level edited: of the table when the path is empty, else of the struct at its end. */
export function editLevel(
  fields: readonly NestedField[],
  path: readonly string[],
  edit: (level: readonly NestedField[]) => readonly NestedField[],
): readonly NestedField[] {
  if (path.length === 0) return edit(fields);
  return editField(fields, path, (field) => {
    if (field.type.kind === "struct") return [{ ...field, type: { ...field.type, fields: edit(field.type.fields) } }];
    // Fields are added to the structs that a list or map holds, as in Java.
    if (field.type.kind === "list" && field.type.element.kind === "struct") {
      const { element } = field.type;
      return [{ ...field, type: { ...field.type, element: { ...element, fields: edit(element.fields) } } }];
    }
    if (field.type.kind === "map" && field.type.value.kind === "struct") {
      const { value } = field.type;
      return [{ ...field, type: { ...field.type, value: { ...value, fields: edit(value.fields) } } }];
    }
    throw new FrazilError("config", "SCHEMA_CHANGE", `column ${path.join(".")} is no struct: it has no fields`);
  });
}

function unknown(path: readonly string[], fields: readonly NestedField[]): FrazilError {
  return new FrazilError("config", "UNKNOWN_COLUMN", `column ${JSON.stringify(path.join("."))} is not in the schema`, {
    hint: fields.length === 0 ? undefined : `columns: ${fields.map((field) => field.name).join(", ")}`,
  });
}
