import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { LEAST_NODE, tooOld } from "../../../src/cli/node-version.ts";

it("asks for the Node that the package asks for", () => {
  const { engines } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
    engines: { node: string };
  };
  expect(`>=${LEAST_NODE.major}.${LEAST_NODE.minor}`).toBe(engines.node);
});

it.each([
  ["18.20.4", false],
  ["22.17.1", false],
  ["22.18.0", true],
  ["23.0.0", true],
  ["24.21.0", true],
])("takes Node %s: %s", (version, taken) => {
  const problem = tooOld(version);
  expect(problem === null).toBe(taken);
  if (!taken) expect(problem).toMatch(`expected Node.js 22.18 or newer, found ${version}\nhint: `);
});
