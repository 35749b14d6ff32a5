import { describe, expect, it } from "vitest";
import { warehouseNamed, warehouseOfFile } from "../../../src/config/warehouse-name.ts";

const thrownBy = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("expected an error, found none");
};

describe("a warehouse's name", () => {
  it("is a location, or a database with one", () => {
    expect(warehouseNamed("./lake", {}).catalog).toMatchObject({ type: "sqlite" });
    const named = "postgres://frazil@db:6432/lake?location=s3://lake/warehouse/&name=other&tls=true";
    expect(warehouseNamed(named, { PGPASSWORD: "secret", AWS_ENDPOINT_URL: "http://store:9000" })).toEqual({
      location: "s3://lake/warehouse",
      catalog: {
        type: "postgres",
        name: "other",
        host: "db",
        port: 6432,
        database: "lake",
        user: "frazil",
        password: "secret",
        tls: {},
      },
      s3: { endpoint: "http://store:9000", region: undefined },
    });
    expect(warehouseNamed("postgresql://frazil@db/lake?location=./lake", {})).toEqual({
      location: "./lake",
      catalog: {
        type: "postgres",
        name: "frazil",
        host: "db",
        port: 5432,
        database: "lake",
        user: "frazil",
        tls: null,
      },
      s3: {},
    });
  });

  it.each([
    ["postgres://frazil@db/lake", /where the warehouse's files are/],
    ["postgres://frazil@db/lake?location=", /where the warehouse's files are/],
    ["postgres://frazil@db/lake?location=x&sslmode=require", /unknown parameter sslmode/],
    ["postgres://frazil@db/lake?location=x&tls=on", /tls must be true or false/],
    ["postgres://frazil@db?location=x", /must be postgres:\/\/user@host:port\/database/],
    ["postgres://frazil@db/lake?location=gs://x", /must be a folder or s3:/],
    ["postgres://frazil:secret@db/lake?location=x", /must hold no password/],
    ["postgres://frazil:secret@db/lake?sslmode=require", /must hold no password/],
    ["postgres://frazil:sec/ret@db/lake?secret=secret", /unknown parameter/],
    ["postgres://frazil:sec/ret@db/lake?location=x", /must be postgres/],
  ])("%s is refused, and no password shown", (named, message) => {
    expect(thrownBy(() => warehouseNamed(named, {}))).toMatchObject({
      kind: "config",
      code: "WAREHOUSE_INVALID",
      message: expect.stringMatching(message) as string,
    });
    expect(String(thrownBy(() => warehouseNamed(named, {})))).not.toMatch(/sec.?ret@/);
  });
});

describe("the warehouse of a file", () => {
  const FILE = `
name: orders
source: { type: kafka, brokers: ["\${BROKERS}"] }
warehouse:
  location: \${LAKE:-./lake}
  catalog: { type: rest, uri: "http://catalog:8181", token: "\${TOKEN}" }
tables: []
`;

  it("is its block alone", () => {
    expect(warehouseOfFile(FILE, "orders.yaml", { TOKEN: "t" })).toMatchObject({
      location: "./lake",
      catalog: { type: "rest", token: "t" },
    });
  });

  it.each([
    [FILE, "orders.yaml: environment variable TOKEN is not set"],
    ["name: x\n", "orders.yaml has no block warehouse:"],
    ["[", "orders.yaml:1:2  error"],
    ["warehouse:\n  location: gs://x\n", "orders.yaml:2:13  error  warehouse.location: must be a folder or s3:"],
    ["warehouse: { location: ./x, catalogue: {} }\n", 'warehouse.catalogue: unknown key, did you mean "catalog"?'],
  ])("is refused with the place of what is wrong", (text, message) => {
    expect(thrownBy(() => warehouseOfFile(text, "orders.yaml", {}))).toMatchObject({
      kind: "config",
      code: "WAREHOUSE_INVALID",
      message: expect.stringContaining(message) as string,
    });
  });
});
