import type { Bounds, Protection } from "./state.ts";

/** A protection that is taken away, and the smallest run in which that does harm. */
export interface Mutant {
  readonly without: readonly Protection[];
  readonly bounds: Bounds;
}

export const MUTANTS: readonly Mutant[] = [
  { without: ["the hint is replaced if it matches"], bounds: { commits: [1, 1], logged: 2 } },
  { without: ["commits on top do not hide one's own"], bounds: { commits: [1, 1], logged: 2, lostAnswers: 1 } },
  { without: ["beyond the log only the mark counts"], bounds: { commits: [1, 2], logged: 1, lostAnswers: 1 } },
  { without: ["a refusal is looked into"], bounds: { commits: [1, 0], logged: 1, repeats: 1 } },
  { without: ["the old hint is never restored"], bounds: { commits: [1, 0], logged: 2, delays: 1, undos: 1 } },
  { without: ["metadata files up to the present version go"], bounds: { commits: [1, 0], logged: 1, cleanings: 1 } },
  { without: ["metadata files of later versions stay"], bounds: { commits: [1, 0], logged: 1, cleanings: 1 } },
  { without: ["nothing is deleted on an unknown outcome"], bounds: { commits: [1, 0], logged: 1, delays: 1 } },
  { without: ["conflicts are answered with a fresh load"], bounds: { commits: [1, 1], logged: 1 } },
];
