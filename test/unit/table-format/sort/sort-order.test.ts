import { describe, expect, it } from "vitest";
import { newSchema } from "../../../../table-format/schema/schema.ts";
import { normalSortBy, orderApplies, parseSortBy, sortByTexts } from "../../../../table-format/sort/sort-order.ts";

const schema = newSchema(
  [
    { name: "id", type: { kind: "long" }, required: true },
    { name: "region", type: { kind: "string" }, required: false },
    { name: "ts", type: { kind: "timestamptz" }, required: false },
  ],
  [],
);
const nameOf = (id: number) => schema.fields.find((field) => field.id === id)?.name ?? "?";

describe("sort_by", () => {
  it.each([
    ["region", "region asc nulls first"],
    ["ts desc", "ts desc nulls last"],
    [" TS(x) ".replace("TS(x)", "Day( ts )  DESC   NULLS First"), "day(ts) desc nulls first"],
    ["bucket(16, id) asc nulls last", "bucket(16, id) asc nulls last"],
    ["truncate(4,region) nulls last", "truncate(4, region) asc nulls last"],
  ])("%s is %s", (expression, spelled) => {
    expect(sortByTexts(parseSortBy([expression], schema), nameOf)).toEqual([spelled]);
    expect(normalSortBy([expression])).toEqual([spelled]);
  });

  it("of no entries is the unsorted order 0", () => {
    expect(parseSortBy([], schema)).toEqual({ orderId: 0, fields: [] });
    expect(parseSortBy(["id"], schema).orderId).toBe(1);
  });

  it.each([
    [["gone desc"], 'sort_by "gone desc": column "gone" does not exist'],
    [["day(region)"], /day does not take string/],
    [["half(id)"], /transform half is not known/],
    [["id sideways"], /column "id sideways" does not exist/],
    [["id", "id desc"], /already sorted by id/],
  ])("refuses %s", (expressions, message) => {
    expect(() => parseSortBy(expressions, schema)).toThrow(message);
  });

  it("applies while its columns are there with a type that it takes", () => {
    const order = parseSortBy(["region", "day(ts)"], schema);
    const [id, region, ts] = schema.fields;
    const withFields = (...fields: (typeof schema.fields)[number][]) => ({ ...schema, fields });
    expect(orderApplies(order, schema)).toBe(true);
    expect(orderApplies(order, withFields(id!, ts!))).toBe(false);
    expect(orderApplies(order, withFields(region!, { ...ts!, type: { kind: "string" } }))).toBe(false);
    expect(orderApplies(order, withFields({ ...region!, id: 9 }, ts!))).toBe(false);
  });
});
