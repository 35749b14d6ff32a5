import fc from "fast-check";

/** Bytes as they come in files: noise, runs, and texts that repeat near and far. */
export const anyContent: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
  fc.tuple(fc.nat(255), fc.nat(70_000)).map(([byte, length]) => Buffer.alloc(length, byte)),
  fc
    .tuple(fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 30 }), fc.nat(2000), fc.nat(30))
    .map(([words, count, step]) =>
      Buffer.from(Array.from({ length: count }, (_, k) => words[(k * step) % words.length]).join(" ")),
    ),
);
