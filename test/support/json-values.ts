import fc from "fast-check";

/** A value as a producer writes it, and as DuckDB must give it back: see `READ_AS`. */
export interface SentValue {
  /** The value's JSON text. */
  readonly json: string;
  readonly read: string;
}

/** A type, the values that it must take, and JSON texts that it must refuse. */
export interface ValueCase {
  readonly name: string;
  /** The Iceberg type that the table then has. */
  readonly type: string;
  readonly sent: fc.Arbitrary<SentValue>;
  readonly refused: fc.Arbitrary<string>;
  /** The field's Connect schema, where the message declares it. */
  readonly schema?: Readonly<Record<string, unknown>>;
}

const utf8 = (text: string): string => Buffer.from(text).toString("hex").toUpperCase();

/** The integers from `min` to `max`, their ends and zero often among them. */
export function integers(min: bigint, max: bigint): fc.Arbitrary<bigint> {
  const edges = [min, min + 1n, -1n, 0n, 1n, 9_007_199_254_740_993n, -9_007_199_254_740_993n, max - 1n, max];
  const inside = edges.filter((edge) => edge >= min && edge <= max);
  return fc.oneof(fc.constantFrom(...inside), fc.bigInt({ min, max }));
}

export const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };
export const INT32 = { min: -(2n ** 31n), max: 2n ** 31n - 1n };
/** DuckDB's own range: one day less at the ends, which it takes for the infinities. */
export const DAYS = { min: -2_147_483_646n, max: 2_147_483_646n };
export const MICROS = { min: -9_223_372_022_400_000_000n, max: 2n ** 63n - 2n };
export const NANOS = { min: -9_223_286_400_000_000_000n, max: 2n ** 63n - 2n };
export const DAY_US = 86_400_000_000n;

/** JSON that is no number and no text. */
export const notScalar = fc.constantFrom("[]", "{}", '{"a":1}', "[1]");
/** JSON numbers that are no integers of 64 bits. */
export const notInt64 = fc.oneof(
  fc.constantFrom("1.5", "1.0", "1e3", "1E400", "-0.1", "9223372036854775808", "-9223372036854775809"),
  fc.bigInt({ min: 2n ** 63n, max: 10n ** 60n }).map(String),
  notScalar,
);

export function plainIntegers(range: { readonly min: bigint; readonly max: bigint }): fc.Arbitrary<SentValue> {
  return integers(range.min, range.max).map((value) => ({ json: String(value), read: String(value) }));
}

/** Decimals of `scale`, as text with all of its digits. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}

export function unscaled(precision: number): fc.Arbitrary<bigint> {
  const limit = 10n ** BigInt(precision) - 1n;
  return fc.oneof(
    integers(-limit, limit),
    fc.integer({ min: 0, max: precision }).map((n) => 10n ** BigInt(n) - 1n),
  );
}

/** As numbers, as texts, with an exponent, and with more zeros than the scale asks for. */
export function plainDecimals(precision: number, scale: number): fc.Arbitrary<SentValue> {
  return fc.tuple(unscaled(precision), fc.integer({ min: 0, max: 4 })).map(([value, form]) => {
    const read = decimalText(value, scale);
    const zeros = scale === 0 ? `${read}.000` : `${read}000`;
    const json = [read, `"${read}"`, `${value}e-${scale}`, zeros, `"${zeros}"`][form] as string;
    return { json, read };
  });
}

/** Big-endian two's complement in as few bytes as hold the value, in base64: Connect's Decimal. */
export function base64Unscaled(value: bigint): string {
  let bytes = 1;
  while (BigInt.asIntN(bytes * 8, value) !== value) bytes++;
  return Buffer.from(
    BigInt.asUintN(bytes * 8, value)
      .toString(16)
      .padStart(bytes * 2, "0"),
    "hex",
  ).toString("base64");
}

export function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Object.is(value, -0) ? "-0" : String(value);
}

