import { FrazilError } from "../errors.ts";
import { MAX_VARIANT_DEPTH } from "../limits.ts";
import { corruptVariant, textOf } from "./corrupt.ts";
import { Basic, containerAt, elementAt, fieldIdAt, Primitive, valueEnd } from "./layout.ts";
import type { VariantNames } from "./names.ts";

const MAX_SCALE = 38;

/**
 * Walks a whole value: afterwards all its lengths, offsets, ids and texts are known to be right. Takes time and stack in proportion to the
 * bytes, whatever they say: elements may not overlap.
 *
 * @throws FrazilError kind `corrupt` naming the byte; `unsupported` for a type that came after version 1
 */
export function checkValue(bytes: Uint8Array, names: VariantNames): void {
  const end = valueEnd(bytes, 0, bytes.length);
  if (end !== bytes.length)
    throw corruptVariant("value", end, "the end of the value", `${bytes.length - end} bytes more`);
  check(bytes, 0, end, names, 1);
}

/** Of the value from `at` to `end`, as `valueEnd` gave it. */
function check(bytes: Uint8Array, at: number, end: number, names: VariantNames, depth: number): void {
  const head = bytes[at] as number;
  switch (head & 3) {
    case Basic.shortString:
      textOf("value", bytes, at + 1, end);
      return;
    case Basic.object:
    case Basic.array:
      if (depth > MAX_VARIANT_DEPTH) {
        const message = `byte ${at} of the value: expected at most ${MAX_VARIANT_DEPTH} levels of objects and arrays, found more`;
        throw new FrazilError("corrupt", "VARIANT_DEPTH", message);
      }
      checkContainer(bytes, at, end, names, depth);
      return;
    default:
      checkPrimitive(bytes, at, end);
  }
}

function checkPrimitive(bytes: Uint8Array, at: number, end: number): void {
  const id = (bytes[at] as number) >> 2;
  if (id === Primitive.string) textOf("value", bytes, at + 5, end);
  if (id !== Primitive.decimal4 && id !== Primitive.decimal8 && id !== Primitive.decimal16) return;
  const scale = bytes[at + 1] as number;
  if (scale > MAX_SCALE) throw corruptVariant("value", at + 1, `a scale of at most ${MAX_SCALE}`, String(scale));
}

function checkContainer(bytes: Uint8Array, at: number, limit: number, names: VariantNames, depth: number): void {
  const layout = containerAt(bytes, at, limit);
  const { count, dataAt, end } = layout;
  // First by their own lengths: elements that share bytes could take exponential time to walk.
  let total = 0;
  for (let k = 0; k < count; k++) {
    const start = elementAt(bytes, layout, k);
    total += valueEnd(bytes, start, end) - start;
    if (total > end - dataAt) {
      throw corruptVariant("value", at, `elements of ${end - dataAt} bytes together`, "elements that overlap");
    }
  }
  if (((bytes[at] as number) & 3) === Basic.object) checkNames(bytes, at, limit, names);
  for (let k = 0; k < count; k++) {
    const start = elementAt(bytes, layout, k);
    check(bytes, start, valueEnd(bytes, start, end), names, depth + 1);
  }
}

/** Every field has a name, and none has that of another. Their order is not relied on: Java's is by UTF-16 units, the format's by bytes. */
function checkNames(bytes: Uint8Array, at: number, limit: number, names: VariantNames): void {
  const layout = containerAt(bytes, at, limit);
  const seen = new Set<string>();
  for (let k = 0; k < layout.count; k++) {
    const id = fieldIdAt(bytes, layout, k);
    const name = names.name(id);
    const idAt = layout.idsAt + k * layout.idWidth;
    if (name === undefined) throw corruptVariant("value", idAt, `a field id below ${names.size}`, String(id));
    if (seen.has(name)) throw corruptVariant("value", idAt, "a field once", `a second ${JSON.stringify(name)}`);
    seen.add(name);
  }
}
