import type { AvroCursor } from "./cursor.ts";
import type { AvroType } from "./schema.ts";

/** Turns a schema into a function that moves over one value of it. */
export function compileSkipper(type: AvroType): (cursor: AvroCursor) => void {
  switch (type.kind) {
    case "null":
      return () => {};
    case "boolean":
      return (cursor) => cursor.skip(1);
    case "int":
    case "long":
    case "enum":
      return (cursor) => cursor.skipVarint();
    case "float":
      return (cursor) => cursor.skip(4);
    case "double":
      return (cursor) => cursor.skip(8);
    case "bytes":
    case "string":
      return (cursor) => cursor.skip(cursor.length());
    case "fixed":
      return (cursor) => cursor.skip(type.size);
    case "array":
      return skipBlocks([compileSkipper(type.items)]);
    case "map":
      return skipBlocks([(cursor) => cursor.skip(cursor.length()), compileSkipper(type.values)]);
    case "union": {
      const branches = type.branches.map(compileSkipper);
      return (cursor) => cursor.choice(branches)(cursor);
    }
    case "record": {
      const fields = type.fields.map((field) => compileSkipper(field.type));
      return (cursor) => {
        for (const field of fields) field(cursor);
      };
    }
  }
}

function skipBlocks(parts: readonly ((cursor: AvroCursor) => void)[]): (cursor: AvroCursor) => void {
  return (cursor) => {
    for (let count = cursor.count(); count > 0; count = cursor.count()) {
      for (let i = count; i > 0; i--) for (const part of parts) part(cursor);
    }
  };
}
