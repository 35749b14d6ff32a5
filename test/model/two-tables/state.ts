import { Layout } from "../layout.ts";

/** Tables as bits: the anchor and the other one. */
export const ANCHOR = 0;
export const OTHER = 1;

export interface Bounds {
  /** Which tables each change of the source is about, as bits, in its order. Changes are numbered from 1. */
  readonly changes: readonly number[];
  /** Which tables there are at the start; without the anchor there is no ledger either. */
  readonly present: number;
  readonly lostAnswers?: number;
  readonly delays?: number;
  readonly crashes?: number;
  readonly takeOvers?: number;
  readonly expiries?: number;
  readonly rollbacks?: number;
  /** Tables that somebody puts back to older metadata while no process runs and no request is under way. */
  readonly putBacks?: number;
}

/** What a mutant may lack. */
export const PROTECTIONS = [
  "a table that is ahead keeps its position",
  "the ledger waits until all tables agree",
  "idle tables have the ledger's position",
  "the ledger is rewritten when positions agree",
  "the ledger is taken over",
  "the ledger is replaced if it matches",
  "expiry keeps what the ledger names",
  "expiry keeps what a ledger under way may name",
  "new tables are made before the commit",
  "new tables are stamped with the position before",
  "the anchor goes first",
  "the anchor commits when idle",
  "tables are listed after the anchor is fenced",
  "a table under one's epoch is somebody else's",
  "a ledger under one's epoch is somebody else's",
  "a start is above the ledger's epoch",
  "a rollback is above the ledger's epoch",
  "a rollback asserts the tag",
  "acknowledged when all tables have it",
  "changes up to the position are skipped",
  "no change beyond the position is skipped",
  "reading resumes at the lowest position",
  "the tag is asserted",
  "a refused ledger is read back",
  "a rollback takes the ledger first",
  "the ledger forgets tables that go back",
  "an opening that came too late is finished",
  "an opening that came too late is told by its history",
  "expiry keeps what tells of a late opening",
  "a table that was put back goes on from its own position",
  "a fence keeps the number of the checkpoint",
  "numbers go on above the ledger's",
  "tables that have come to the ledger's position are named again",
] as const;

export type Protection = (typeof PROTECTIONS)[number];

export type Removed = ReadonlySet<Protection>;

/** `checkpoint`: counted only where tables are put back, which is what it tells. */
export const SNAPSHOT = { held: 0, epoch: 1, position: 2, rows: 3, checkpoint: 4 } as const;
export const SNAPSHOT_SIZE = 5;
export const SNAPSHOTS = 8;

export const Kind = { none: 0, create: 1, fence: 2, commit: 3, ledger: 4, rollback: 5 } as const;

/**
 * Of a ledger's request: `table` is the version that it replaces, `snapshot` and `tag` the snapshots of the two tables, `checkpoint` and what
 * follows it the numbers of their last checkpoints.
 */
export const REQUEST = {
  kind: 0,
  table: 1,
  snapshot: 2,
  tag: 3,
  epoch: 4,
  position: 5,
  rows: 6,
  checkpoint: 7,
} as const;
export const REQUEST_SIZE = 9;

export const At = {
  off: 0,
  readLedger: 1,
  fenceAnchor: 2,
  fenceOther: 3,
  takeLedger: 4,
  running: 5,
  open: 6,
  noteOpened: 7,
  claim: 8,
  commit: 9,
  noteCut: 10,
  acknowledge: 11,
  fenced: 12,
} as const;

export const PROCESS = {
  at: 0,
  /** 1: a request is under way. */
  waits: 1,
  epoch: 2,
  /** Snapshots that the tags must name, by table; 0: the table is not held. */
  tags: 3,
  positions: 5,
  /** What has been committed, and what the checkpoint in preparation goes up to. */
  reached: 7,
  cut: 8,
  /** Rows of the checkpoint by table. */
  rows: 9,
  /** The table whose turn it is, as what of the checkpoint is left, as bits. */
  left: 11,
  snapshot: 12,
  opening: 13,
  acknowledged: 14,
  /** The version of the ledger that was read or written last. */
  ledger: 15,
  seesOther: 16,
  /** The number of its last checkpoint. */
  checkpoint: 17,
  request: 18,
} as const;

export const OPERATOR = { at: 0, epoch: 1, chosen: 2, position: 3, left: 4, snapshot: 5, request: 6 } as const;
export const Rolling = { idle: 0, planned: 1, committing: 2, sent: 3 } as const;

export type Places = ReturnType<typeof placesOf>;

export function placesOf(bounds: Bounds) {
  const layout = new Layout();
  const writers = (bounds.takeOvers ?? 0) > 0 ? 2 : 1;
  const late = Math.min(2, (bounds.delays ?? 0) + (bounds.crashes ?? 0));
  const place = {
    /** The snapshot that main and the tag of each table name; 0: there is no such table. */
    tags: [layout.field(), layout.field()] as const,
    /** The epochs of the empty snapshots that all of a table's history consists of, as bits; 0: it has had rows, or history is missing. */
    openings: [layout.field(), layout.field()] as const,
    /** Times that the ledger was written, 0: never. */
    ledgerVersion: layout.field(),
    ledgerEpoch: layout.field(),
    ledgerPosition: layout.field(),
    /** The snapshots that the ledger names. */
    ledgerTables: [layout.field(), layout.field()] as const,
    /** The numbers of their last checkpoints, and the highest that the ledger ever had. */
    ledgerCheckpoints: [layout.field(), layout.field()] as const,
    ledgerNumber: layout.field(),
    acknowledged: layout.field(),
    lostAnswers: layout.field(),
    delays: layout.field(),
    crashes: layout.field(),
    takeOvers: layout.field(),
    expiries: layout.field(),
    rollbacks: layout.field(),
    putBacks: layout.field(),
    snapshots: [layout.records(SNAPSHOTS, SNAPSHOT_SIZE), layout.records(SNAPSHOTS, SNAPSHOT_SIZE)] as const,
    processes: layout.records(writers, PROCESS.request + REQUEST_SIZE),
    operator: layout.records((bounds.rollbacks ?? 0) > 0 ? 1 : 0, OPERATOR.request + REQUEST_SIZE)[0] ?? null,
    late: layout.records(late, REQUEST_SIZE),
  };
  const countsCheckpoints = bounds.putBacks !== undefined;
  return { ...place, countsCheckpoints, changes: bounds.changes, sizeBytes: layout.sizeBytes };
}

export const INVARIANTS = [
  "holds",
  "nothing is lost",
  "nothing is doubled",
  "no fenced write",
  "the position never goes back",
  "the ledger names a consistent cut",
  "what the ledger names is held",
  "no false fence",
  "what was acknowledged is not asked for again",
] as const;

export const Broken = {
  lost: 1,
  doubled: 2,
  fencedWrite: 3,
  positionBack: 4,
  inconsistentCut: 5,
  ledgerDangles: 6,
  falseFence: 7,
  askedAgain: 8,
} as const;

export function breaks(s: Uint8Array, invariant: number): void {
  if (s[0] === 0) s[0] = invariant;
}
