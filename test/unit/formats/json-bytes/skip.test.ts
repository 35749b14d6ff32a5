import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonFault } from "../../../../src/formats/json-bytes/fault.ts";
import { findMember, keyText } from "../../../../src/formats/json-bytes/members.ts";
import { MAX_DEPTH, skipSpace, skipValue } from "../../../../src/formats/json-bytes/skip.ts";

const utf8 = new TextEncoder();

/** Whether the whole text is one JSON value, by our reader. */
function accepts(text: string): boolean {
  const bytes = utf8.encode(text);
  try {
    const start = skipSpace(bytes, 0, bytes.length);
    return skipSpace(bytes, skipValue(bytes, start, bytes.length), bytes.length) === bytes.length;
  } catch (error) {
    if (error instanceof JsonFault) return false;
    throw error;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON with a few characters dropped, doubled or replaced. */
const broken = fc
  .tuple(
    fc.json({ maxDepth: 3 }),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'{}[]",:\\0123e-.tfnu \n'.split("")), fc.nat(2))),
  )
  .map(([text, edits]) =>
    edits.slice(0, 3).reduce((edited, [at, char, kind]) => {
      const k = at % (edited.length + 1);
      return edited.slice(0, k) + (kind === 0 ? "" : char) + edited.slice(kind === 2 ? k : k + 1);
    }, text),
  );

describe("skipValue", () => {
  it("accepts exactly what JSON.parse accepts", () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.oneof(fc.json(), broken), (text) => {
        const valid = isJson(text);
        if (!valid) refused++;
        expect(accepts(text)).toBe(valid);
      }),
      { numRuns: 4000 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  it.each([
    "01",
    "-",
    "-01",
    "1.",
    ".5",
    "1e",
    "1e+",
    "+1",
    "tru",
    "nul",
    "nulL",
    "Infinity",
    "NaN",
    '"a',
    '"\u0001"',
    '"\\x"',
    '"\\u12g4"',
    "[1,]",
    "[1 2]",
    "[1}",
    '{"a":1]',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    "{a:1}",
    "",
    "]",
    "1 2",
  ])("refuses %s", (text) => {
    expect(accepts(text)).toBe(false);
    expect(isJson(text)).toBe(false);
  });

  it("does not look past the end of its message", () => {
    const bytes = utf8.encode('[1,23]"abc"');
    for (const end of [1, 2, 3, 4, 5, 7, 8, 10]) {
      expect(() => skipValue(bytes, end > 6 ? 6 : 0, end)).toThrow(JsonFault);
    }
    const literal = utf8.encode("nulltrue");
    expect(() => skipValue(literal, 0, 3)).toThrow(JsonFault);
    expect(() => skipValue(literal, 4, 7)).toThrow(JsonFault);
  });

  it("caps the depth", () => {
    expect(accepts("[".repeat(MAX_DEPTH) + "]".repeat(MAX_DEPTH))).toBe(true);
    expect(accepts("[".repeat(MAX_DEPTH + 1) + "]".repeat(MAX_DEPTH + 1))).toBe(false);
    expect(accepts("[".repeat(1_000_000))).toBe(false);
  });
});

describe("findMember", () => {
  it("finds what JSON.parse finds", () => {
    const name = fc.constantFrom("id", "i", "name", 'q"uote', "ü", "");
    const object = fc.uniqueArray(fc.tuple(name, fc.jsonValue({ maxDepth: 2 })), { selector: ([key]) => key });
    fc.assert(
      fc.property(object, name, fc.constantFrom(undefined, 1, "\t"), (members, wanted, indent) => {
        const bytes = utf8.encode(JSON.stringify(Object.fromEntries(members), null, indent));
        const at = findMember(bytes, 0, bytes.length, keyText(wanted));
        const member = members.find(([key]) => key === wanted);
        if (member === undefined) {
          expect(at).toBe(-1);
        } else {
          const text = new TextDecoder().decode(bytes.subarray(at, skipValue(bytes, at, bytes.length)));
          expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(member[1])));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
