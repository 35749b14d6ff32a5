import { changesOf } from "./changes.ts";
import type { Bounds, Protection } from "./state.ts";

/** A protection that is taken away, and the smallest run in which that does harm. */
export interface Mutant {
  readonly without: readonly Protection[];
  readonly bounds: Bounds;
}

export const MUTANTS: readonly Mutant[] = [
  { without: ["the writer asserts main"], bounds: { changes: changesOf("+0 ~0"), foreignRewrites: 1 } },
  { without: ["vectors are merged"], bounds: { changes: changesOf("+0 +1 ~0 ~1"), spills: 0 } },
  {
    without: ["vectors are read again after a foreign commit"],
    bounds: { changes: changesOf("+0 +1 ~1"), foreignDeletes: 1 },
  },
  { without: ["deaths are carried over to new files"], bounds: { changes: changesOf("+0 +1 ~0"), compactions: 1 } },
  { without: ["rank leaves out deleted rows"], bounds: { changes: changesOf("+0 +1 ~0 ~1"), compactions: 1 } },
  { without: ["rows are followed through compactions"], bounds: { changes: changesOf("+0 ~0"), compactions: 1 } },
  { without: ["the index changes after the commit"], bounds: { changes: changesOf("+0 ~0"), foreignRewrites: 1 } },
  { without: ["foreign files are indexed"], bounds: { changes: changesOf("+0 ~0"), foreignRewrites: 1 } },
  { without: ["keys are resolved anew on another base"], bounds: { changes: changesOf("+0 ~0"), foreignRewrites: 1 } },
  { without: ["compaction asserts main"], bounds: { changes: changesOf("+0 ~0"), compactions: 1 } },
  {
    without: ["compaction looks whether its inputs are live"],
    bounds: { changes: changesOf("+0"), compactions: 1, foreignRewrites: 1 },
  },
  {
    without: ["a hit that is not live falls through to the disk"],
    bounds: { changes: changesOf("+0 ~0"), compactions: 1, foreignRewrites: 1, memoryIsFull: true },
  },
  { without: ["every key of a checkpoint is resolved"], bounds: { changes: changesOf("+0 -0 +0") } },
  {
    without: ["compacted files are indexed unless their inputs were"],
    bounds: { changes: changesOf("+0 ~0"), compactions: 1, foreignRewrites: 1 },
  },
  {
    without: ["file numbers are not used again"],
    bounds: { changes: changesOf("+0 +1 -0 ~1"), foreignDeletes: 1, compactions: 1 },
  },
  {
    without: ["rows that live again are learned anew"],
    bounds: { changes: changesOf("+0 +1 ~1 ~0"), foreignUpserts: 1, undos: 1 },
  },
  {
    without: ["sequence numbers only rise"],
    bounds: { changes: changesOf("+0 +1 ~0 ~1"), foreignRewrites: 1, undos: 1, delays: 1 },
  },
  {
    without: ["conflicts are answered with a fresh load"],
    bounds: { changes: changesOf("+0 ~0"), foreignRewrites: 1 },
  },
];
