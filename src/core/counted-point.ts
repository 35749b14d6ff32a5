/**
 * A point of a split whose messages are counted: the number of the next one, written in decimal. A stream that was deleted and made anew
 * under its name counts from the start again; from its second life on the point says so, as in `50@2`, and lies behind all of the first.
 */
export interface CountedPoint {
  readonly offset: bigint;
  /** Which life of the stream, from 1. */
  readonly generation: number;
}

const POINT = /^(\d{1,19})(?:@([1-9]\d{0,8}))?$/;

/** Reads `countedText`'s form; null for any other text. */
export function parseCounted(text: string): CountedPoint | null {
  const match = POINT.exec(text);
  if (match === null) return null;
  return { offset: BigInt(match[1] as string), generation: Number(match[2] ?? 1) };
}

/** A point as positions hold it. */
export function countedText(offset: bigint, generation: number): string {
  return generation === 1 ? String(offset) : `${offset}@${generation}`;
}

/** Orders points by generation, then by offset. @throws RangeError for a text that is no such point. */
export function compareCounted(a: string, b: string): number {
  const [left, right] = [parseCounted(a), parseCounted(b)];
  if (left === null || right === null) throw new RangeError(`expected counted points, found "${a}" and "${b}"`);
  if (left.generation !== right.generation) return left.generation < right.generation ? -1 : 1;
  return left.offset < right.offset ? -1 : left.offset > right.offset ? 1 : 0;
}
