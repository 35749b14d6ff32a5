import type { Bounds } from "./state.ts";

/** The runs that are explored to the end. Each brings other neighbours together; all at once would be too much to visit. */
export const CONFIGURATIONS: Readonly<Record<string, Bounds>> = {
  "lost and late answers, crash, take-over": { offsets: 2, lostAnswers: 1, delays: 1, crashes: 1, takeOvers: 1 },
  "repeated requests, schema change": { offsets: 2, repeats: 1, lostAnswers: 1, crashes: 1, schemaChanges: 1 },
  "foreign append, compactor, cleaner, take-over": {
    offsets: 1,
    foreignAppends: 1,
    compactions: 1,
    takeOvers: 1,
    cleanings: 1,
  },
  "two compactions late, expirer, cleaner": {
    offsets: 1,
    compactions: 2,
    delays: 1,
    takeOvers: 1,
    cleanings: 1,
    expiries: 1,
  },
  "main set back, tag dropped, rolled back, crash": {
    offsets: 1,
    delays: 1,
    crashes: 1,
    rollbacks: 1,
    undos: 1,
    tagDrops: 1,
  },
  "rolled back while expirer and compactor run": { offsets: 2, expiries: 2, rollbacks: 1, compactions: 1 },
  "three changes, crash, take-over, cleaner": { offsets: 3, crashes: 1, takeOvers: 1, cleanings: 1 },
  "rolled back under a take-over": { offsets: 1, takeOvers: 1, rollbacks: 1, repeats: 1, lostAnswers: 1, cleanings: 1 },
};
