import { Layout } from "../layout.ts";

/** What a run of the model may contain, and how much of it. */
export interface Bounds {
  /** Changes of the source; the positions are 0 to this. */
  readonly offsets: number;
  readonly lostAnswers?: number;
  /** Requests that arrive after their sender has stopped waiting. */
  readonly delays?: number;
  /** Requests that arrive once more. */
  readonly repeats?: number;
  readonly crashes?: number;
  /** Starts of a second process beside the first. */
  readonly takeOvers?: number;
  readonly foreignAppends?: number;
  /** Somebody sets `main` back by hand. */
  readonly undos?: number;
  /** `frazil rollback`. */
  readonly rollbacks?: number;
  readonly tagDrops?: number;
  readonly schemaChanges?: number;
  readonly compactions?: number;
  readonly expiries?: number;
  readonly cleanings?: number;
}

/** Snapshots are numbered as their ids are drawn, from 1; 0 is none. */
export const SNAPSHOT = { state: 0, kind: 1, parent: 2, epoch: 3, checkpoint: 4, position: 5, files: 6 } as const;
export const Held = { free: 0, drawn: 1, inTable: 2, expired: 3 } as const;
export const Kind = { none: 0, fence: 1, checkpoint: 2, replace: 3, foreign: 4, rollback: 5, expire: 6 } as const;

/** A file: under whose name it is and which rows it holds, as bits. Files are numbered as they are written, from 1. */
export const FILE = { epoch: 0, checkpoint: 1, rows: 2 } as const;
/** In the place of a checkpoint: written by maintenance. */
export const JOB = 255;

/** A request to the catalog. `removed`: files that a replacement leaves out, snapshots that an expiry removes, the target of a rollback. */
export const REQUEST = {
  kind: 0,
  snapshot: 1,
  main: 2,
  tag: 3,
  schema: 4,
  epoch: 5,
  checkpoint: 6,
  position: 7,
  file: 8,
  removed: 9,
} as const;
export const REQUEST_SIZE = 10;

export const PROCESS = {
  at: 0,
  epoch: 1,
  checkpoint: 2,
  tag: 3,
  position: 4,
  cut: 5,
  snapshot: 6,
  file: 7,
  schema: 8,
  request: 9,
} as const;
export const At = {
  off: 0,
  fencing: 1,
  fenceSent: 2,
  running: 3,
  prepared: 4,
  commitSent: 5,
  committed: 6,
  fenced: 7,
  stopped: 8,
} as const;

/** The compactor, the expirer and the operator that rolls back. */
export const SERVICE = { at: 0, snapshot: 1, file: 2, epoch: 3, chosen: 4, files: 5, request: 6 } as const;
export const Serving = { idle: 0, ready: 1, sent: 2, done: 3 } as const;

export type Places = ReturnType<typeof placesOf>;

/** Where everything stands in the state; what the bounds leave out takes no place. */
export function placesOf(bounds: Bounds) {
  const layout = new Layout();
  const count = (budget: number | undefined) => budget ?? 0;
  const { offsets, crashes, takeOvers, foreignAppends, rollbacks, compactions } = bounds;
  const writers = count(takeOvers) > 0 ? 2 : 1;
  // What nobody knows any more makes room again; a byte's bits name all that there can be.
  const snapshotCount = 8;
  const fileCount = 2 + offsets + (compactions ?? 0) + (foreignAppends ?? 0) + (writers - 1);
  const late =
    count(bounds.delays) + count(bounds.repeats) + count(crashes) > 0
      ? Math.min(2, count(bounds.delays) + count(bounds.repeats) + count(crashes))
      : 0;
  const place = {
    main: layout.field(),
    tag: layout.field(),
    schema: layout.field(),
    /** What the source may have forgotten. */
    acknowledged: layout.field(),
    /** 1: somebody has set `main` back or dropped the tag, so that stopping is right. */
    tampered: layout.field(),
    highestEpoch: layout.field(),
    highestCheckpoint: layout.field(),
    highestPosition: layout.field(),
    /** Bits of the files that were deleted. */
    deleted: layout.field(),
    /** Bits of the files that a cleaner has found to be garbage. */
    garbage: layout.field(),
    lostAnswers: layout.field(),
    delays: layout.field(),
    repeats: layout.field(),
    crashes: layout.field(),
    takeOvers: layout.field(),
    foreignAppends: layout.field(),
    undos: layout.field(),
    rollbacks: layout.field(),
    tagDrops: layout.field(),
    schemaChanges: layout.field(),
    compactions: layout.field(),
    expiries: layout.field(),
    cleanings: layout.field(),
    snapshots: layout.records(snapshotCount, 7),
    files: layout.records(fileCount, 3),
    processes: layout.records(writers, PROCESS.request + REQUEST_SIZE),
    compactor: layout.records(count(compactions) > 0 ? 1 : 0, SERVICE.request + REQUEST_SIZE)[0] ?? null,
    expirer: layout.records(count(bounds.expiries) > 0 ? 1 : 0, SERVICE.request + REQUEST_SIZE)[0] ?? null,
    operator: layout.records(count(rollbacks) > 0 ? 1 : 0, SERVICE.request + REQUEST_SIZE)[0] ?? null,
    late: layout.records(late, REQUEST_SIZE),
  };
  return { ...place, offsets, sizeBytes: layout.sizeBytes };
}

export const INVARIANTS = [
  "holds",
  "nothing is lost",
  "nothing is doubled",
  "no fenced write",
  "no file is missing",
  "the position never goes back",
  "no ref dangles",
  "no false fence",
  "no stop without a cause",
  "no row of others is lost",
  "files fit the schema",
] as const;

export const Broken = {
  lost: 1,
  doubled: 2,
  fencedWrite: 3,
  missingFile: 4,
  positionBack: 5,
  refDangles: 6,
  falseFence: 7,
  falseStop: 8,
  othersLost: 9,
  misfit: 10,
} as const;

/** The first violation of a step stands. */
export function breaks(state: Uint8Array, invariant: number): void {
  if (state[0] === 0) state[0] = invariant;
}
