import { parseCounted } from "../core/counted-point.ts";
import type { Position } from "../core/position.ts";
import type { Source } from "../core/source.ts";

/** What is asked where points do not count messages. */
type Counts = Pick<Source, "countBetween">;

/** Messages between two points, by the source or by the points themselves; null where neither can tell, as of log sequence numbers. */
export function lagOf(from: string | undefined, end: string | undefined, source: Counts): bigint | null {
  if (from !== undefined && end !== undefined && source.countBetween !== undefined) {
    return source.countBetween(from, end);
  }
  const to = end === undefined ? null : parseCounted(end);
  // A split without a point is read from its very start, which only its source knows; likewise a stream that was made anew.
  const at = from === undefined ? null : parseCounted(from);
  if (to === null || at === null || at.generation !== to.generation) return null;
  const lag = to.offset - at.offset;
  return lag > 0n ? lag : 0n;
}

/** The sum over all splits; null when one of them cannot be told. */
export function totalLag(from: Position, end: Position, source: Counts): bigint | null {
  let total = 0n;
  for (const [split, point] of end) {
    const lag = lagOf(from.get(split), point, source);
    if (lag === null) return null;
    total += lag;
  }
  return total;
}
