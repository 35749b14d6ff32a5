import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import type { ConnectSchema } from "../../../src/formats/debezium-json/connect-schema.ts";
import { declaredType } from "../../../src/formats/debezium-json/logical-types.ts";
import { typeText } from "../../../table-format/index.ts";

const PAGE = readFileSync(new URL("../../../docs/formats.md", import.meta.url), "utf8");
const section = PAGE.split("### Types that messages declare\n")[1]?.split("###")[0] ?? "";
const rows = section
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .slice(2)
  .map((line) =>
    line
      .split("|")
      .slice(1, 4)
      .map((cell) => cell.trim()),
  )
  .flatMap(([types = "", name = "", expected = ""]) =>
    types.split(", ").map((type) => [type.replaceAll("`", ""), name.replaceAll("`", ""), expected.replaceAll("`", "")]),
  );

it("documents types", () => expect(rows.length).toBeGreaterThan(25));

it.each(rows as [string, string, string][])("%s %s is %s, as docs/formats.md says", (type, name, expected) => {
  const parameters = new Map([
    ["scale", "2"],
    ["connect.decimal.precision", "18"],
  ]);
  const schema: ConnectSchema = {
    type,
    name: name === "" ? null : name,
    field: "a",
    optional: true,
    fallback: null,
    parameters,
    fields: [],
  };
  const declared = declaredType(schema);
  if (expected === "refused") expect(declared).toHaveProperty("refused");
  else if (expected.startsWith("decimal"))
    expect(declared).toMatchObject({ type: { kind: "decimal", precision: 18, scale: 2 } });
  else expect("type" in declared && typeText(declared.type)).toBe(expected);
});
