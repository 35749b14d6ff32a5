/** Numbers that follow from a seed: the same input comes back for the same seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  }

  /** A whole number from 0 to `end` - 1 (mulberry32). */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000) * end);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

const BYTES = [0x00, 0x01, 0x02, 0x7f, 0x80, 0xfe, 0xff];
/** Varints and fixed numbers at the ends of their ranges, in the forms that the formats use. */
const CHUNKS = [
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x80, 0x80, 0x80, 0x08],
  [0xff, 0xff, 0xff, 0x7f],
  [0x00, 0x00, 0x00, 0x80],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
];

/** A copy with one to four changes: bits, bytes and numbers overwritten, parts taken out, doubled or moved, the end cut off. */
export function mutateBytes(source: Uint8Array, dice: Dice): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer> = source.slice();
  for (let left = 1 + dice.below(4); left > 0 && bytes.length > 0; left--) bytes = changed(bytes, dice);
  return bytes;
}

function changed(bytes: Uint8Array<ArrayBuffer>, dice: Dice): Uint8Array<ArrayBuffer> {
  const at = dice.below(bytes.length);
  switch (dice.below(8)) {
    case 0:
    case 1:
      bytes[at] = (bytes[at] as number) ^ (1 << dice.below(8));
      return bytes;
    case 2:
    case 3:
      bytes[at] = dice.pick(BYTES);
      return bytes;
    case 4: {
      const chunk = dice.pick(CHUNKS);
      bytes.set(chunk.slice(0, bytes.length - at), at);
      return bytes;
    }
    case 5:
      return joined(bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + dice.below(8))));
    case 6: {
      const part = bytes.subarray(at, at + 1 + dice.below(16));
      return joined(bytes.subarray(0, at), part, bytes.subarray(at));
    }
    default:
      return dice.below(4) === 0
        ? bytes.slice(0, at)
        : joined(bytes.subarray(0, at), Uint8Array.from(dice.pick(CHUNKS)), bytes.subarray(at));
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** JSON texts that stand where others are expected. */
const TEXTS = [
  "null",
  "true",
  "-1",
  "0",
  "1",
  "1.5",
  "9223372036854775807",
  "-9223372036854775808",
  "99999999999999999999",
  "1e308",
  "2147483648",
  '""',
  '"main"',
  '"x"',
  '"decimal(99,1)"',
  '"fixed[999999999]"',
  '"bucket[0]"',
  '"truncate[2147483648]"',
  '"__proto__"',
  "[]",
  "{}",
  "[null]",
  '[{"id":1}]',
];

/** JSON text with one to three of its values replaced, removed, doubled, or swapped for another of its values. */
export function mutateJson(text: string, dice: Dice): string {
  // Numbers stay as they are written: a double would round them.
  const value = JSON.parse(text.replaceAll(/(?<=[:[,]\s*)-?\d{15,}/g, '"#$&"')) as unknown;
  const holders: { holder: Record<string, unknown> | unknown[]; key: string | number }[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    for (const key of Array.isArray(node) ? node.keys() : Object.keys(node)) {
      holders.push({ holder: node as never, key });
      visit((node as never)[key]);
    }
  };
  visit(value);
  for (let left = 1 + dice.below(3); left > 0; left--) {
    const { holder, key } = dice.pick(holders);
    const slots = holder as Record<string | number, unknown>;
    const other = dice.pick(holders);
    switch (dice.below(5)) {
      case 0:
        if (Array.isArray(holder)) holder.splice(key as number, 1);
        else delete slots[key];
        break;
      case 1:
        // A copy: values must not contain themselves.
        slots[key] = structuredClone((other.holder as Record<string | number, unknown>)[other.key]);
        break;
      case 2:
        if (Array.isArray(holder)) holder.push(structuredClone(slots[key]));
        else slots[`${key}x`] = slots[key];
        break;
      default:
        slots[key] = `@${dice.pick(TEXTS)}`;
    }
  }
  return JSON.stringify(value, (_, member: unknown) => member)
    .replaceAll(/"#(-?\d+)"/g, "$1")
    .replaceAll(/"@((?:[^"\\]|\\.)*)"/g, (_, inner: string) => JSON.parse(`"${inner}"`) as string);
}
