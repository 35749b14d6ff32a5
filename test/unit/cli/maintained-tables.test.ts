import { expect, it } from "vitest";
import { maintainedTables } from "../../../src/cli/maintained-tables.ts";
import { parseIdent } from "../../../table-format/index.ts";

const tables = (...names: string[]) => names.map(parseIdent);

it("says once what a service looks after, which policies decide on nothing, and which tables it leaves alone", () => {
  const lines: string[] = [];
  const found = maintainedTables(["logs.*", "shop.order", "shop.o*"], (line) => lines.push(line));
  found(tables("logs.a", "shop.orders", "shop.customers"));
  expect(lines).toEqual([
    "looks after 2 of 3 tables",
    'policies[1] decides on no table so far: "shop.order"',
    "left alone, as no policy matches: shop.customers",
  ]);
  found(tables("logs.a", "shop.orders", "shop.customers"));
  expect(lines.length).toBe(3);
  found(tables("logs.b", "x.a", "x.b", "x.c", "x.d", "x.e", "x.f", "x.g"));
  expect(lines.slice(3)).toEqual(["left alone, as no policy matches: x.a, x.b, x.c, x.d, x.e and 2 more"]);
});
