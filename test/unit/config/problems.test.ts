import { expect, it } from "vitest";
import { z } from "zod";
import { check, pathText } from "../../../src/config/problems.ts";
import { flag, whole } from "../../../src/config/scalars.ts";

function problemsOf(schema: z.ZodType, input: unknown): string[] {
  const checked = check(schema, input);
  return "problems" in checked ? checked.problems.map(({ path, message }) => `${pathText(path)}: ${message}`) : [];
}

it("speaks of the form of a choice that was meant", () => {
  const schema = z.strictObject({
    tls: z.union([flag(), z.strictObject({ ca: z.string(), key: z.string().optional() })]),
  });
  expect(problemsOf(schema, { tls: 5 })).toEqual(["tls: must be true or false, found 5"]);
  expect(problemsOf(schema, { tls: { ca: 5 } })).toEqual(["tls.ca: must be a text, found 5; put it in quotes"]);
  expect(problemsOf(schema, { tls: { ca: "a", kye: "b" } })).toEqual(['tls.kye: unknown key, did you mean "key"?']);
});

it("says what a number must be", () => {
  const schema = z.strictObject({ n: whole(1, 9) });
  expect(problemsOf(schema, { n: "7" })).toEqual([]);
  expect(problemsOf(schema, { n: 1.5 })).toEqual(["n: must be a whole number from 1 to 9, found 1.5"]);
  expect(problemsOf(schema, {})).toEqual(["n: is required"]);
  expect(problemsOf(schema, { n: [] })).toEqual(["n: must be a whole number from 1 to 9, found a list"]);
});

it("names places as people write them", () => {
  expect(pathText(["tables", 0, "columns", "a b"])).toBe("tables[0].columns.a b");
});
