import type { Bounds } from "./state.ts";

/** Changes of the anchor, of the other table, and of both. */
const [A, B, AB] = [1, 2, 3] as const;

/** The runs that are explored to the end. */
export const CONFIGURATIONS: Readonly<Record<string, Bounds>> = {
  "crash, take-over": { changes: [AB, B], present: 3, crashes: 1, takeOvers: 1 },
  "a table that is made on the way, crash, take-over": { changes: [A, AB], present: 1, crashes: 1, takeOvers: 1 },
  "no table at the start, crash, take-over": { changes: [AB], present: 0, crashes: 1, takeOvers: 1 },
  "lost and late answers, take-over": { changes: [A, AB], present: 3, lostAnswers: 1, delays: 1, takeOvers: 1 },
  "an idle anchor, a late request": { changes: [B, B, A], present: 1, lostAnswers: 1, delays: 1 },
  "rolled back, one table or both": { changes: [A, AB], present: 3, rollbacks: 1, lostAnswers: 1 },
  "rolled back and taken over": { changes: [AB], present: 3, rollbacks: 1, takeOvers: 1 },
  "expirer, crash, take-over": { changes: [AB], present: 3, crashes: 1, takeOvers: 1, expiries: 1 },
  "put back, crash, take-over": { changes: [AB], present: 3, putBacks: 1, crashes: 1, takeOvers: 1 },
  "put back, two crashes": { changes: [B, AB], present: 3, putBacks: 1, crashes: 2 },
  "put back, rolled back": { changes: [AB], present: 3, putBacks: 1, rollbacks: 1 },
};
