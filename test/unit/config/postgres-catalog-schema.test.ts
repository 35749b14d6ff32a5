import { expect, test } from "vitest";
import { parseWarehouse } from "../../../src/config/load.ts";

const location = "/lake";
const read = (catalog: object): unknown =>
  parseWarehouse({ location, catalog: { type: "postgres", ...catalog } } as never, {}).catalog;

test("an address says where and who; the password and TLS stand beside it", () => {
  expect(read({ uri: "postgres://frazil@db.example.org/lake" })).toEqual({
    type: "postgres",
    name: "frazil",
    host: "db.example.org",
    port: 5432,
    database: "lake",
    user: "frazil",
    tls: null,
  });
  const full = { uri: "postgresql://a%40b@[::1]:6543/my%20lake", password: "secret", tls: { ca: "ca.pem" }, name: "x" };
  expect(read(full)).toMatchObject({
    name: "x",
    host: "::1",
    port: 6543,
    database: "my lake",
    user: "a@b",
    password: "secret",
    tls: { ca: "ca.pem" },
  });
});

test.each([
  ["postgres://u:secret@h/d", "must hold no password"],
  ["postgres://u@h/d?sslmode=require", "TLS has a setting of its own"],
  ["postgres://h/d", "must be postgres://user@host:port/database"],
  ["postgres://u@h", "must be postgres://user@host:port/database"],
  ["postgres://u@h:port/d", "must be postgres://user@host:port/database"],
  ["jdbc:postgresql://h/d", "must be postgres://user@host:port/database"],
])("%s is refused, and not shown", (uri, problem) => {
  expect(() => read({ uri })).toThrow(problem);
  expect(() => read({ uri })).toThrow(expect.objectContaining({ message: expect.not.stringContaining("secret") }));
});
