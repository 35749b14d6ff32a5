import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonText, parseJson } from "../../../../table-format/json/exact-json.ts";
import { JsonFields } from "../../../../table-format/json/fields.ts";
import type { JsonValue } from "../../../../table-format/metadata/table-metadata.ts";

const { json } = fc.letrec<{ json: JsonValue }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.bigInt(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: "binary" }),
    fc.array(tie("json")),
    fc.dictionary(fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("__proto__", "constructor")), tie("json")),
  ),
}));

test("parse is the inverse of print, to the last digit and key", () => {
  fc.assert(
    fc.property(json, (value) => {
      expect(jsonText(parseJson(jsonText(value)))).toBe(jsonText(value));
    }),
  );
});

test("agrees with JSON.parse where that is exact", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      expect(JSON.parse(jsonText(parseJson(text)))).toEqual(JSON.parse(text));
    }),
  );
});

test("accepts and refuses the texts that JSON.parse accepts and refuses", () => {
  const piece = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    '"a"',
    "1",
    "-",
    "0",
    ".5",
    "e3",
    "true",
    "nul",
    "\\",
    " ",
    "\n",
    "\u0001",
    "\\u12",
  );
  const accepts = (parse: (text: string) => unknown, text: string): boolean => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join("");
      expect(accepts(parseJson, text), text).toBe(accepts(JSON.parse, text));
    }),
    { numRuns: 3000 },
  );
});

test("integers beyond 2^53 survive, fractions stay numbers", () => {
  const text = '{"snapshot-id":9223372036854775807,"ratio":0.1,"whole":1.0,"exponent":1e+30}';
  expect(parseJson(text)).toEqual({ "snapshot-id": 9223372036854775807n, ratio: 0.1, whole: 1, exponent: 1e30 });
  expect(jsonText(parseJson(text))).toBe(text);
});

const partsOf = (text: string): [unknown, unknown][] =>
  [null, { within: "snapshots", key: "summary" }].map((deferred) => {
    const document = new JsonFields(parseJson(text, deferred), "");
    const entries = document
      .objects("snapshots")
      .map((fields) => [fields.get("other"), outcomeOf(() => fields.stringsLater("summary")())]);
    return [entries, document.get("summary")];
  });

test("objects of strings that are left as text are read as they stand, and all else as always", () => {
  const strings = fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }));
  const below = fc.array(fc.dictionary(fc.constantFrom("summary", "other"), fc.oneof(strings, json)));
  fc.assert(
    fc.property(below, json, (snapshots, summary) => {
      const [whole, parts] = partsOf(jsonText({ snapshots, summary }));
      expect(parts).toEqual(whole);
    }),
  );
  const [whole, parts] = partsOf(
    '{ "snapshots" : [ { "summary" : { "a" : "\\"b\\\\" , "c":"" } , "other":{} } ], "summary": { "a": "b" } }',
  );
  expect(parts).toEqual(whole);
});

function outcomeOf(read: () => ReadonlyMap<string, string>): unknown {
  try {
    return [...read()];
  } catch (error) {
    return (error as Error).message;
  }
}

test("a key named __proto__ is data", () => {
  const value = parseJson('{"__proto__":{"polluted":true}}') as Record<string, JsonValue>;
  expect(Object.keys(value)).toEqual(["__proto__"]);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test.each([
  ["deep nesting", `${"[".repeat(5000)}${"]".repeat(5000)}`, /nesting of at most/],
  ["an endless integer", "1".repeat(100_000), /at most 400 digits/],
  ["a number beyond double", "1e999", /range of a double/],
  ["a cut text", '{"a": [1, 2', /offset 11: expected "," or "\]", found the end/],
  ["trailing text", "{} x", /offset 3: expected the end/],
])("refuses %s", (_name, text, message) => {
  expect(() => parseJson(text)).toThrow(message);
});

test("reads strings of many megabytes", () => {
  const long = `${"x".repeat(8_000_000)}\\n${"y".repeat(8_000_000)}`;
  expect((parseJson(`"${long}"`) as string).length).toBe(16_000_001);
});
