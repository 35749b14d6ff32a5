import {
  type Cell,
  type CellStruct,
  type Column,
  createBuilder,
  type NestedColumn,
  type Type,
  type Value,
  valueText,
  type Variant,
  variantJson,
} from "../../../table-format/index.ts";

/** Kinds whose text is a number or a word of JSON as it is. */
const BARE: ReadonlySet<Type["kind"]> = new Set(["boolean", "int", "long", "decimal"]);

/** Structs, lists, maps and variants as JSON texts, a column of strings; null stays null. */
export function textColumn({ type, values }: NestedColumn): Column {
  const builder = createBuilder({ kind: "string" });
  for (const value of values) {
    if (value === null) builder.appendNull();
    else builder.appendString(cellText(type, value));
  }
  return builder.finish();
}

/**
 * A value as JSON: structs and maps as objects, the keys of a map as texts; whole numbers and decimals with all their digits, times as
 * ISO 8601, bytes as base64, floats that are no numbers as `"NaN"`, `"Infinity"`, `"-Infinity"`.
 */
export function cellText(type: Type, value: Cell | null): string {
  if (value === null) return "null";
  switch (type.kind) {
    case "struct": {
      const struct = value as CellStruct;
      const parts = type.fields.map(
        ({ name, type: of }) => `${JSON.stringify(name)}:${cellText(of, struct[name] ?? null)}`,
      );
      return `{${parts.join(",")}}`;
    }
    case "list":
      return `[${(value as readonly (Cell | null)[]).map((each) => cellText(type.element, each)).join(",")}]`;
    case "map": {
      const parts = (value as readonly (readonly [Cell, Cell | null])[]).map(([key, of]) => {
        const text = cellText(type.key, key);
        return `${text.startsWith('"') ? text : JSON.stringify(text)}:${cellText(type.value, of)}`;
      });
      return `{${parts.join(",")}}`;
    }
    case "variant":
      return variantJson(value as Variant);
    case "float":
    case "double": {
      const number = value as number;
      return Number.isFinite(number) ? String(number) : JSON.stringify(String(number));
    }
    default: {
      const text = valueText(type, value as Value);
      return BARE.has(type.kind) ? text : JSON.stringify(text);
    }
  }
}
