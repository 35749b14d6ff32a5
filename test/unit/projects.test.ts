import { expect, it } from "vitest";
import { STEPS } from "../projects.ts";
import config from "../vitest.config.ts";

it("npm test runs every project, and each once", () => {
  const { test } = config as { readonly test: { readonly projects: readonly { readonly test: { name: string } }[] } };
  const names = test.projects.map((project) => project.test.name);
  expect(STEPS.flatMap(({ projects, beside = [] }) => [...projects, ...beside]).toSorted()).toEqual(names.toSorted());
});
