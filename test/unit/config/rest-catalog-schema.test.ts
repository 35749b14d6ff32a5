import { describe, expect, test } from "vitest";
import { parseWarehouse } from "../../../src/config/load.ts";

const uri = "https://catalog.example.org/api";
const location = "s3://lake/warehouse";

describe("warehouse.catalog of type rest", () => {
  test("needs an address, and asks for nothing to be lent", () => {
    expect(parseWarehouse({ location, catalog: { type: "rest", uri } }, {}).catalog).toMatchObject({
      type: "rest",
      name: "frazil",
      uri,
      headers: {},
      vendedCredentials: false,
    });
    expect(() => parseWarehouse({ location, catalog: { type: "rest", uri: "catalog:8181" } }, {})).toThrow(
      /catalog\.uri/,
    );
  });

  test("has a folder for tables, without a slash behind it and in the same store", () => {
    const of = (table_location: string): unknown =>
      parseWarehouse({ location, catalog: { type: "rest", uri, table_location } }, {}).catalog;
    expect(of("s3://tables/")).toMatchObject({ tableLocation: "s3://tables" });
    expect(() => of("./tables")).toThrow(/catalog\.table_location: must be in the same kind of store/);
  });

  test("takes a token or a credential", () => {
    const both = { type: "rest", uri, token: "t", credential: "id:secret" } as const;
    expect(() => parseWarehouse({ location, catalog: both }, {})).toThrow(/catalog\.token: and credential exclude/);
  });
});
