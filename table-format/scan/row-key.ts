import { valueKey } from "../partition/tuple.ts";
import { murmur3x64 } from "../puffin/murmur3-x64.ts";
import type { Type } from "../schema/types.ts";
import type { Value } from "../manifest/data-file.ts";
import type { Cell, CellStruct } from "../values/cell.ts";
import { variantKey } from "../variant/text.ts";
import type { Variant } from "../variant/variant.ts";

/** Longer keys are hashed: what is held of a row does not grow with its values. */
const LONGEST_KEY = 64;

const utf8 = new TextEncoder();
const words = new Uint32Array(2);

/**
 * A text that equal cells of one type share, and no others: maps whatever the order of their entries, bytes by their content, NaN equal to
 * NaN, zero not to negative zero, variants by what they hold.
 */
export function cellKey(type: Type, cell: Cell | null): string {
  if (cell === null) return "n";
  switch (type.kind) {
    case "struct":
      return `{${type.fields.map((field) => cellKey(field.type, (cell as CellStruct)[field.name] ?? null)).join("|")}}`;
    case "list":
      return `[${(cell as readonly (Cell | null)[]).map((item) => cellKey(type.element, item)).join("|")}]`;
    case "map": {
      const pairs = (cell as readonly (readonly [Cell, Cell | null])[]).map(
        ([key, value]) => `${cellKey(type.key, key)}=${cellKey(type.value, value)}`,
      );
      return `<${pairs.sort().join("|")}>`;
    }
    case "variant":
      return variantKey(cell as Variant);
    default:
      return valueKey(cell as Value);
  }
}

/** The key as it is when it is short, else 128 bits of hash of it. */
export function boundedKey(key: string): string {
  if (key.length <= LONGEST_KEY) return key;
  const bytes = utf8.encode(key);
  let text = "#";
  for (const seed of SEEDS) {
    murmur3x64(bytes, seed, words);
    for (const word of words) text += String.fromCharCode(word >>> 16, word & 0xffff);
  }
  return text;
}

/** Two hashes that have nothing to do with each other. */
const SEEDS = [0, 0x9747b28c];
