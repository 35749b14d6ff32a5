import { describe, expect, test } from "vitest";
import {
  currentSchema,
  defaultSpec,
  replaceSortOrder,
  type Schema,
  type SchemaChange,
  schemaJson,
  updateLocation,
  updateProperties,
  updateSchema,
  updateSpec,
} from "../../../../table-format/index.ts";
import { NAME_MAPPING_PROPERTY, nameMappingText } from "../../../../table-format/schema/name-mapping.ts";
import { typeText } from "../../../../table-format/schema/type-json.ts";
import { BY_PART, WrittenTable } from "./written-table.ts";

const int = { kind: "int" } as const;
const NESTED: Schema = {
  schemaId: 0,
  fields: [
    { id: 1, name: "id", required: true, type: { kind: "long" } },
    { id: 2, name: "part", required: false, type: { kind: "string" } },
    { id: 3, name: "day", required: false, type: { kind: "date" } },
    {
      id: 4,
      name: "s",
      required: false,
      type: { kind: "struct", fields: [{ id: 5, name: "a", required: false, type: int }] },
    },
    {
      id: 6,
      name: "l",
      required: false,
      type: {
        kind: "list",
        elementId: 7,
        elementRequired: false,
        element: { kind: "struct", fields: [{ id: 8, name: "x", required: false, type: { kind: "float" } }] },
      },
    },
  ],
  identifierFieldIds: [1],
};
const make = (given = {}) => WrittenTable.create({ schema: NESTED, spec: BY_PART, ...given });
const names = (schema: Schema) => schema.fields.map(({ id, name, required }) => `${id} ${name}${required ? "!" : ""}`);

async function changed(changes: readonly SchemaChange[], options = {}) {
  const table = await make();
  return currentSchema((await table.commit(updateSchema(changes, options))).metadata);
}

