import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { encodeValue, type PrimitiveType, ThetaSketch, type Value } from "../../../table-format/index.ts";

const golden = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(`${name}.bin`, import.meta.url)));

function sketchOf(type: PrimitiveType, values: readonly Value[]): ThetaSketch {
  const sketch = new ThetaSketch();
  // Twice: only distinct values count.
  for (const value of [...values, ...values]) sketch.update(encodeValue(type, value));
  return sketch;
}

const text = (i: number): string => `value number ${i}${"x".repeat(i % 40)}`;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

it.each([
  ["empty", { kind: "long" }, []],
  ["one", { kind: "long" }, [7n]],
  ["longs", { kind: "long" }, range(300).map((i) => BigInt(7 * i - 100))],
  ["texts", { kind: "string" }, range(300).map(text)],
] as const)("writes the bytes that DataSketches writes: %s", (name, type, values) => {
  const sketch = sketchOf(type, values);
  expect(sketch.estimate()).toBe(BigInt(values.length));
  expect(sketch.compactBytes()).toEqual(golden(name));
});

it("keeps the same hashes when it estimates", () => {
  const sketch = sketchOf({ kind: "string" }, range(20_000).map(text));
  const hashesOf = (bytes: Uint8Array): bigint[] => {
    const view = new DataView(bytes.buffer);
    return range(view.getUint32(8, true)).map((i) => view.getBigUint64(24 + 8 * i, true));
  };
  const ours = sketch.compactBytes();
  const theirs = golden("estimated");
  const thetas = [ours, theirs].map((bytes) => new DataView(bytes.buffer).getBigUint64(16, true));
  expect(thetas[0]! > thetas[1]!).toBe(true);
  expect(hashesOf(ours).filter((hash) => hash < thetas[1]!)).toEqual(hashesOf(theirs));
  // Three standard errors.
  expect(Math.abs(Number(sketch.estimate()) - 20_000)).toBeLessThan(20_000 * 0.05);
});

it("takes no bytes for no value", () => {
  expect(sketchOf({ kind: "string" }, [""]).compactBytes()).toEqual(golden("empty"));
});
