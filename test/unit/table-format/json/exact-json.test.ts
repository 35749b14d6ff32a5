import fc from "fast-check";
import { expect, test } from "vitest";
import { type ElementReader, jsonText, parseJson } from "../../../../table-format/json/exact-json.ts";
import { type JsonReader, jsonReader, readInt64 } from "../../../../table-format/json/json-reader.ts";
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

test("reads bytes as it reads the text that they encode, and says where they are no UTF-8", () => {
  fc.assert(
    fc.property(json, (value) => {
      const text = jsonText(value);
      expect(parseJson(new TextEncoder().encode(`\ufeff${text}`))).toEqual(parseJson(text));
    }),
  );
  const broken = Uint8Array.of(...new TextEncoder().encode('{"a":"ü'), 0xc3, ...new TextEncoder().encode('"}'));
  expect(() => parseJson(broken)).toThrow(/^offset 5: expected UTF-8, found /);
  expect(() => parseJson(Uint8Array.of(0x5b, 0xc3, 0xbc, 0x5d))).toThrow(/^offset 1: expected a value/);
});

test("elements that a reader makes something of stand as that in their array, the others as always", () => {
  const small = (reader: JsonReader) => {
    const value = readInt64(reader);
    return value === null ? null : { value };
  };
  const elements = new Map([
    ["numbers", small],
    ["inside", new Map([["more", small]])],
  ] as [string, ElementReader][]);
  const text = '{"numbers":[1, -2 ,[3],"x"],"more":[4],"inside":{"more":[5],"numbers":[6]},"other":{"numbers":[7]}}';
  expect(parseJson(text, elements)).toEqual({
    numbers: [{ value: 1n }, -2n, [3n], "x"],
    more: [4n],
    inside: { more: [{ value: 5n }], numbers: [6n] },
    other: { numbers: [7n] },
  });
  expect(parseJson('{"numbers":{"more":[1]}}', elements)).toEqual({ numbers: { more: [1n] } });
  expect(() => parseJson('{"numbers":[1 2]}', elements)).toThrow(/offset 14/);
});

test("int64 is read to the last digit, and nothing else as such", () => {
  const read = (text: string): bigint | null => readInt64(jsonReader(text));
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (value) => {
      expect(read(`${value},`)).toBe(value);
    }),
  );
  for (const value of [0n, 9n, 10n ** 15n - 1n, 10n ** 15n, 10n ** 18n, 2n ** 32n * 10n ** 9n, 2n ** 63n - 1n]) {
    expect(read(String(value))).toBe(value);
  }
  for (const other of [
    String(2n ** 63n),
    "9999999999999999999",
    "10000000000000000000",
    "01",
    "1.0",
    "1e3",
    "-1",
    "x",
    "",
  ])
    expect(read(other)).toBeNull();
});

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
