import type { Position } from "../core/position.ts";
import type { CommitContext } from "./context.ts";

type Compare = CommitContext["comparePoints"];

/** The later point of each split. A table that is ahead of the cut keeps its own position: stamping the cut would take it back. */
export function laterOf(a: Position, b: Position, compare: Compare): Position {
  const merged = new Map(a);
  for (const [split, point] of b) {
    const own = merged.get(split);
    if (own === undefined || compare(own, point) < 0) merged.set(split, point);
  }
  return merged;
}

/**
 * The point of each split that every position has reached. A split that one of them lacks is left out: somebody needs it from its start.
 */
export function reachedByAll(positions: readonly Position[], compare: Compare): Position {
  const [first, ...others] = positions;
  const reached = new Map(first ?? []);
  for (const other of others) {
    for (const [split, point] of reached) {
      const theirs = other.get(split);
      if (theirs === undefined) reached.delete(split);
      else if (compare(theirs, point) < 0) reached.set(split, theirs);
    }
  }
  return reached;
}

/** Whether `position` lies nowhere beyond `cut`. */
export function withinCut(position: Position, cut: Position, compare: Compare): boolean {
  for (const [split, point] of position) {
    const end = cut.get(split);
    if (end === undefined || compare(point, end) > 0) return false;
  }
  return true;
}

/** Whether both name the same points. */
export function samePosition(a: Position, b: Position): boolean {
  return a.size === b.size && [...a].every(([split, point]) => b.get(split) === point);
}
