// Types that nest, and values of them, for tests of anything that takes columns apart or puts them together.
import fc from "fast-check";
import type { Cell, CellStruct, PrimitiveType, Type } from "../../table-format/index.ts";
import type { Dice } from "./fuzz/mutate.ts";
import { list, map, struct } from "./nested-types.ts";
import { POOLS } from "./random-values.ts";

/** A type of at most `depth` levels above its leaves; ids are for `newSchema` to give. */
export function anyType(leaf: fc.Arbitrary<PrimitiveType>, depth: number): fc.Arbitrary<Type> {
  if (depth === 0) return leaf;
  const below = anyType(leaf, depth - 1);
  const parts = fc.array(fc.tuple(fc.boolean(), below), { minLength: 1, maxLength: 3 });
  return fc.oneof(
    leaf,
    parts.map((all) => struct(...all.map(([required, type], k) => [`p${k}`, type, required] as const))),
    fc.tuple(fc.boolean(), below).map(([required, element]) => list(element, required)),
    fc.tuple(fc.boolean(), below, below).map(([required, key, value]) => map(key, value, required)),
  );
}

/** Values of a type; `valueOf` gives those of its leaves. */
export function anyCell(
  type: Type,
  required: boolean,
  valueOf: (type: PrimitiveType) => fc.Arbitrary<Cell>,
): fc.Arbitrary<Cell | null> {
  const present = anyPresent(type, valueOf);
  return required ? present : fc.option(present, { nil: null, freq: 3 });
}

function anyPresent(type: Type, valueOf: (type: PrimitiveType) => fc.Arbitrary<Cell>): fc.Arbitrary<Cell> {
  switch (type.kind) {
    case "struct":
      return fc
        .tuple(...type.fields.map((each) => anyCell(each.type, each.required, valueOf)))
        .map((values): CellStruct => {
          return Object.fromEntries(type.fields.map(({ name }, k) => [name, values[k] as Cell | null]));
        });
    case "list":
      return fc.array(anyCell(type.element, type.elementRequired, valueOf), { maxLength: 3 });
    case "map": {
      const pair = fc.tuple(anyCell(type.key, true, valueOf), anyCell(type.value, type.valueRequired, valueOf));
      return fc.array(pair, { maxLength: 3 });
    }
    case "variant":
      throw new Error("no values of a variant");
    default:
      return valueOf(type);
  }
}

/**
 * A random nested type that the independent readers know, keys of maps among those that all of them compare alike. Parts of structs are
 * optional: PyArrow cannot cast a struct that is null and has a required part, nor can what is built on it.
 */
export function randomNested(dice: Dice, depth: number, kinds: (type: PrimitiveType) => boolean): Type {
  if (depth === 0) return dice.pick(POOLS.map(([type]) => type).filter(kinds));
  switch (dice.below(4)) {
    case 0: {
      const required = dice.below(3) === 0;
      return list(randomNested(dice, depth - 1, kinds), required);
    }
    case 1: {
      const key: PrimitiveType = { kind: dice.pick(["string", "long", "int"] as const) };
      const value = randomNested(dice, depth - 1, kinds);
      return map(key, value, dice.below(3) === 0);
    }
    default: {
      const length = 1 + dice.below(3);
      return struct(
        ...Array.from({ length }, (_, k) => [`p${k}`, randomNested(dice, dice.below(depth), kinds)] as const),
      );
    }
  }
}

/** A random value of such a type, often null where it may be; the keys of a map differ. */
export function randomCell(type: Type, required: boolean, dice: Dice): Cell | null {
  if (!required && dice.below(4) === 0) return null;
  switch (type.kind) {
    case "struct":
      return Object.fromEntries(type.fields.map((each) => [each.name, randomCell(each.type, each.required, dice)]));
    case "list":
      return Array.from({ length: dice.below(4) }, () => randomCell(type.element, type.elementRequired, dice));
    case "map": {
      const keys = poolOf(type.key as PrimitiveType).slice(0, dice.below(4));
      return keys.map((key) => [key, randomCell(type.value, type.valueRequired, dice)]);
    }
    case "variant":
      throw new Error("no values of a variant");
    default:
      return dice.pick(poolOf(type));
  }
}

function poolOf(type: PrimitiveType): readonly Cell[] {
  const text = JSON.stringify(type);
  const found = POOLS.find(([each]) => JSON.stringify(each) === text);
  if (found === undefined) throw new Error(`no values of ${text}`);
  return found[1];
}
