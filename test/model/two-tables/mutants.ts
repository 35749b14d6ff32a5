import type { Bounds, Protection } from "./state.ts";

/** A protection that is taken away, and the smallest run in which that does harm. */
export interface Mutant {
  readonly without: readonly Protection[];
  readonly bounds: Bounds;
}

/** Changes of the anchor, of the other table, and of both. */
const [A, B, AB] = [1, 2, 3] as const;

export const MUTANTS: readonly Mutant[] = [
  { without: ["a table that is ahead keeps its position"], bounds: { changes: [A, AB, A], present: 3, crashes: 1 } },
  { without: ["the ledger waits until all tables agree"], bounds: { changes: [AB, AB, AB], present: 3, crashes: 1 } },
  { without: ["idle tables have the ledger's position"], bounds: { changes: [A, A], present: 3 } },
  { without: ["the ledger is rewritten when positions agree"], bounds: { changes: [AB], present: 3, crashes: 1 } },
  {
    without: ["the ledger is taken over"],
    bounds: { changes: [A, A], present: 1, takeOvers: 1, delays: 1, expiries: 1 },
  },
  { without: ["the ledger is replaced if it matches"], bounds: { changes: [A, A], present: 1, delays: 1 } },
  { without: ["expiry keeps what the ledger names"], bounds: { changes: [A], present: 3, expiries: 1 } },
  {
    without: ["expiry keeps what a ledger under way may name"],
    bounds: { changes: [A], present: 1, takeOvers: 1, expiries: 1 },
  },
  { without: ["new tables are made before the commit"], bounds: { changes: [AB], present: 1, crashes: 1 } },
  { without: ["new tables are stamped with the position before"], bounds: { changes: [AB], present: 1 } },
  { without: ["the anchor goes first"], bounds: { changes: [B, B], present: 1, takeOvers: 1 } },
  { without: ["the anchor commits when idle"], bounds: { changes: [B, B], present: 1, takeOvers: 1 } },
  { without: ["tables are listed after the anchor is fenced"], bounds: { changes: [B, B], present: 1, takeOvers: 1 } },
  {
    without: ["a table under one's epoch is somebody else's"],
    bounds: { changes: [B], present: 3, crashes: 1, takeOvers: 2 },
  },
  {
    without: ["a ledger under one's epoch is somebody else's"],
    bounds: { changes: [B], present: 3, crashes: 1, takeOvers: 2 },
  },
  { without: ["acknowledged when all tables have it"], bounds: { changes: [AB], present: 3 } },
  { without: ["changes up to the position are skipped"], bounds: { changes: [AB], present: 3, crashes: 1 } },
  { without: ["no change beyond the position is skipped"], bounds: { changes: [AB, AB], present: 3, crashes: 1 } },
  { without: ["reading resumes at the lowest position"], bounds: { changes: [AB], present: 3, crashes: 1 } },
  { without: ["a rollback takes the ledger first"], bounds: { changes: [A, AB], present: 3, rollbacks: 1 } },
  { without: ["the ledger forgets tables that go back"], bounds: { changes: [A, AB], present: 3, rollbacks: 1 } },
  {
    without: ["an opening that came too late is finished"],
    bounds: { changes: [A, AB], present: 1, crashes: 1, takeOvers: 1 },
  },
  {
    without: ["an opening that came too late is told by its history"],
    bounds: { changes: [A, AB], present: 3, rollbacks: 1 },
  },
  {
    without: ["expiry keeps what tells of a late opening"],
    bounds: { changes: [A, AB], present: 1, crashes: 1, takeOvers: 1, expiries: 1 },
  },
  {
    without: ["a table that was put back goes on from its own position"],
    bounds: { changes: [A, AB], present: 3, putBacks: 1, crashes: 1 },
  },
  {
    without: ["a fence keeps the number of the checkpoint"],
    bounds: { changes: [A, AB], present: 3, putBacks: 1, crashes: 1 },
  },
  {
    without: ["tables that have come to the ledger's position are named again"],
    bounds: { changes: [AB], present: 3, putBacks: 1, crashes: 2 },
  },
  { without: ["a rollback asserts the tag"], bounds: { changes: [A], present: 3, rollbacks: 1 } },
  { without: ["the tag is asserted"], bounds: { changes: [A], present: 1, takeOvers: 1 } },
];

/** Without these nothing breaks: each is a second line behind another protection. */
export const REDUNDANT: readonly Mutant[] = [
  {
    without: ["a refused ledger is read back"],
    bounds: { changes: [A, AB], present: 3, delays: 1, lostAnswers: 1, takeOvers: 1 },
  },
  { without: ["a start is above the ledger's epoch"], bounds: { changes: [A, AB], present: 3, rollbacks: 1 } },
  { without: ["numbers go on above the ledger's"], bounds: { changes: [AB], present: 3, putBacks: 1, crashes: 2 } },
  { without: ["a rollback is above the ledger's epoch"], bounds: { changes: [A], present: 3, rollbacks: 2 } },
];