const doubleEdges = [
  0,
  -0,
  1e308,
  -1e308,
  5e-324,
  -5e-324,
  2.2250738585072014e-308,
  0.1,
  2 ** 53 + 2,
  1.7976931348623157e308,
];

/** Doubles by their shortest text, by more digits than they need, and those that JSON cannot write as numbers. */
export const doubles: fc.Arbitrary<SentValue> = fc
  .tuple(fc.oneof(fc.constantFrom(...doubleEdges), fc.double()), fc.boolean())
  .map(([value, long]) => {
    if (!Number.isFinite(value)) return { json: `"${value}"`, read: numberText(value) };
    const text = long ? value.toExponential(20) : String(value);
    return { json: Object.is(value, -0) ? "-0.0" : text, read: numberText(value) };
  });

const floatEdges = [0, -0, 3.4028234663852886e38, 1.401298464324817e-45, -1.1754943508222875e-38, Math.fround(0.1)];

export const floats: fc.Arbitrary<SentValue> = fc.oneof(fc.constantFrom(...floatEdges), fc.float()).map((value) => {
  if (!Number.isFinite(value)) return { json: `"${value}"`, read: numberText(value) };
  return { json: Object.is(value, -0) ? "-0.0" : String(value), read: numberText(value) };
});

const texts = fc.oneof(
  fc.constantFrom(
    "",
    "\0",
    "a\0b",
    "🧊",
    "\u{10ffff}",
    "\ufeff",
    "\uffff",
    '"\\/\b\f\n\r\t',
    "é",
    "é",
    "__proto__",
    "null",
  ),
  fc.constant("__debezium_unavailable_value"),
  fc.string({ unit: "binary" }),
  fc.string({ unit: "binary", minLength: 200, maxLength: 2000 }),
);

/** Texts with as few escapes as JSON allows, and with nothing but escapes. */
export const strings: fc.Arbitrary<SentValue> = fc.tuple(texts, fc.boolean()).map(([text, escaped]) => {
  const units = Array.from({ length: text.length }, (_, k) => text.charCodeAt(k).toString(16).padStart(4, "0"));
  return { json: escaped ? `"${units.map((unit) => `\\u${unit}`).join("")}"` : JSON.stringify(text), read: utf8(text) };
});

/** Halves of surrogate pairs, which UTF-8 cannot hold, and bytes that JSON does not allow inside of a text. */
export const brokenStrings = fc.constantFrom(
  '"\\ud800"',
  '"a\\udc00b"',
  '"\\ud83e\\ud83e"',
  '"\u0001"',
  '"\\x"',
  '"\\u12"',
);

/** Any JSON as the text that it is. */
export const jsonAsText: fc.Arbitrary<SentValue> = fc.oneof(
  strings,
  fc
    .constantFrom("12345678901234567890.10", "-0.0", "1E+400", "true", '{"a": [1.0, "é"]}', "[]")
    .map((json) => ({ json, read: utf8(json) })),
);

export function binaries(minLength: number, maxLength: number): fc.Arbitrary<SentValue> {
  return fc.uint8Array({ minLength, maxLength }).map((value) => {
    const bytes = Buffer.from(value);
    return { json: `"${bytes.toString("base64")}"`, read: bytes.toString("hex").toUpperCase() };
  });
}

export const notBase64 = fc.oneof(fc.constantFrom('"?"', '"A"', '"AAAAA"', '"é"', '"AA=A"', "1"), notScalar);

export const uuids: fc.Arbitrary<SentValue> = fc
  .tuple(fc.uuid(), fc.integer({ min: 0, max: 2 }))
  .map(([read, form]) => ({
    json: `"${[read, read.toUpperCase(), read.replaceAll("-", "")][form]}"`,
    read,
  }));

export const notUuids = fc.oneof(
  fc.constantFrom('""', '"00000000-0000-0000-0000-00000000000"', '"00000000-0000-0000-0000-00000000000g"', "1"),
  notScalar,
);
