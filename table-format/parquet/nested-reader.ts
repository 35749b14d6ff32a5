import { isPrimitive, typeText } from "../schema/type-json.ts";
import type { NestedField, PrimitiveType, Type } from "../schema/types.ts";
import type { Cell, CellStruct } from "../values/cell.ts";
import { defaultCell } from "../values/default-cell.ts";
import { type Assembler, corruptColumn, itemsOf, LeafCursor, optional, type WantedLeaf } from "./assembler.ts";
import { type FileLeaf, type FileNode, leavesOf } from "./file-columns.ts";
import type { LeafEntries } from "./leaf-entries.ts";
import { variantAssembler } from "./variant-reader.ts";

/** How a column of a nested type is put together from a file's leaves. */
export interface NestedPlan {
  /** What has to be decoded; `assembleRows` takes the entries in this order. */
  readonly leaves: readonly WantedLeaf[];
  readonly root: Assembler;
}

/**
 * Plans the reading of a column of type struct, list, map or variant. Parts are found by field id; what the file lacks has its
 * `initial-default`, or is null (spec, "Column Projection").
 *
 * @throws FrazilError `corrupt` naming a part that the file holds as something else
 */
export function planNested(field: NestedField, node: FileNode): NestedPlan {
  const leaves: WantedLeaf[] = [];
  const root = assemblerOf(field.name, field.type, node, leaves);
  return { leaves, root };
}

/**
 * Puts rows together.
 * @throws FrazilError kind `corrupt` when the leaves' entries do not make up as many rows
 */
export function assembleRows(plan: NestedPlan, entries: readonly LeafEntries[], rows: number): (Cell | null)[] {
  const cursors = plan.leaves.map(({ leaf }, i) => new LeafCursor(entries[i] as LeafEntries, leaf.definition));
  const values: (Cell | null)[] = [];
  for (let row = 0; row < rows; row++) values.push(plan.root.read(cursors));
  for (const cursor of cursors) if (!cursor.ended) throw corruptColumn(`entries for ${rows} rows`, "more");
  return values;
}

function assemblerOf(path: string, type: Type, node: FileNode, leaves: WantedLeaf[]): Assembler {
  if (isPrimitive(type)) {
    if (node.kind !== "leaf") throw corruptColumn(`${path} as ${typeText(type)}`, `a ${node.kind} in the data file`);
    const place = leaves.push({ leaf: node, type }) - 1;
    return { leaves: [place], read: (cursors) => (cursors[place] as LeafCursor).take() };
  }
  switch (type.kind) {
    case "struct":
      if (node.kind === "struct") return structAssembler(path, type.fields, node, leaves);
      break;
    case "list":
      if (node.kind === "list" && sameId(node.item, type.elementId)) {
        return optional(node, listAssembler(node, assemblerOf(`${path}.element`, type.element, node.item, leaves)));
      }
      break;
    case "map":
      if (node.kind === "map" && sameId(node.key, type.keyId) && sameId(node.value, type.valueId)) {
        const key = assemblerOf(`${path}.key`, type.key, node.key, leaves);
        const value = assemblerOf(`${path}.value`, type.value, node.value, leaves);
        return optional(node, mapAssembler(node, key, value));
      }
      break;
    case "variant":
      return variantAssembler(path, node, leaves);
  }
  throw corruptColumn(`${path} as ${typeText(type)}`, `a ${node.kind} in the data file`);
}

function sameId(node: FileNode, id: number): boolean {
  return node.id === id;
}

function structAssembler(
  path: string,
  fields: readonly NestedField[],
  node: FileNode & { readonly kind: "struct" },
  leaves: WantedLeaf[],
): Assembler {
  const first = leaves.length;
  const parts = fields.map((field): [string, Assembler] => {
    const found = node.children.find((child) => child.id === field.id);
    const where = `${path}.${field.name}`;
    return [
      field.name,
      found === undefined || field.type.kind === "unknown"
        ? constantOf(where, field)
        : assemblerOf(where, field.type, found, leaves),
    ];
  });
  if (leaves.length === first) {
    // None of its fields is in the file: any leaf says whether the struct is.
    const [probe] = leavesOf(node);
    if (probe === undefined) throw corruptColumn(`${path} with columns`, "none");
    leaves.push({ leaf: probe, type: probeType(probe) });
  }
  const below = Array.from({ length: leaves.length - first }, (_, i) => first + i);
  const named = new Set(parts.flatMap(([, part]) => part.leaves));
  const unread = below.filter((place) => !named.has(place));
  return optional(node, {
    leaves: below,
    read: (cursors) => {
      const struct: CellStruct = Object.fromEntries(parts.map(([name, part]) => [name, part.read(cursors)]));
      skip(cursors, unread, node.repetition);
      return struct;
    },
  });
}

/** A type in which any value of a leaf can be read. */
function probeType({ element }: FileLeaf): PrimitiveType {
  switch (element.type) {
    case "BOOLEAN":
      return { kind: "boolean" };
    case "INT32":
      return { kind: "int" };
    case "INT64":
      return { kind: "long" };
    case "FLOAT":
      return { kind: "float" };
    case "DOUBLE":
      return { kind: "double" };
    case "INT96":
      return { kind: "timestamp" };
    default:
      return { kind: "binary" };
  }
}

/** What a field that the file lacks reads as. */
function constantOf(path: string, field: NestedField): Assembler {
  const value = defaultCell(field, "initialDefault");
  if (value === null && field.required && field.type.kind !== "unknown")
    throw corruptColumn(`${path}, which is required and has no default`, "none");
  return { leaves: [], read: () => value };
}

function listAssembler(node: FileNode & { readonly kind: "list" }, item: Assembler): Assembler {
  return { leaves: item.leaves, read: (cursors) => itemsOf(node, item.leaves, cursors, () => item.read(cursors)) };
}

function mapAssembler(node: FileNode & { readonly kind: "map" }, key: Assembler, value: Assembler): Assembler {
  const leaves = [...key.leaves, ...value.leaves];
  return {
    leaves,
    read: (cursors) => itemsOf(node, leaves, cursors, () => [key.read(cursors), value.read(cursors)]),
  };
}

/** Moves leaves that are only looked at over one value: its first entry and those that go on below it. */
function skip(cursors: readonly LeafCursor[], places: readonly number[], repetition: number): void {
  for (const place of places) {
    const cursor = cursors[place] as LeafCursor;
    do cursor.at++;
    while (cursor.repetition > repetition);
  }
}
