import { expect, it } from "vitest";
import { interpolate } from "../../../src/config/interpolate.ts";

function run(text: string, env: Record<string, string> = {}): [string, string[]] {
  const problems: string[] = [];
  return [interpolate(text, env, (message) => problems.push(message)), problems];
}

it.each([
  ["plain", "plain"],
  ["${A}", "1"],
  ["x${A}y${B}", "x1y2"],
  ["${EMPTY}", ""],
  ["${EMPTY:-d}", "d"],
  ["${NONE:-}", ""],
  ["${NONE:-http://h:1/p?q}", "http://h:1/p?q"],
  ["${A:-d}", "1"],
  ["${A:?no}", "1"],
  ["$A $", "$A $"],
  ["${table} ${Mixed} ${}", "${table} ${Mixed} ${}"],
  // A value that looks like a variable is not looked up again.
  ["${NESTED}", "${A}"],
])("%s", (text, expected) => {
  const env = { A: "1", B: "2", EMPTY: "", NESTED: "${A}", table: "t" };
  expect(run(text, env)).toEqual([expected, []]);
});

it("says which variable is missing", () => {
  expect(run("${A}${B:?say B}${C:?}")[1]).toEqual([
    "environment variable A is not set; set it, or write ${A:-default}",
    "environment variable B is not set: say B",
    "environment variable C is not set",
  ]);
});