describe("a schema change", () => {
  test("adds columns at the end, with ids that nothing had, in structs too", async () => {
    const struct = { kind: "struct", fields: [{ id: 0, name: "in", required: false, type: int }] } as const;
    const schema = await changed([
      { change: "add-column", name: "n", type: struct, doc: "new" },
      { change: "add-column", parent: "s", name: "b", type: int },
      { change: "add-column", parent: "l", name: "y", type: int },
      { change: "add-column", name: "d", type: int, required: true, default: 7n },
    ]);
    expect(names(schema)).toEqual(["1 id!", "2 part", "3 day", "4 s", "6 l", "9 n", "13 d!"]);
    expect(schema.fields.map(({ type }) => typeText(type))).toMatchInlineSnapshot(`
      [
        "long",
        "string",
        "date",
        "struct<a: int, b: int>",
        "list<struct<x: float, y: int>>",
        "struct<in: int>",
        "int",
      ]
    `);
    expect(schemaJson(schema)).toMatchObject({
      fields: [{}, {}, {}, {}, {}, { doc: "new" }, { "initial-default": 7n, "write-default": 7n }],
    });
  });

  test("renames, widens, moves, drops, documents", async () => {
    const schema = await changed([
      { change: "rename-column", name: "s.a", to: "b" },
      { change: "update-column", name: "s.b", type: { kind: "long" } },
      { change: "update-column", name: "l.element.x", type: { kind: "double" } },
      { change: "move-first", name: "day" },
      { change: "move-after", name: "id", other: "s" },
      { change: "add-column", parent: "s", name: "c", type: int },
      { change: "move-before", name: "s.c", other: "s.b" },
      { change: "update-column-doc", name: "part", doc: "where" },
      { change: "delete-column", name: "l" },
    ]);
    expect(names(schema)).toEqual(["3 day", "2 part", "4 s", "1 id!"]);
    expect(typeText(schema.fields[2]!.type)).toMatchInlineSnapshot(`"struct<c: int, b: long>"`);
    expect(schema.fields[1]!.doc).toBe("where");
  });

  test("changes nothing twice", async () => {
    const table = await make();
    const before = await table.load();
    const same = await table.commit(
      updateSchema([
        { change: "rename-column", name: "part", to: "part2" },
        { change: "rename-column", name: "part2", to: "part" },
      ]),
    );
    expect(same.metadataLocation).toBe(before.metadataLocation);
  });

  test.each<[SchemaChange, string]>([
    [{ change: "add-column", name: "part", type: int }, "DUPLICATE_COLUMN"],
    [{ change: "add-column", name: "n", type: int, required: true }, "INCOMPATIBLE_CHANGE"],
    [{ change: "add-column", name: "n", type: int, default: "seven" }, "BAD_DEFAULT"],
    [{ change: "add-column", parent: "part", name: "n", type: int }, "SCHEMA_CHANGE"],
    [{ change: "delete-column", name: "id" }, "IDENTIFIER_DELETED"],
    [{ change: "delete-column", name: "none" }, "UNKNOWN_COLUMN"],
    [{ change: "delete-column", name: "l.element" }, "SCHEMA_CHANGE"],
    [{ change: "delete-column", name: "part" }, "INVALID_UPDATE"],
    [{ change: "delete-column", name: "day" }, "SORT_SOURCE"],
    [{ change: "rename-column", name: "part", to: "id" }, "DUPLICATE_COLUMN"],
    [{ change: "update-column", name: "id", type: int }, "NOT_WIDENING"],
    [{ change: "update-column", name: "day", type: { kind: "timestamptz" } }, "NOT_WIDENING"],
    [{ change: "require-column", name: "part" }, "INCOMPATIBLE_CHANGE"],
    [{ change: "make-column-optional", name: "id" }, "KEY_OPTIONAL"],
    [{ change: "set-identifier-fields", names: ["part"] }, "KEY_OPTIONAL"],
    [{ change: "set-identifier-fields", names: ["s.a"] }, "KEY_OPTIONAL"],
    [{ change: "move-after", name: "id", other: "s.a" }, "SCHEMA_CHANGE"],
  ])("that is refused: %j", async (change, code) => {
    const table = await make();
    await table.commit(replaceSortOrder(["day desc"]));
    await expect(table.commit(updateSchema([change]))).rejects.toMatchObject({ code });
  });

  test("that is incompatible is made where that is allowed", async () => {
    const schema = await changed(
      [
        { change: "require-column", name: "part" },
        { change: "set-identifier-fields", names: ["part"] },
        { change: "delete-column", name: "id" },
      ],
      { allowIncompatibleChanges: true },
    );
    expect(names(schema)).toEqual(["2 part!", "3 day", "4 s", "6 l"]);
    expect(schema.identifierFieldIds).toEqual([2]);
  });

  test("lets a name mapping know both names, and gives a name that is taken again to its new column", async () => {
    const table = await make({ properties: { [NAME_MAPPING_PROPERTY]: nameMappingText(NESTED) } });
    const { metadata } = await table.commit(
      updateSchema([
        { change: "rename-column", name: "day", to: "date" },
        { change: "add-column", name: "day", type: int },
        { change: "rename-column", name: "part", to: "region" },
        { change: "delete-column", name: "l" },
      ]),
    );
    expect(JSON.parse(metadata.properties.get(NAME_MAPPING_PROPERTY)!)).toEqual([
      { "field-id": 1, names: ["id"] },
      { "field-id": 2, names: ["part", "region"] },
      { "field-id": 3, names: ["date"] },
      { "field-id": 4, names: ["s"], fields: [{ "field-id": 5, names: ["a"] }] },
      { "field-id": 9, names: ["day"] },
      {
        "field-id": 6,
        names: ["l"],
        fields: [{ "field-id": 7, names: ["element"], fields: [{ "field-id": 8, names: ["x"] }] }],
      },
    ]);
  });
});

test("identifier fields lie in required structs alone", async () => {
  const make = (structRequired: boolean) =>
    changed(
      [
        {
          change: "add-column",
          name: "k",
          type: { kind: "struct", fields: [{ id: 0, name: "a", required: true, type: int }] },
          required: structRequired,
        },
        { change: "set-identifier-fields", names: ["k.a"] },
      ],
      { allowIncompatibleChanges: true },
    );
  expect((await make(true)).identifierFieldIds).toEqual([10]);
  await expect(make(false)).rejects.toMatchObject({ kind: "config", code: "KEY_NESTED" });
});

test("a column becomes required where the same change gives it a default", async () => {
  const schema = await changed([
    { change: "add-column", name: "n", type: int, default: 7n },
    { change: "require-column", name: "n" },
  ]);
  expect(names(schema)).toContain("9 n!");
});

test("properties of single columns go by their new names, and with the columns", async () => {
  const metrics = (column: string) => `write.metadata.metrics.column.${column}`;
  const bloom = (column: string) => `write.parquet.bloom-filter-enabled.column.${column}`;
  const properties = {
    [metrics("part")]: "full",
    [bloom("s.a")]: "true",
    [metrics("day")]: "counts",
    [metrics("old")]: "none",
  };
  const table = await make({ properties });
  const { metadata } = await table.commit(
    updateSchema([
      { change: "rename-column", name: "part", to: "region" },
      { change: "rename-column", name: "s", to: "t" },
      { change: "delete-column", name: "day" },
    ]),
    updateSpec([{ change: "rename-field", name: "part", to: "region" }]),
  );
  expect(Object.fromEntries(metadata.properties)).toEqual({
    [metrics("region")]: "full",
    [bloom("t.a")]: "true",
    [metrics("old")]: "none",
  });
  await expect(table.commit(updateProperties({ [metrics("part")]: "full" }))).rejects.toMatchObject({
    kind: "data",
    code: "PROPERTY_COLUMN",
  });
  await table.commit(updateProperties({ [metrics("t.a")]: "counts" }, [metrics("old")]));
  expect(() => updateProperties({ a: "1" }, ["a"])).toThrow(expect.objectContaining({ code: "PROPERTY_TWICE" }));
});

