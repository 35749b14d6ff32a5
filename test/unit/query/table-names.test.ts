import { expect, it } from "vitest";
import { notFound } from "../../../src/query/table-names.ts";

const IDENTS = ["shop.orders", "shop.items", "web.items", "web.visits"].map((name) => {
  const [namespace = "", table = ""] = name.split(".");
  return { namespace: [namespace], name: table };
});

it.each([
  ["orders", "did you mean shop.orders?"],
  ["Orders", "did you mean shop.orders?"],
  ["other.orders", "did you mean shop.orders?"],
  ["items", "did you mean shop.items or web.items?"],
  ["shop.order", "did you mean shop.orders?"],
  ["visit", "did you mean web.visits?"],
  ["nothing.like.it", "frazil tables lists the tables there are"],
])("the hint at %s", (name, hint) => {
  expect(notFound(name, "/lake", IDENTS)).toMatchObject({ code: "TABLE_NOT_FOUND", hint });
});
