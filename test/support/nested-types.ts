import type { NestedField, Type } from "../../table-format/index.ts";

/** A list type; ids are for `newSchema` to give, as in the types below. */
export function list(element: Type, elementRequired = false): Type {
  return { kind: "list", elementId: 0, elementRequired, element };
}

export function map(key: Type, value: Type, valueRequired = false): Type {
  return { kind: "map", keyId: 0, key, valueId: 0, valueRequired, value };
}

export function struct(...parts: readonly (readonly [string, Type, required?: boolean])[]): Type {
  return {
    kind: "struct",
    fields: parts.map(([name, type, required = false]): NestedField => ({ id: 0, name, required, type })),
  };
}
