import { seededRandom } from "../support/virtual-runtime.ts";

/** Choices that the same seed makes the same way. */
export interface SeededRandom {
  uint32(): number;
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number;
  pick<T>(from: readonly T[]): T;
}

export function choices(seed: number): SeededRandom {
  const random = seededRandom(seed);
  const uint32 = (): number => random.uint32();
  const below = (limit: number): number => uint32() % limit;
  return { uint32, below, pick: (from) => from[below(from.length)] as (typeof from)[number] };
}
