import type { Bounds } from "./state.ts";

/** The runs that are explored to the end. */
export const CONFIGURATIONS: Readonly<Record<string, Bounds>> = {
  "two commits each, lost and late answers": { commits: [2, 2], logged: 2, lostAnswers: 1, delays: 1, repeats: 1 },
  "a log of one, a commit taken back": { commits: [2, 2], logged: 1, delays: 1, repeats: 1, undos: 1 },
  "cleaner, crash": { commits: [2, 2], logged: 1, lostAnswers: 1, crashes: 1, cleanings: 2 },
};
