// Values of variants, for tests of anything that holds them.
import fc from "fast-check";
import type { VariantValue } from "../../../../table-format/index.ts";

const signed = (bits: number): fc.Arbitrary<bigint> =>
  fc.bigInt({ min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n });
const bytes = (size: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: size, maxLength: size });
const text = fc.oneof(fc.string({ unit: "grapheme", maxLength: 8 }), fc.string({ minLength: 60, maxLength: 70 }));
const decimal = (kind: "decimal4" | "decimal8" | "decimal16", bits: number): fc.Arbitrary<VariantValue> =>
  fc.record({ kind: fc.constant(kind), unscaled: signed(bits), scale: fc.nat(38) });
const of = <K extends string, V>(kind: K, value: fc.Arbitrary<V>) => fc.record({ kind: fc.constant(kind), value });

const anyScalar: fc.Arbitrary<VariantValue> = fc.oneof(
  fc.constant<VariantValue>({ kind: "null" }),
  of("boolean", fc.boolean()),
  of("int8", signed(8)),
  of("int16", signed(16)),
  of("int32", signed(32)),
  of("int64", signed(64)),
  of("float", fc.float()),
  of("double", fc.double()),
  of("date", fc.integer()),
  decimal("decimal4", 32),
  decimal("decimal8", 64),
  decimal("decimal16", 128),
  of("time", fc.bigInt({ min: 0n, max: 86_399_999_999n })),
  of("timestamp", signed(64)),
  of("timestamptz", signed(64)),
  of("timestamp_ns", signed(64)),
  of("timestamptz_ns", signed(64)),
  of("string", text),
  of("binary", fc.uint8Array({ maxLength: 20 })),
  of("uuid", bytes(16)),
);

/** A value of at most `depth` levels of objects and arrays. */
export function anyVariantValue(depth: number): fc.Arbitrary<VariantValue> {
  if (depth === 0) return anyScalar;
  const below = anyVariantValue(depth - 1);
  return fc.oneof(
    anyScalar,
    fc.array(below, { maxLength: 4 }).map((items): VariantValue => ({ kind: "array", items })),
    fc
      .array(fc.tuple(text, below), { maxLength: 4 })
      .map((fields): VariantValue => ({ kind: "object", fields: new Map(fields) })),
  );
}
