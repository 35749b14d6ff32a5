import { changesOf } from "./changes.ts";
import type { Bounds } from "./state.ts";

/** The runs that are explored to the end. */
export const CONFIGURATIONS: Readonly<Record<string, Bounds>> = {
  "two compactions, keys that move to disk": { changes: changesOf("+0 +1 ~0 -1 +1 ~0"), compactions: 2, spills: 1 },
  "compaction and foreign rewrite, lost answer": {
    changes: changesOf("+0 +1 ~0 ~1"),
    compactions: 1,
    foreignRewrites: 1,
    spills: 1,
    lostAnswers: 1,
  },
  "foreign rewrite, delete and rollback, a late request": {
    changes: changesOf("+0 +1 -0 +0 ~1"),
    foreignRewrites: 1,
    foreignDeletes: 1,
    undos: 1,
    delays: 1,
  },
  "foreign update and delete, compaction, crash": {
    changes: changesOf("+0 +1 ~0"),
    compactions: 1,
    foreignUpserts: 1,
    foreignDeletes: 1,
    crashes: 1,
  },
  "keys on disk, compaction, rewrites": {
    changes: changesOf("+0 +1 ~0 -0 +0"),
    compactions: 2,
    foreignRewrites: 1,
    memoryIsFull: true,
  },
};
