import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64Room, decodeBase64 } from "../../../../src/formats/json-bytes/base64.ts";
import {
  appendDecimalText,
  appendUnscaledBytes,
  decimalText,
  parseDecimal,
  unscaledOfBytes,
} from "../../../../src/formats/json-bytes/decimals.ts";
import { doubleAt, doubleOfText } from "../../../../src/formats/json-bytes/doubles.ts";
import { JsonFault, ValueFault } from "../../../../src/formats/json-bytes/fault.ts";
import { int64At } from "../../../../src/formats/json-bytes/integers.ts";
import { uuidBytes } from "../../../../src/formats/json-bytes/uuids.ts";
import { I128Builder } from "../../../../table-format/index.ts";
import { plainValue } from "../../../support/batch-rows.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

const edges = [
  0n,
  1n,
  9n,
  10n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  10n ** 15n,
  10n ** 16n,
  10n ** 18n,
  2n ** 63n,
  2n ** 64n,
]
  .flatMap((edge) => [edge - 1n, edge, edge + 1n])
  .flatMap((edge) => [edge, -edge]);

describe("int64At", () => {
  const integer = fc.oneof(
    fc.constantFrom(...edges),
    fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.maxSafeInteger().map(BigInt),
  );

  it("is exact over the whole range and refuses what is beyond", () => {
    fc.assert(
      fc.property(integer, (value) => {
        const bytes = bytesOf(`${value},`);
        if (value !== BigInt.asIntN(64, value)) {
          expect(() => int64At(bytes, 0, bytes.length)).toThrow(ValueFault);
          return;
        }
        const words = int64At(bytes, 0, bytes.length);
        expect((BigInt(words.high) << 32n) | BigInt(words.low >>> 0)).toBe(value);
        expect(words.next).toBe(bytes.length - 1);
      }),
      { numRuns: 5000 },
    );
  });

  it.each(["1.0", "1e3", "12345678901234567890", "-9223372036854775809"])("refuses %s as a value", (text) => {
    expect(() => int64At(bytesOf(text), 0, text.length)).toThrow(ValueFault);
  });

  it.each(["-", "01", "-00", "-x"])("refuses %s as JSON", (text) => {
    expect(() => int64At(bytesOf(text), 0, text.length)).toThrow(JsonFault);
  });
});

describe("doubleAt", () => {
  it("gives the double that JSON.parse gives", () => {
    const text = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
      fc
        .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.nat(10 ** 9), fc.integer({ min: -330, max: 300 }))
        .map(([whole, fraction, exponent]) => `${whole}.${fraction}e${exponent}`),
      fc.tuple(fc.integer(), fc.nat(99_999)).map(([whole, fraction]) => `${whole}.${fraction}`),
      fc.bigInt({ min: 0n, max: 10n ** 25n }).map(String),
    );
    fc.assert(
      fc.property(text, (json) => {
        const expected = JSON.parse(json) as number;
        const bytes = bytesOf(json);
        if (!Number.isFinite(expected)) {
          expect(() => doubleAt(bytes, 0, bytes.length)).toThrow(ValueFault);
          return;
        }
        const read = doubleAt(bytes, 0, bytes.length);
        expect(Object.is(read.value[0], expected)).toBe(true);
        expect(read.next).toBe(bytes.length);
      }),
      { numRuns: 5000 },
    );
  });

  it.each(["-", "01", "1.", "1.e3", "1e", "-.5"])("refuses %s", (text) => {
    expect(() => doubleAt(bytesOf(text), 0, text.length)).toThrow(JsonFault);
  });

  it("reads quoted numbers", () => {
    const read = (text: string) => doubleOfText(bytesOf(text), 0, text.length);
    expect([read("1.5"), read("+2"), read("NaN"), read("-Infinity"), read("0x10"), read(""), read("1 ")]).toEqual([
      1.5,
      2,
      NaN,
      -Infinity,
      null,
      null,
      null,
    ]);
  });
});

