import type { AvroCursor } from "./cursor.ts";
import type { AvroField, AvroRecord, AvroType } from "./schema.ts";
import { compileSkipper } from "./skipper.ts";

/**
 * A decoded Avro value: long is bigint, int/float/double number, bytes and fixed views of the block, records arrays in file
 * order of their fields, maps arrays of `[key, value]`, enums their symbol, unions the value of their branch.
 */
export type AvroValue = null | boolean | number | bigint | string | Uint8Array | readonly AvroValue[];

/** Reads one value of a type. */
export type AvroDecoder = (cursor: AvroCursor) => AvroValue;

const UTF8 = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

/**
 * How much of a record's field is read: all, nothing (null stands in its place), or of a map that is written as an array of key-value
 * records (Iceberg spec, Appendix A) the entries with these keys.
 */
export type FieldPart = "all" | "none" | ReadonlySet<number>;

/**
 * Turns a schema into a function that reads it, so that no schema is walked per value.
 * @param partOf asked once for each field of a record, by field id
 */
export function compileDecoder(
  type: AvroType,
  partOf: (fieldId: number | null) => FieldPart = () => "all",
): AvroDecoder {
  return compile(type, { partOf, known: new Map() });
}

interface Compilation {
  readonly partOf: (fieldId: number | null) => FieldPart;
  readonly known: Map<AvroType, AvroDecoder>;
}

function compile(type: AvroType, compilation: Compilation): AvroDecoder {
  const { known } = compilation;
  const decoder = known.get(type) ?? build(type, compilation);
  known.set(type, decoder);
  return decoder;
}

function build(type: AvroType, compilation: Compilation): AvroDecoder {
  switch (type.kind) {
    case "null":
      return () => null;
    case "boolean":
      return (cursor) => cursor.byte() !== 0;
    case "int":
      return (cursor) => cursor.int();
    case "long":
      return (cursor) => cursor.long();
    case "float":
      return (cursor) => cursor.float();
    case "double":
      return (cursor) => cursor.double();
    case "bytes":
      return (cursor) => cursor.sized();
    case "string":
      return (cursor) => UTF8.decode(cursor.sized());
    case "fixed":
      return (cursor) => cursor.take(type.size);
    case "enum":
      return (cursor) => cursor.choice(type.symbols);
    case "array":
      return blocks(compile(type.items, compilation));
    case "map": {
      const values = compile(type.values, compilation);
      return blocks((cursor) => [UTF8.decode(cursor.sized()), values(cursor)]);
    }
    case "union": {
      const branches = type.branches.map((branch) => compile(branch, compilation));
      return (cursor) => cursor.choice(branches)(cursor);
    }
    case "record": {
      const fields = type.fields.map((field) => partDecoder(field, compilation));
      return (cursor) => {
        const values: AvroValue[] = [];
        for (const field of fields) values.push(field(cursor));
        return values;
      };
    }
  }
}

function partDecoder({ type, fieldId }: AvroField, compilation: Compilation): AvroDecoder {
  const part = compilation.partOf(fieldId);
  if (part === "all") return compile(type, compilation);
  if (part === "none" || part.size === 0) {
    const skip = compileSkipper(type);
    return (cursor) => {
      skip(cursor);
      return null;
    };
  }
  return someEntries(type, part, compilation);
}

/** Reads the entries of a map with some keys; a type that is no map is read as it is. */
function someEntries(type: AvroType, keys: ReadonlySet<number>, compilation: Compilation): AvroDecoder {
  if (type.kind === "union") {
    const branches = type.branches.map((branch) => someEntries(branch, keys, compilation));
    return (cursor) => cursor.choice(branches)(cursor);
  }
  const [key, value] = type.kind === "array" && type.items.kind === "record" ? type.items.fields : [];
  const isMap = key?.type.kind === "int" && value !== undefined;
  if (type.kind !== "array" || !isMap || (type.items as AvroRecord).fields.length > 2)
    return compile(type, compilation);
  const read = compile(value.type, compilation);
  const skip = compileSkipper(value.type);
  return (cursor) => {
    const values: AvroValue[] = [];
    for (let count = cursor.count(); count > 0; count = cursor.count()) {
      for (let i = count; i > 0; i--) {
        const at = cursor.int();
        if (keys.has(at)) values.push([at, read(cursor)]);
        else skip(cursor);
      }
    }
    return values;
  };
}

function blocks(item: AvroDecoder): AvroDecoder {
  return (cursor) => {
    const values: AvroValue[] = [];
    for (let count = cursor.count(); count > 0; count = cursor.count()) {
      for (let i = count; i > 0; i--) values.push(item(cursor));
    }
    return values;
  };
}
