import type { Position } from "../core/position.ts";
import type { Source } from "../core/source.ts";

/**
 * Where reading begins. Committed positions rule. A split without one is read by the job's `start` when its whole stream is new to the
 * pipeline; when the pipeline knows other splits of the stream it was added since (a new topic partition) and is read from its very start.
 *
 * @param known splits that some table has a point of. After a crash between two tables one may lack what another has: by `start: latest`
 *   the changes since would be skipped.
 */
export function startPoints(committed: Position | null, byPolicy: Position, known: Iterable<string>): Position {
  if (committed === null) return byPolicy;
  const streams = new Set([...committed.keys(), ...known].map(streamOf));
  const from = new Map(committed);
  for (const [split, point] of byPolicy) {
    if (!from.has(split) && !streams.has(streamOf(split))) from.set(split, point);
  }
  return from;
}

function streamOf(split: string): string {
  return split.slice(0, split.lastIndexOf("/"));
}

/** Whether `reached` has come to every point of `target`. */
export function hasReached(reached: Position, target: Position, compare: Source["comparePoints"]): boolean {
  for (const [split, end] of target) {
    const point = reached.get(split);
    if (point === undefined || compare(point, end) < 0) return false;
  }
  return true;
}