describe("decimals", () => {
  /** What the column holds for a text, or the fault. */
  function read(text: string, precision: number, scale: number): unknown {
    const builder = new I128Builder({ kind: "decimal", precision, scale });
    try {
      appendDecimalText(bytesOf(text), 0, text.length, precision, scale, builder, 0);
    } catch (fault) {
      if (fault instanceof ValueFault) return "refused";
      throw fault;
    }
    return plainValue(builder.finish(), 0);
  }

  it("are exact, or refused", () => {
    const type = fc
      .integer({ min: 1, max: 38 })
      .chain((precision) => fc.tuple(fc.constant(precision), fc.nat(precision)));
    const digits = fc.oneof(
      fc.bigInt({ min: 0n, max: 10n ** 18n }),
      fc.bigInt({ min: 0n, max: 10n ** 40n }),
      fc.bigInt({ min: 0n, max: 9999n }),
    );
    const run = fc.property(
      type,
      digits,
      fc.nat(40),
      fc.constantFrom("", "-", "+"),
      fc.option(fc.integer({ min: -45, max: 45 }), { nil: null }),
      ([precision, scale], unscaled, fraction, sign, exponent) => {
        const plain = String(unscaled).padStart(fraction + 1, "0");
        const point = fraction === 0 ? plain : `${plain.slice(0, -fraction)}.${plain.slice(-fraction)}`;
        const text = `${sign}${point}${exponent === null ? "" : `e${exponent}`}`;
        // value = unscaled × 10^(exponent − fraction); wanted: value × 10^scale, as an integer.
        const shift = (exponent ?? 0) - fraction + scale;
        const scaled = shift >= 0 ? unscaled * 10n ** BigInt(shift) : unscaled / 10n ** BigInt(-shift);
        const exact = shift >= 0 || unscaled % 10n ** BigInt(-shift) === 0n;
        const expected =
          exact && scaled < 10n ** BigInt(precision) ? `${sign === "-" ? -scaled : scaled}e-${scale}` : "refused";
        expect(read(text, precision, scale)).toBe(expected);
      },
    );
    fc.assert(run, { numRuns: 5000 });
  });

  it.each(["", "-", ".", "1.2.3", "1e", "NaN", "1,5", " 1", "1 ", "0x1", "1e999999999", "--1"])("refuse %j", (text) => {
    expect(read(text, 38, 2)).toBe("refused");
  });

  it("take digits without a leading zero, and zero in any form", () => {
    expect([read(".5", 3, 1), read("5.", 3, 1), read("0e9999", 3, 1), read("-0.0", 3, 1)]).toEqual([
      "5e-1",
      "50e-1",
      "0e-1",
      "0e-1",
    ]);
  });

  it("read two's complement bytes of every length", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 18 }), fc.integer({ min: 1, max: 38 }), (bytes, precision) => {
        const hex = Buffer.from(bytes).toString("hex");
        const expected = bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`));
        expect(unscaledOfBytes(bytes, 0, bytes.length)).toBe(expected);
        const builder = new I128Builder({ kind: "decimal", precision, scale: 0 });
        const append = () => appendUnscaledBytes(bytes, 0, bytes.length, precision, 0, builder, 0);
        const magnitude = expected < 0n ? -expected : expected;
        if (magnitude >= 10n ** BigInt(precision)) {
          expect(append).toThrow(ValueFault);
        } else {
          append();
          expect(plainValue(builder.finish(), 0)).toBe(`${expected}e-0`);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it("print what they parse", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), fc.nat(40), (unscaled, scale) => {
        const text = decimalText(unscaled, scale);
        expect(parseDecimal(bytesOf(text), 0, text.length)).toEqual({ unscaled, scale });
      }),
    );
    expect(decimalText(-5n, 2)).toBe("-0.05");
    expect(decimalText(12n, -2)).toBe("1200");
  });
});

describe("decodeBase64", () => {
  it("reads what Buffer writes, in both alphabets, padded or not", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom("base64", "base64url"),
        fc.boolean(),
        (content, alphabet, padded) => {
          let text = Buffer.from(content).toString(alphabet);
          if (padded) text = text.padEnd(Math.ceil(text.length / 4) * 4, "=");
          const out = new Uint8Array(base64Room(text.length));
          const end = decodeBase64(bytesOf(text), 0, text.length, out, 0, 0);
          expect(Buffer.from(out.subarray(0, end))).toEqual(Buffer.from(content));
        },
      ),
    );
  });

  it.each(["A", "AA=", "AAAAA", "A A=", "AA==AA==", "=", "AAA*", "AAA\u00e9"])("refuses %j", (text) => {
    const bytes = bytesOf(text);
    expect(() => decodeBase64(bytes, 0, bytes.length, new Uint8Array(64), 0, 0)).toThrow(ValueFault);
  });
});

describe("uuidBytes", () => {
  it("reads both forms", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.boolean(), fc.boolean(), (uuid, dashed, upper) => {
        const plain = uuid.replaceAll("-", "");
        const text = upper ? (dashed ? uuid : plain).toUpperCase() : dashed ? uuid : plain;
        const out = new Uint8Array(16);
        uuidBytes(bytesOf(text), 0, text.length, out, 0);
        expect(Buffer.from(out).toString("hex")).toBe(plain.toLowerCase());
      }),
    );
  });

  it.each([
    "",
    "abc",
    "123e4567-e89b-12d3-a456-42661417400g",
    "123e4567e-89b-12d3-a456-426614174000",
    `{${"0".repeat(34)}}`,
  ])("refuses %j", (text) => {
    expect(() => uuidBytes(bytesOf(text), 0, text.length, new Uint8Array(16), 0)).toThrow(ValueFault);
  });
});
