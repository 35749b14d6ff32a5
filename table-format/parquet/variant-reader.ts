import { FrazilError } from "../errors.ts";
import { checkValue } from "../variant/check.ts";
import { arrayBytes, type EncodedField, NULL_VALUE, objectBytes } from "../variant/encode.ts";
import { Basic, containerAt, elementAt, fieldIdAt, valueEnd } from "../variant/layout.ts";
import { type VariantNames, variantNamesReader } from "../variant/names.ts";
import { Variant } from "../variant/variant.ts";
import { type Assembler, corruptColumn, itemsOf, type LeafCursor, optional, type WantedLeaf } from "./assembler.ts";
import type { FileGroup, FileLeaf, FileNode } from "./file-columns.ts";
import { shreddedPrimitive } from "./variant-primitive.ts";

/** A field that was shredded: its bytes, or null when the object lacks it. */
type Field = readonly [name: string, bytes: Uint8Array | null];

/** What a `typed_value` holds: an object's fields, or any other value; null: nothing. */
type Typed = { readonly fields: readonly Field[] } | Uint8Array;

/** Reads a value, or a part of one, as its encoding says; null: it is missing. */
interface Part<T> {
  readonly leaves: readonly number[];
  read(cursors: readonly LeafCursor[], names: VariantNames): T | null;
}

/**
 * Plans the reading of a variant (spec, appendix A, "Parquet"). What was shredded is put together again, as the algorithm of Parquet's
 * VariantShredding, "Reconstructing a Shredded Variant", says; each file, and each column of one, may be shredded in another way. All bytes
 * are checked, so that a cell can be decoded.
 *
 * @throws FrazilError kind `corrupt` naming the part of the column that cannot be one of a variant
 */
export function variantAssembler(path: string, node: FileNode, leaves: WantedLeaf[]): Assembler<Variant> {
  if (node.kind !== "struct") throw corruptColumn(`${path} as variant`, `a ${node.kind} in the data file`);
  const metadata = binaryChild(`${path}.metadata`, node, "metadata");
  if (metadata === null) throw corruptColumn(`${path}.metadata`, "none in the data file");
  const place = leaves.push({ leaf: metadata, type: { kind: "binary" } }) - 1;
  const isShredded = node.children.some(({ name }) => name === "typed_value");
  const part = valuePart(path, node, leaves);
  const namesOf = variantNamesReader();
  return optional(node, {
    leaves: [place, ...part.leaves],
    read(cursors) {
      const cursor = cursors[place] as LeafCursor;
      const entry = cursor.at;
      try {
        const bytes = cursor.take() as Uint8Array | null;
        if (bytes === null) throw corruptColumn("metadata", "null");
        const names = namesOf(bytes);
        const value = part.read(cursors, names) ?? NULL_VALUE;
        // Its parts have been checked one by one; together they may be nested too deep.
        if (isShredded) checkValue(value, names);
        return new Variant(bytes, value);
      } catch (error) {
        if (!(error instanceof FrazilError)) throw error;
        const message = `column ${path}, entry ${entry} of its row group: ${error.message}`;
        throw new FrazilError(error.kind, error.code, message, { hint: error.hint, cause: error });
      }
    },
  });
}

/** `value` and `typed_value` of a group. */
function valuePart(path: string, group: FileGroup, leaves: WantedLeaf[]): Part<Uint8Array> {
  const value = encodedPart(`${path}.value`, group, leaves);
  const typedNode = group.children.find(({ name }) => name === "typed_value");
  if (typedNode === undefined) {
    if (value === null) throw corruptColumn(`${path} with value or typed_value`, "neither in the data file");
    return value;
  }
  const typedPath = `${path}.typed_value`;
  const typed = typedPart(typedPath, typedNode, leaves);
  return {
    leaves: [...(value?.leaves ?? []), ...typed.leaves],
    read(cursors, names) {
      const bytes = value?.read(cursors, names) ?? null;
      const found = typed.read(cursors, names);
      if (found === null) return bytes;
      if (found instanceof Uint8Array) {
        if (bytes === null) return found;
        throw corruptColumn(`a value in one of ${path}.value and ${typedPath}`, "one in both");
      }
      return objectOf(path, found.fields, bytes, names);
    },
  };
}

