import { parseCounted } from "../core/counted-point.ts";
import type { Position } from "../core/position.ts";

/** Messages between two points that count them; null for points that do not, such as log sequence numbers. */
export function lagOf(from: string | undefined, end: string | undefined): bigint | null {
  const to = end === undefined ? null : parseCounted(end);
  // A split without a point is read from its very start, which only its source knows; likewise a stream that was made anew.
  const at = from === undefined ? null : parseCounted(from);
  if (to === null || at === null || at.generation !== to.generation) return null;
  const lag = to.offset - at.offset;
  return lag > 0n ? lag : 0n;
}

/** The sum over all splits; null when one of them cannot be told. */
export function totalLag(from: Position, end: Position): bigint | null {
  let total = 0n;
  for (const [split, point] of end) {
    const lag = lagOf(from.get(split), point);
    if (lag === null) return null;
    total += lag;
  }
  return total;
}