describe("a change of the partition spec", () => {
  test("keeps field ids, takes old ones up again, and names fields as Java does", async () => {
    const table = await make();
    const first = await table.commit(
      updateSpec([
        { change: "add-field", term: "bucket(16, id)" },
        { change: "add-field", term: "truncate(4, part)" },
        { change: "add-field", term: "month(day)", name: "m" },
      ]),
    );
    expect(defaultSpec(first.metadata).fields.map(({ fieldId, name }) => `${fieldId} ${name}`)).toEqual([
      "1000 part",
      "1001 id_bucket_16",
      "1002 part_trunc_4",
      "1003 m",
    ]);
    await table.commit(
      updateSpec([
        { change: "remove-field", name: "id_bucket_16" },
        { change: "rename-field", name: "m", to: "month" },
      ]),
    );
    const again = await table.commit(updateSpec([{ change: "add-field", term: "bucket(16, id)" }]));
    expect(defaultSpec(again.metadata).fields.map(({ fieldId, name }) => `${fieldId} ${name}`)).toEqual([
      "1000 part",
      "1002 part_trunc_4",
      "1003 month",
      "1001 id_bucket_16",
    ]);
    expect(again.metadata.partitionSpecs).toHaveLength(4);
  });

  test("takes another width of time beside one that is there, two at once not, and a spec that is not the default", async () => {
    const table = await make();
    await table.commit(updateSpec([{ change: "add-field", term: "month(day)" }]));
    const wider = await table.commit(updateSpec([{ change: "add-field", term: "year(day)" }]));
    expect(defaultSpec(wider.metadata).fields.map(({ name }) => name)).toEqual(["part", "day_month", "day_year"]);
    const other = await make();
    const twice = updateSpec([
      { change: "add-field", term: "month(day)" },
      { change: "add-field", term: "year(day)" },
    ]);
    await expect(other.commit(twice)).rejects.toMatchObject({ code: "SPEC_CHANGE" });
    const { metadata } = await other.commit(
      updateSpec([{ change: "add-field", term: "year(day)" }], { addNonDefaultSpec: true }),
    );
    expect([metadata.partitionSpecs.length, metadata.defaultSpecId]).toEqual([2, 0]);
  });

  test("is refused where a transform is not known", async () => {
    const fields = [{ sourceId: 2, fieldId: 1000, name: "part", transform: "zorder[3]" }];
    const table = await make({ spec: { specId: 0, fields } });
    await expect(table.commit(updateSpec([{ change: "add-field", term: "year(day)" }]))).rejects.toMatchObject({
      code: "SPEC_CHANGE",
    });
  });

  test.each([
    [{ change: "add-field", term: "part" }, "SPEC_CHANGE"],
    [{ change: "add-field", term: "day(day)", name: "id" }, "SPEC_CHANGE"],
    [{ change: "add-field", term: "year(none)" }, "PARTITION_BY"],
    [{ change: "remove-field", name: "none" }, "SPEC_CHANGE"],
    [{ change: "rename-field", name: "part", to: "id" }, "SPEC_CHANGE"],
  ] as const)("that is refused: %j", async (change, code) => {
    const table = await make();
    await expect(table.commit(updateSpec([change]))).rejects.toMatchObject({ kind: "config", code });
  });
});

test("sort order, properties and location", async () => {
  const table = await make();
  const { metadata } = await table.commit(
    replaceSortOrder(["part", "bucket(4, id) desc"]),
    updateProperties({ a: "1", b: "2" }),
    updateProperties({}, ["a"]),
    updateLocation("mem://elsewhere/t"),
  );
  expect(metadata.sortOrders.find(({ orderId }) => orderId === metadata.defaultSortOrderId)?.fields).toHaveLength(2);
  expect(Object.fromEntries(metadata.properties)).toEqual({ b: "2" });
  expect(metadata.location).toBe("mem://elsewhere/t");
  const unsorted = await table.commit(replaceSortOrder([]));
  expect(unsorted.metadata.defaultSortOrderId).toBe(0);
  await expect(table.commit(updateProperties({ "format-version": "3" }))).rejects.toMatchObject({ kind: "data" });
});