function encodedPart(path: string, group: FileGroup, leaves: WantedLeaf[]): Part<Uint8Array> | null {
  const leaf = binaryChild(path, group, "value");
  if (leaf === null) return null;
  const place = leaves.push({ leaf, type: { kind: "binary" } }) - 1;
  return {
    leaves: [place],
    read(cursors, names) {
      const bytes = (cursors[place] as LeafCursor).take() as Uint8Array | null;
      if (bytes !== null) checkValue(bytes, names);
      return bytes;
    },
  };
}

function binaryChild(path: string, group: FileGroup, name: string): FileLeaf | null {
  const node = group.children.find((child) => child.name === name);
  if (node === undefined) return null;
  if (node.kind === "leaf" && node.element.type === "BYTE_ARRAY" && node.repetition === group.repetition) return node;
  throw corruptColumn(`${path} as binary`, node.kind === "leaf" ? String(node.element.type) : `a ${node.kind}`);
}

function typedPart(path: string, node: FileNode, leaves: WantedLeaf[]): Part<Typed> {
  switch (node.kind) {
    case "leaf": {
      const { type, bytesOf } = shreddedPrimitive(path, node);
      const place = leaves.push({ leaf: node, type }) - 1;
      return {
        leaves: [place],
        read(cursors) {
          const value = (cursors[place] as LeafCursor).take();
          return value === null ? null : bytesOf(value);
        },
      };
    }
    case "struct":
      return objectPart(path, node, leaves);
    case "list":
      return arrayPart(path, node, leaves);
    case "map":
      throw corruptColumn(`${path} as one of a variant`, "a map");
  }
}

function objectPart(path: string, node: FileGroup, leaves: WantedLeaf[]): Part<Typed> {
  const fields = node.children.map((child) => {
    const where = `${path}.${child.name}`;
    if (child.kind !== "struct") throw corruptColumn(`${where} as a field of a variant`, `a ${child.kind}`);
    return { name: child.name, part: valuePart(where, child, leaves) };
  });
  const below = fields.flatMap(({ part }) => part.leaves);
  if (below.length === 0) throw corruptColumn(`${path} with fields`, "none");
  return optionalPart(node, {
    leaves: below,
    read: (cursors, names) => ({ fields: fields.map(({ name, part }) => [name, part.read(cursors, names)]) }),
  });
}

function arrayPart(path: string, node: FileNode & { readonly kind: "list" }, leaves: WantedLeaf[]): Part<Typed> {
  const where = `${path}.${node.item.name}`;
  if (node.item.kind !== "struct") throw corruptColumn(`${where} as an element of a variant`, `a ${node.item.kind}`);
  const item = valuePart(where, node.item, leaves);
  return optionalPart(node, {
    leaves: item.leaves,
    read(cursors, names) {
      // An element is never missing: where the file has none, it is null.
      const items = itemsOf(node, item.leaves, cursors, () => item.read(cursors, names) ?? NULL_VALUE);
      return arrayBytes(items);
    },
  });
}

function optionalPart<T>(node: FileNode, part: Part<T>): Part<T> {
  let known: VariantNames;
  const assembler = optional<T>(node, { leaves: part.leaves, read: (cursors) => part.read(cursors, known) });
  return {
    leaves: part.leaves,
    read(cursors, names) {
      known = names;
      return assembler.read(cursors);
    },
  };
}

/** An object of shredded fields and of those that are in `rest`. */
function objectOf(path: string, shredded: readonly Field[], rest: Uint8Array | null, names: VariantNames): Uint8Array {
  const fields: EncodedField[] = [];
  for (const [name, bytes] of shredded) {
    if (bytes === null) continue;
    const id = names.idOf(name);
    if (id === undefined) throw corruptColumn(`${JSON.stringify(name)} among the names in ${path}.metadata`, "none");
    fields.push({ name, id, bytes });
  }
  if (rest === null) return objectBytes(fields);
  if (((rest[0] as number) & 3) !== Basic.object) {
    throw corruptColumn(`an object in ${path}.value beside ${path}.typed_value`, "another value");
  }
  const taken = new Set(shredded.map(([name]) => name));
  const layout = containerAt(rest, 0, rest.length);
  for (let k = 0; k < layout.count; k++) {
    const id = fieldIdAt(rest, layout, k);
    const name = names.name(id) as string;
    if (taken.has(name))
      throw corruptColumn(`${JSON.stringify(name)} in ${path}.typed_value alone`, `it in ${path}.value`);
    const start = elementAt(rest, layout, k);
    fields.push({ name, id, bytes: rest.subarray(start, valueEnd(rest, start, layout.end)) });
  }
  return objectBytes(fields);
}
