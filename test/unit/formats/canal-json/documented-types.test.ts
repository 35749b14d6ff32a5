import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parseMysqlType } from "../../../../src/formats/canal-json/mysql-type.ts";
import { typeText } from "../../../../table-format/index.ts";

const PAGE = readFileSync(new URL("../../../../docs/formats.md", import.meta.url), "utf8");
const section = PAGE.split("### Types that `mysqlType` declares\n")[1]?.split("\n- ")[0] ?? "";
const rows = section
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .slice(2)
  .flatMap((line) => {
    const [types = "", expected = ""] = line.split("|").slice(1, 3);
    const names = [...types.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string);
    return names
      .filter((name) => name !== "unsigned")
      .map((name) => [name, expected.trim().replaceAll("`", "")] as const);
  });

it("documents types", () => expect(rows.length).toBeGreaterThan(25));

it.each(rows)("%s is %s, as docs/formats.md says", (name, expected) => {
  const { type } = parseMysqlType(name);
  expect(type === null ? null : typeText(type)).toBe(expected);
});
