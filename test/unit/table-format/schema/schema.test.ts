import { describe, expect, test } from "vitest";
import { parseJson, jsonText } from "../../../../table-format/json/exact-json.ts";
import { addColumns, canWiden, widenField } from "../../../../table-format/schema/evolve.ts";
import { fieldById, fieldByName, highestFieldId, newSchema } from "../../../../table-format/schema/schema.ts";
import {
  parsePrimitiveType,
  parseType,
  typeJson,
  typesEqual,
  typeText,
} from "../../../../table-format/schema/type-json.ts";
import type { PrimitiveType, Type } from "../../../../table-format/schema/types.ts";

const nested: Type = {
  kind: "struct",
  fields: [
    {
      id: 7,
      name: "tags",
      required: false,
      type: { kind: "list", elementId: 8, elementRequired: true, element: { kind: "string" } },
    },
    {
      id: 9,
      name: "by_key",
      required: true,
      doc: "notes",
      type: {
        kind: "map",
        keyId: 10,
        key: { kind: "int" },
        valueId: 11,
        valueRequired: false,
        value: { kind: "fixed", length: 3 },
      },
    },
  ],
};

describe("type JSON", () => {
  test("nested types read back", () => {
    expect(parseType(parseJson(jsonText(typeJson(nested))))).toEqual(nested);
  });

  test("accepts both spellings of decimals, refuses the unknown by name", () => {
    expect(parseType("decimal(9,2)")).toEqual(parseType("decimal(9, 2)"));
    expect(() => parseType("interval")).toThrow(/"interval" is not known/);
    expect(() => parseType("decimal(39, 2)")).toThrow(/not known/);
  });

  test.each([
    ["variant", { kind: "variant" }, "variant"],
    ["geometry", { kind: "geometry", crs: "OGC:CRS84" }, "geometry(OGC:CRS84)"],
    ["geometry(srid:4326)", { kind: "geometry", crs: "srid:4326" }, "geometry(srid:4326)"],
    ["geography", { kind: "geography", crs: "OGC:CRS84", algorithm: "spherical" }, "geography(OGC:CRS84, spherical)"],
    ["geography(a:b,KARNEY)", { kind: "geography", crs: "a:b", algorithm: "karney" }, "geography(a:b, karney)"],
    ["geography( a:b )", { kind: "geography", crs: "a:b", algorithm: "spherical" }, "geography(a:b, spherical)"],
  ])("%s is printed as the spec has it", (text, type, printed) => {
    expect(parseType(text)).toEqual(type);
    expect(typeText(parseType(text))).toBe(printed);
    expect(parseType(printed)).toEqual(type);
  });

  test.each(["geography(a:b, flat)", "geometry()", "geographyx", "variants"])("%s is refused by name", (text) => {
    expect(() => parseType(text)).toThrow(/is not known/);
  });

  test("job file spellings", () => {
    const texts = ["decimal(18,2)", " Timestamptz ", "fixed[16]", "uuid"];
    expect(texts.map((text) => typeText(parsePrimitiveType(text)))).toEqual([
      "decimal(18, 2)",
      "timestamptz",
      "fixed[16]",
      "uuid",
    ]);
    expect(() => parsePrimitiveType("varchar")).toThrow(/"varchar" is not a column type/);
    expect(() => parsePrimitiveType("constructor")).toThrow(/is not a column type/);
  });

  test("equality sees ids and requiredness below the top", () => {
    expect(typesEqual(nested, structuredClone(nested))).toBe(true);
    expect(
      typesEqual(
        { kind: "list", elementId: 1, elementRequired: true, element: { kind: "int" } },
        { kind: "list", elementId: 2, elementRequired: true, element: { kind: "int" } },
      ),
    ).toBe(false);
  });
});

describe("schemas", () => {
  const schema = newSchema(
    [
      { name: "id", type: { kind: "long" }, required: true },
      { name: "more", type: nested, required: false },
    ],
    ["id"],
  );

  test("ids start at 1, top level first", () => {
    expect(schema.fields.map((field) => field.id)).toEqual([1, 2]);
    expect(highestFieldId(schema)).toBe(7);
    expect(schema.identifierFieldIds).toEqual([1]);
    expect(fieldById(schema, 5)?.name).toBe("element");
    expect(fieldByName(schema, "more")?.id).toBe(2);
    expect(fieldByName(schema, "MORE")).toBeNull();
  });

  test.each([
    [[{ name: "a", type: { kind: "long" }, required: false }], ["a"], /must be required/],
    [[{ name: "a", type: { kind: "double" }, required: true }], ["a"], /cannot identify rows/],
    [[{ name: "a", type: { kind: "long" }, required: true }], ["b"], /key column "b" is not in the schema/],
    [
      [
        { name: "a", type: { kind: "long" }, required: true },
        { name: "a", type: { kind: "int" }, required: true },
      ],
      [],
      /stands twice/,
    ],
  ] as const)("refuses %o with key %o", (fields, key, message) => {
    expect(() => newSchema(fields, key)).toThrow(message);
  });

  test("new columns are optional and continue the table's ids, not the schema's", () => {
    const evolved = addColumns(schema, 20, [{ name: "note", type: { kind: "string" } }]);
    expect(evolved.schema.fields.at(-1)).toEqual({ id: 21, name: "note", required: false, type: { kind: "string" } });
    expect(evolved.lastColumnId).toBe(21);
    expect(() => addColumns(schema, 20, [{ name: "id", type: { kind: "string" } }])).toThrow(/stands twice/);
  });

  test("widening keeps ids and refuses what loses values", () => {
    const ints = newSchema([{ name: "n", type: { kind: "int" }, required: false }], []);
    expect(widenField(ints, "n", { kind: "long" }, 2).fields).toEqual([
      { id: 1, name: "n", required: false, type: { kind: "long" } },
    ]);
    expect(() => widenField(ints, "n", { kind: "string" }, 3)).toThrow(/int to string is not a widening/);
    expect(() => widenField(ints, "m", { kind: "long" }, 3)).toThrow(/"m" is not in the schema/);
  });

  test("the spec's promotions, and no others", () => {
    const types: PrimitiveType[] = ["int", "long", "float", "double", "date", "timestamp", "timestamptz", "string"].map(
      parsePrimitiveType,
    );
    types.push(
      parsePrimitiveType("decimal(9,2)"),
      parsePrimitiveType("decimal(18,2)"),
      parsePrimitiveType("decimal(18,3)"),
    );
    const legal = (version: number): string[] =>
      types.flatMap((from) =>
        types.filter((to) => canWiden(from, to, version)).map((to) => `${typeText(from)} > ${typeText(to)}`),
      );
    const always = ["int > long", "float > double"];
    const decimals = ["decimal(9, 2) > decimal(18, 2)"];
    expect(legal(2)).toEqual([...always, ...decimals]);
    expect(legal(3)).toEqual([...always, "date > timestamp", ...decimals]);
  });
});
