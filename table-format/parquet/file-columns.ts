import type { SchemaElement } from "hyparquet";
import { FrazilError } from "../errors.ts";
import { MAX_TYPE_DEPTH } from "../limits.ts";
import type { NameMapping } from "../schema/name-mapping.ts";

/** A column of a data file, or a part of one. Levels are those of Parquet's record shredding. */
export type FileNode = FileLeaf | FileGroup | FileList | FileMap;

interface FileNodeBase {
  readonly name: string;
  readonly element: SchemaElement;
  /** The Iceberg id that the file states, or that the table's name mapping gives to a file without ids. */
  readonly id: number | null;
  /** Definition level from which on this node is there: not null, and within no empty list. */
  readonly definition: number;
  readonly repetition: number;
}

export interface FileLeaf extends FileNodeBase {
  readonly kind: "leaf";
  /** Place of its chunk in each row group. */
  readonly place: number;
}

export interface FileGroup extends FileNodeBase {
  readonly kind: "struct";
  readonly children: readonly FileNode[];
}

/** Levels of a list or a map: `itemDefinition` and `itemRepetition` are those of an entry. */
interface Repeated {
  readonly itemDefinition: number;
  readonly itemRepetition: number;
}

export interface FileList extends FileNodeBase, Repeated {
  readonly kind: "list";
  readonly item: FileNode;
}

export interface FileMap extends FileNodeBase, Repeated {
  readonly kind: "map";
  readonly key: FileNode;
  readonly value: FileNode;
}

interface Place {
  /** Of the element in the footer's list, which holds the tree depth first. */
  at: number;
  leaves: number;
}

interface Parent {
  readonly definition: number;
  readonly repetition: number;
  readonly depth: number;
  readonly mapping: NameMapping | null;
}

/**
 * The top-level columns of a file. Lists and maps of any of the forms that writers used are recognized (Parquet format, "Logical
 * Types", "Lists", backward compatibility).
 *
 * @param mapping used only when no element of the file has an id (spec, "Column Projection")
 * @throws FrazilError kind `corrupt`; `unsupported` when there are neither ids nor a mapping
 */
export function fileColumns(schema: readonly SchemaElement[], mapping: NameMapping | null): readonly FileNode[] {
  const hasIds = schema.some((element) => element.field_id !== undefined);
  if (!hasIds && mapping === null && schema.length > 1) {
    throw new FrazilError("unsupported", "NO_FIELD_IDS", "the columns of the data file have no field ids", {
      hint: "set the table property schema.name-mapping.default, which says which name is which column",
    });
  }
  const place = { at: 1, leaves: 0 };
  const root = { definition: 0, repetition: 0, depth: 0, mapping: hasIds ? null : mapping };
  const columns = childrenOf(schema, schema[0], place, root);
  if (place.at !== schema.length) throw corrupt(`${place.at} schema elements`, String(schema.length));
  return columns;
}

function childrenOf(
  schema: readonly SchemaElement[],
  group: SchemaElement | undefined,
  place: Place,
  parent: Parent,
): FileNode[] {
  const count = group?.num_children ?? 0;
  if (group === undefined || count < 0 || count > schema.length) throw corrupt("a group's columns", String(count));
  return Array.from({ length: count }, () => nodeAt(schema, place, parent));
}

function nodeAt(schema: readonly SchemaElement[], place: Place, parent: Parent): FileNode {
  const element = schema[place.at++];
  if (element === undefined) throw corrupt("another schema element", "the end");
  if (parent.depth > MAX_TYPE_DEPTH) throw corrupt(`at most ${MAX_TYPE_DEPTH} levels of groups`, "more");
  const mapped = parent.mapping?.get(element.name);
  const repeated = element.repetition_type === "REPEATED";
  const levels = {
    definition: parent.definition + (element.repetition_type === "REQUIRED" ? 0 : 1),
    repetition: parent.repetition + (repeated ? 1 : 0),
  };
  const base = { name: element.name, element, id: element.field_id ?? mapped?.fieldId ?? null, ...levels };
  if (element.type !== undefined) return { ...base, kind: "leaf", place: place.leaves++ };
  const inner = { ...levels, depth: parent.depth + 1, mapping: mapped?.fields ?? null };
  const annotation = element.logical_type?.type ?? element.converted_type;
  if (!repeated && annotation === "LIST") return listAt(schema, element, base, place, inner);
  if (!repeated && (annotation === "MAP" || annotation === "MAP_KEY_VALUE")) {
    return mapAt(schema, element, base, place, inner);
  }
  return { ...base, kind: "struct", children: childrenOf(schema, element, place, inner) };
}

function listAt(
  schema: readonly SchemaElement[],
  list: SchemaElement,
  base: FileNodeBase,
  place: Place,
  inner: Parent,
): FileList {
  const repeated = schema[place.at];
  if (list.num_children !== 1 || repeated?.repetition_type !== "REPEATED") throw corrupt("a repeated group", "none");
  const items = { itemDefinition: inner.definition + 1, itemRepetition: inner.repetition + 1 };
  const isItem =
    repeated.type !== undefined ||
    repeated.num_children !== 1 ||
    repeated.name === "array" ||
    repeated.name === `${list.name}_tuple`;
  if (isItem) {
    // Two levels, as old writers have them: the repeated element is the item, and never null.
    const mapping = inner.mapping?.get("element");
    const named = mapping === undefined ? null : new Map([[repeated.name, mapping]]);
    return { ...base, kind: "list", ...items, item: nodeAt(schema, place, { ...inner, mapping: named }) };
  }
  place.at++;
  const within = { ...inner, definition: items.itemDefinition, repetition: items.itemRepetition };
  const mapping = inner.mapping?.get("element");
  // Writers call the item element, item or array_element; the mapping knows one name.
  const named = mapping === undefined ? null : new Map([[schema[place.at]?.name ?? "", mapping]]);
  return { ...base, kind: "list", ...items, item: nodeAt(schema, place, { ...within, mapping: named }) };
}

function mapAt(
  schema: readonly SchemaElement[],
  map: SchemaElement,
  base: FileNodeBase,
  place: Place,
  inner: Parent,
): FileMap {
  const entry = schema[place.at];
  if (map.num_children !== 1 || entry?.repetition_type !== "REPEATED" || entry.num_children !== 2) {
    throw corrupt("a repeated group of key and value", "none");
  }
  place.at++;
  const items = { itemDefinition: inner.definition + 1, itemRepetition: inner.repetition + 1 };
  const part = (name: "key" | "value"): FileNode => {
    const mapping = inner.mapping?.get(name);
    const named = mapping === undefined ? null : new Map([[schema[place.at]?.name ?? "", mapping]]);
    const parent = { ...inner, definition: items.itemDefinition, repetition: items.itemRepetition, mapping: named };
    return nodeAt(schema, place, parent);
  };
  return { ...base, kind: "map", ...items, key: part("key"), value: part("value") };
}

/** The leaves of a node, in file order. */
export function leavesOf(node: FileNode): FileLeaf[] {
  switch (node.kind) {
    case "leaf":
      return [node];
    case "struct":
      return node.children.flatMap(leavesOf);
    case "list":
      return leavesOf(node.item);
    case "map":
      return [...leavesOf(node.key), ...leavesOf(node.value)];
  }
}

function corrupt(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "PARQUET_SCHEMA", `Parquet schema: expected ${expected}, found ${found}`);
}
