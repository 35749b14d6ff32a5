import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonFault } from "../../../../src/formats/json-bytes/fault.ts";
import { checkUtf8, readString, stringAt } from "../../../../src/formats/json-bytes/strings.ts";
import { BytesBuilder } from "../../../../table-format/index.ts";
import { plainValue } from "../../../support/batch-rows.ts";

const utf8 = new TextEncoder();

/** A string as JSON, each character escaped or not as the numbers say. */
function escaped(text: string, choices: readonly number[]): string {
  let out = "";
  for (let k = 0; k < text.length; k++) {
    const unit = text.charCodeAt(k);
    const choice = choices[k % choices.length] as number;
    // Half of a pair cannot stand unescaped beside an escaped half.
    const half = unit >= 0xd800 && unit <= 0xdfff;
    const digits = unit.toString(16).padStart(4, "0");
    if (choice === 0 && !half) out += JSON.stringify(text[k]).slice(1, -1);
    else out += `\\u${choice === 1 ? digits : digits.toUpperCase()}`;
  }
  return `"${out}"`;
}

describe("readString", () => {
  it("unescapes as JSON.parse does", () => {
    const unit = fc.oneof(
      fc.constantFrom("a", '"', "\\", "/", "\n", "\u0000"),
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    );
    const text = fc.string({ unit, maxLength: 40 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(2), { minLength: 1 }), (value, choices) => {
        const json = escaped(value, choices);
        const bytes = utf8.encode(`${json},`);
        expect(JSON.parse(json)).toBe(value);
        const builder = new BytesBuilder({ kind: "string" });
        expect(readString(bytes, 0, bytes.length, builder)).toBe(bytes.length - 1);
        expect(plainValue(builder.finish(), 0)).toBe(value);
        expect(stringAt(bytes, 0, bytes.length)).toBe(value);
      }),
      { numRuns: 2000 },
    );
  });

  it("copies characters of every length unescaped", () => {
    const bytes = utf8.encode('"aé€😀\u{10ffff}\ud7ff\ue000"');
    expect(stringAt(bytes, 0, bytes.length)).toBe("aé€😀\u{10ffff}\ud7ff\ue000");
  });

  it.each([
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\ud800x"',
    '"\\ud83d\\u0041"',
    '"\\u12"',
    '"\\"',
    '"abc',
    '"\u001f"',
    '"\\a"',
  ])("refuses %s", (json) => {
    const bytes = utf8.encode(json);
    expect(() => stringAt(bytes, 0, bytes.length)).toThrow(JsonFault);
  });

  it("refuses exactly the UTF-8 that TextDecoder refuses", () => {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const byte = fc.oneof(
      fc.constantFrom(0x41, 0x80, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0x9f, 0xa0, 0xed, 0xef, 0xf0, 0x8f, 0x90, 0xf4, 0xf5),
      fc.nat(255),
    );
    let valid = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5 }), fc.array(byte, { maxLength: 5 }), (random, shaped) => {
        for (const content of [random, Uint8Array.from(shaped)]) {
          let expected = true;
          try {
            strict.decode(content);
            valid++;
          } catch {
            expected = false;
          }
          const check = () => checkUtf8(content, 0, content.length);
          if (expected) expect(check).not.toThrow();
          else expect(check).toThrow(JsonFault);
        }
      }),
      { numRuns: 5000 },
    );
    expect(valid).toBeGreaterThan(100);
  });
});
