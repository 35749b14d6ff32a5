import fc from "fast-check";
import { expect, it } from "vitest";
import { cutStatements } from "../../../src/query/statements.ts";

it.each([
  ["SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"], false],
  ["SELECT 1", [], true],
  ["SELECT ';', 'it''s;';", ["SELECT ';', 'it''s;'"], false],
  [`SELECT 1 AS "a;""b";`, [`SELECT 1 AS "a;""b"`], false],
  ["SELECT $$a;b$$, $x$;$$;$x$;", ["SELECT $$a;b$$, $x$;$$;$x$"], false],
  ["-- a;b\nSELECT 1; -- rest", ["-- a;b\nSELECT 1"], false],
  ["SELECT /* ; */ 1; /* not closed ;", ["SELECT /* ; */ 1"], false],
  ["SELECT 'not closed ;", [], true],
  ["SELECT 5 - 3 / 2 * $1;", ["SELECT 5 - 3 / 2 * $1"], false],
  [";;  ;", [], false],
] as const)("cuts %j", (text, statements, open) => {
  expect(cutStatements(text)).toMatchObject({ statements, open });
});

it("gives the same statements line by line as at once", () => {
  const piece = fc.constantFrom("SELECT", " ", "\n", ";", "'", '"', "--", "/*", "*/", "$$", "$a$", "x", "1");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = `${pieces.join("")}\n`;
      const whole = cutStatements(text);
      const found: string[] = [];
      let typed = "";
      for (const line of text.split("\n").slice(0, -1)) {
        const { statements, rest } = cutStatements(`${typed}${line}\n`);
        found.push(...statements);
        typed = rest;
      }
      expect({ found, typed }).toEqual({ found: [...whole.statements], typed: whole.rest });
    }),
  );
});
