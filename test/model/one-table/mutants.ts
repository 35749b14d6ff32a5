import type { Bounds } from "./state.ts";
import type { Protection } from "./table.ts";

/** A protection that is taken away, and the smallest run in which that does harm. */
export interface Mutant {
  readonly without: readonly Protection[];
  readonly bounds: Bounds;
}

export const MUTANTS: readonly Mutant[] = [
  { without: ["the tag is asserted"], bounds: { offsets: 2, delays: 1, takeOvers: 1 } },
  { without: ["the tag moves with main"], bounds: { offsets: 2, crashes: 1 } },
  { without: ["the expected tag is one's own"], bounds: { offsets: 2, takeOvers: 1 } },
  {
    without: ["the position is read from the tag"],
    bounds: { offsets: 2, crashes: 1, foreignAppends: 1, expiries: 1 },
  },
  {
    without: ["the tag does not expire", "a lost tag is no new pipeline"],
    bounds: { offsets: 1, crashes: 1, foreignAppends: 1, expiries: 1 },
  },
  { without: ["a lost tag is no new pipeline"], bounds: { offsets: 1, crashes: 1, tagDrops: 1 } },
  { without: ["acknowledged after the commit"], bounds: { offsets: 1 } },
  { without: ["nothing is deleted on an unknown outcome"], bounds: { offsets: 1, lostAnswers: 1 } },
  { without: ["one id over all attempts"], bounds: { offsets: 1, delays: 1 } },
  { without: ["loads check that main holds the tag"], bounds: { offsets: 2, undos: 1 } },
  { without: ["idle writers look at the refs"], bounds: { offsets: 1, undos: 1 } },
  { without: ["rollbacks make new snapshots"], bounds: { offsets: 2, crashes: 1, delays: 1, rollbacks: 1 } },
  {
    without: ["what the source has forgotten is not passed over"],
    bounds: { offsets: 2, rollbacks: 1 },
  },
  { without: ["snapshots between tag and main stay"], bounds: { offsets: 1, foreignAppends: 2, expiries: 1 } },
  { without: ["conflicts are answered with a fresh load"], bounds: { offsets: 1, schemaChanges: 1 } },
  { without: ["names of jobs are random"], bounds: { offsets: 2, compactions: 2, delays: 1 } },
  {
    without: ["a job with an unknown outcome is not over"],
    bounds: { offsets: 1, compactions: 1, delays: 1, cleanings: 1 },
  },
  { without: ["compaction compares epochs"], bounds: { offsets: 1, compactions: 1, takeOvers: 1, cleanings: 1 } },
  { without: ["expiry asserts the refs"], bounds: { offsets: 2, expiries: 1, undos: 1 } },
  {
    without: ["what expiry deletes is decided by reloaded metadata"],
    bounds: { offsets: 2, compactions: 1, expiries: 1, delays: 1 },
  },
  { without: ["garbage ends at the tag's checkpoint"], bounds: { offsets: 1, cleanings: 1 } },
  { without: ["garbage is decided by name"], bounds: { offsets: 1, cleanings: 1 } },
  { without: ["garbage of jobs is of older epochs"], bounds: { offsets: 1, compactions: 1, cleanings: 1 } },
  { without: ["a rollback needs its target"], bounds: { offsets: 2, compactions: 1, expiries: 1, rollbacks: 1 } },
  { without: ["a rollback raises the epoch"], bounds: { offsets: 2, rollbacks: 1 } },
  { without: ["a rollback has its target's position"], bounds: { offsets: 1, rollbacks: 1 } },
  { without: ["a rollback stops under a newer epoch"], bounds: { offsets: 1, rollbacks: 1, takeOvers: 1 } },
  {
    without: ["a rollback asserts the tag", "a rollback asserts main"],
    bounds: { offsets: 1, rollbacks: 1, takeOvers: 1 },
  },
  { without: ["main is asserted"], bounds: { offsets: 1, foreignAppends: 1 } },
  { without: ["the schema is asserted"], bounds: { offsets: 1, schemaChanges: 1 } },
  { without: ["a start raises the epoch"], bounds: { offsets: 1, takeOvers: 1 } },
  { without: ["an answer that was lost is looked for"], bounds: { offsets: 1, lostAnswers: 1 } },
  { without: ["an answer that was lost is no commit"], bounds: { offsets: 1, delays: 1 } },
];

/** Without these nothing breaks: each is a second line behind another protection. */
export const REDUNDANT: readonly Mutant[] = [
  {
    without: ["a snapshot id is taken once"],
    bounds: { offsets: 2, lostAnswers: 1, delays: 1, takeOvers: 1, expiries: 1 },
  },
  { without: ["a snapshot id is taken once"], bounds: { offsets: 1, delays: 1, repeats: 1, undos: 1, rollbacks: 1 } },
  { without: ["compaction asserts the tag"], bounds: { offsets: 1, compactions: 1, takeOvers: 1, cleanings: 1 } },
  { without: ["a rollback asserts the tag"], bounds: { offsets: 1, rollbacks: 1, takeOvers: 1 } },
  {
    without: ["a rollback asserts main"],
    bounds: { offsets: 1, rollbacks: 1, takeOvers: 1, foreignAppends: 1 },
  },
  {
    without: ["who has landed behind a take-over stops"],
    bounds: { offsets: 2, lostAnswers: 1, delays: 1, takeOvers: 1 },
  },
];
