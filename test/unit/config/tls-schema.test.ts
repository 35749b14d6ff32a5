import { expect, test } from "vitest";
import { tlsOptions } from "../../../src/config/tls-schema.ts";

test("TLS takes PEM texts as they are, reads files, and names one that is not there", async () => {
  const pem = "-----BEGIN CERTIFICATE-----\n…";
  expect(await tlsOptions(null, "X_TLS")).toBe(null);
  expect(await tlsOptions({ ca: pem }, "X_TLS")).toEqual({ ca: pem });
  await expect(tlsOptions({ key: "/nowhere/key.pem" }, "X_TLS")).rejects.toMatchObject({
    kind: "config",
    code: "X_TLS",
    message: "tls.key: cannot read /nowhere/key.pem",
  });
});
