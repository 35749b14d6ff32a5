import { describe, expect, test } from "vitest";
import { bindExpression } from "../../../../table-format/expression/bind.ts";
import { and, type Expression, or } from "../../../../table-format/expression/expression.ts";
import type { NestedField, PlainKind, Schema } from "../../../../table-format/schema/types.ts";

let ids = 0;
const field = (name: string, type: NestedField["type"], required = false): NestedField => ({
  id: ++ids,
  name,
  required,
  type,
});
const KINDS: readonly PlainKind[] = [
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "date",
  "time",
  "timestamp",
  "timestamptz",
  "timestamp_ns",
  "string",
  "uuid",
  "binary",
];
const schema: Schema = {
  schemaId: 0,
  fields: [
    ...KINDS.map((kind) => field(kind, { kind })),
    field("decimal", { kind: "decimal", precision: 9, scale: 2 }),
    field("fixed", { kind: "fixed", length: 2 }),
    field("variant", { kind: "variant" }),
    field("shape", { kind: "geometry", crs: "OGC:CRS84" }),
    field("needed", { kind: "int" }, true),
    field("s", { kind: "struct", fields: [field("x", { kind: "int" }, true), field("d.e", { kind: "int" })] }),
    field("r", { kind: "struct", fields: [field("x", { kind: "int" }, true)] }, true),
    field("l", { kind: "list", elementId: 900, elementRequired: false, element: { kind: "int" } }),
    field("a.b", { kind: "int" }),
    field("a", { kind: "struct", fields: [field("b", { kind: "int" })] }),
  ],
  identifierFieldIds: [],
};
const bind = (expression: Expression) => bindExpression(expression, schema);
const kindOf = (expression: Expression) => bind(expression).kind;

describe("literals take the column's type", () => {
  const typed: readonly [term: string, given: unknown, value: unknown][] = [
    ["int", 5n, 5],
    ["int", 5, 5],
    ["long", 5, 5n],
    ["long", 9007199254740993n, 9007199254740993n],
    ["float", 0.1, Math.fround(0.1)],
    ["double", 5n, 5],
    ["date", "2017-11-16", 17_486],
    ["date", -1, -1],
    ["time", "22:31:08.5", 81_068_500_000n],
    ["timestamp", "1969-12-31T23:59:59.999999", -1n],
    ["timestamptz", "1970-01-01T00:00:01+00:00", 1_000_000n],
    ["timestamp_ns", "1970-01-01T00:00:00.000000001", 1n],
    ["decimal", "-14.2", -1420n],
    ["decimal", 1420n, 1420n],
    ["uuid", "f79c3e09-677c-4bbd-a479-3f349cb785e7", Buffer.from("f79c3e09677c4bbda4793f349cb785e7", "hex")],
    ["fixed", "00ff", Buffer.from([0, 255])],
    ["binary", Uint8Array.of(), Uint8Array.of()],
  ];
  test.each(typed)("%s %o", (term, value, expected) => {
    const bound = bind({ type: "eq", term, value } as Expression) as unknown as { value: unknown };
    const plain = (each: unknown) => (each instanceof Uint8Array ? [...each] : each);
    expect(plain(bound.value)).toEqual(plain(expected));
  });

  const wrong: readonly [term: string, given: unknown, message: RegExp][] = [
    ["long", 1.5, /filter on column long: expected a value of type long, found number 1.5/],
    ["long", 2 ** 53, /found number 9007199254740992/],
    ["int", "5", /expected a value of type int, found "5"/],
    ["double", NaN, /found number NaN/],
    ["double", 9007199254740993n, /found bigint 9007199254740993/],
    ["float", 1e300, /expected a value of type float/],
    ["decimal", 14.2, /type decimal\(9, 2\), found number 14.2/],
    ["decimal", "14.205", /found "14.205"/],
    ["fixed", "00", /type fixed\[2\], found "00"/],
    ["string", "\ud800", /expected a value of type string/],
    ["string", null, /found null \(is-null and not-null ask for null\)/],
    ["boolean", 1, /expected a value of type boolean, found number 1/],
  ];
  test.each(wrong)("refused: %s %o", (term, value, message) => {
    expect(() => bind({ type: "eq", term, value } as Expression)).toThrow(message);
    expect(() => bind({ type: "in", term, values: [value] } as Expression)).toThrow(message);
  });
});

describe("columns", () => {
  test.each<[Expression, RegExp]>([
    [{ type: "is-null", term: "nope" }, /found "nope", which the schema does not hold/],
    [{ type: "is-null", term: "l.element" }, /found "l.element"/],
    [{ type: "is-null", term: "a.b" }, /"a.b" is the name of a column and of a field of a struct/],
    [{ type: "eq", term: "s", value: 1 }, /filter on column s: eq takes primitive types, found struct/],
    [{ type: "eq", term: "variant", value: 1 }, /takes primitive types, found variant/],
    [{ type: "in", term: "shape", values: ["00"] }, /takes types with an order, found geometry\(OGC:CRS84\)/],
    [{ type: "starts-with", term: "binary", value: "a" }, /starts-with takes string, found binary/],
    [{ type: "is-nan", term: "int" }, /is-nan takes float and double, found int/],
  ])("%o is refused", (expression, message) => expect(() => bind(expression)).toThrow(message));

  test("a field of a struct is found by its whole name, dots in it or not", () => {
    expect(bind({ type: "eq", term: "s.x", value: 1 })).toMatchObject({ ref: { isNested: true, name: "s.x" } });
    expect(bind({ type: "eq", term: "s.d.e", value: 1 })).toMatchObject({ ref: { isNested: true, name: "s.d.e" } });
  });

  test("what is required is not null, unless a struct around it may be", () => {
    const asked = ["needed", "r.x", "r", "s.x", "int"].map((term) => kindOf({ type: "is-null", term }));
    expect(asked).toEqual(["false", "false", "false", "unary", "unary"]);
  });
});

describe("what the schema decides", () => {
  const beyond = 3_000_000_000n;
  test.each<[Expression, string]>([
    [{ type: "lt", term: "needed", value: beyond }, "true"],
    [{ type: "gt", term: "needed", value: beyond }, "false"],
    [{ type: "gt-eq", term: "needed", value: -beyond }, "true"],
    [{ type: "eq", term: "needed", value: beyond }, "false"],
    [{ type: "not-eq", term: "needed", value: beyond }, "true"],
    [{ type: "not", child: { type: "lt", term: "int", value: beyond } }, "false"],
    [{ type: "lt", term: "int", value: beyond }, "unary"],
    [{ type: "in", term: "int", values: [beyond] }, "false"],
    [{ type: "in", term: "int", values: [] }, "false"],
    [{ type: "not-in", term: "int", values: [] }, "true"],
    [{ type: "not-in", term: "int", values: [beyond] }, "unary"],
    [{ type: "in", term: "int", values: [beyond, 1] }, "literal"],
    [and({ type: "true" }, { type: "not", child: { type: "true" } }), "false"],
    [or({ type: "false" }, { type: "eq", term: "int", value: 1 }), "literal"],
    [and(), "true"],
    [or(), "false"],
  ])("%o is %s", (expression, kind) => expect(kindOf(expression)).toBe(kind));
});

test("a thousand levels are the most, and lists of any length stay below", () => {
  const one: Expression = { type: "eq", term: "int", value: 1 };
  let deep: Expression = one;
  for (let i = 0; i < 1_001; i++) deep = { type: "not", child: deep };
  expect(() => bind(deep)).toThrow(/expected at most 1000 levels/);
  expect(kindOf(or(...Array.from({ length: 10_000 }, () => one)))).toBe("or");
});
