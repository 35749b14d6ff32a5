import { expect, test } from "vitest";
import { postgresError } from "../../../src/catalogs/postgres-errors.ts";
import { FrazilError } from "../../../src/core/errors.ts";

const failed = (message: string, code?: string): Error => Object.assign(new Error(message), { code });

test.each([
  ["28P01", "permission"],
  ["42501", "permission"],
  ["25006", "permission"],
  ["3D000", "config"],
  ["40P01", "unavailable"],
  ["55P03", "unavailable"],
  ["57P01", "unavailable"],
  ["53300", "unavailable"],
  ["53100", "io"],
  ["23505", "conflict"],
  ["42601", "internal"],
  ["ECONNREFUSED", "unavailable"],
  ["EPIPE", "unavailable"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "config"],
])("%s is %s", (code, kind) => {
  expect(postgresError(failed("no", code), "h:1/d")).toMatchObject({ kind, message: "catalog h:1/d: no" });
});

test("what the driver says without a code is told apart, several addresses are named, and our own errors pass", () => {
  const kind = (error: Error): unknown => (postgresError(error, "h:1/d") as FrazilError).kind;
  expect(kind(failed("Connection terminated unexpectedly"))).toBe("unavailable");
  expect(kind(failed("Query read timeout"))).toBe("unavailable");
  expect(kind(failed("The server does not support SSL connections"))).toBe("config");
  expect(kind(failed("SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string"))).toBe("permission");
  const both = new AggregateError([failed("no IPv6"), failed("no IPv4")], "");
  expect(postgresError(both, "h:1/d")).toMatchObject({ message: "catalog h:1/d: no IPv6; no IPv4" });
  const own = new FrazilError("conflict", "TABLE_EXISTS", "taken");
  expect(postgresError(own, "h:1/d")).toBe(own);
});
