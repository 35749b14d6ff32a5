import { Layout } from "../layout.ts";

/** A change of a key: 0 or 1. */
export interface Change {
  readonly op: "insert" | "update" | "delete";
  readonly key: 0 | 1;
}

export interface Bounds {
  /** The source; a change's number, from 1, is the version of the row that it writes. */
  readonly changes: readonly Change[];
  readonly lostAnswers?: number;
  readonly delays?: number;
  readonly crashes?: number;
  /** By the process itself: the writer is told where rows went. */
  readonly compactions?: number;
  readonly foreignRewrites?: number;
  readonly foreignDeletes?: number;
  readonly foreignUpserts?: number;
  /** `main` is set back to before the last foreign commit. */
  readonly undos?: number;
  /** Keys in memory move to disk. */
  readonly spills?: number;
  /** Keys that have to be read go to disk at once. */
  readonly memoryIsFull?: boolean;
}

/** What a mutant may lack. */
export const PROTECTIONS = [
  "the writer asserts main",
  "vectors are merged",
  "vectors are read again after a foreign commit",
  "deaths are carried over to new files",
  "rank leaves out deleted rows",
  "rows are followed through compactions",
  "the index changes after the commit",
  "foreign files are indexed",
  "keys are resolved anew on another base",
  "compaction asserts main",
  "compaction looks whether its inputs are live",
  "a hit that is not live falls through to the disk",
  "every key of a checkpoint is resolved",
  "compacted files are indexed unless their inputs were",
  "file numbers are not used again",
  "rows that live again are learned anew",
  "sequence numbers only rise",
  "conflicts are answered with a fresh load",
] as const;

export type Protection = (typeof PROTECTIONS)[number];

export type Removed = ReadonlySet<Protection>;

/** Rows of a file: two suffice, as a compaction's output holds live rows alone. A row is its key + 1 and its version; 0 is none. */
export const ROWS = 2;
export const rowOf = (key: number, version: number): number => ((key + 1) << 4) | version;
export const keyOf = (row: number): number => (row >> 4) - 1;

/**
 * A file of the table, by its number. `dead`: rows that the table's vector takes out; `mirrored`: as the writer knows it. `known`: the writer
 * mirrors the file. `memory`, `disk`: where the keys of its rows are known from. `movedTo`, `base`, `left`: where a compaction put the rows
 * that were not `left` out.
 */
export const FILE = {
  rows: 0,
  live: 2,
  dead: 3,
  known: 4,
  mirrored: 5,
  memory: 6,
  disk: 7,
  movedTo: 8,
  base: 9,
  left: 10,
} as const;
export const FILES = 8;

/** What memory knows of a file's keys. */
export const Known = { not: 0, byRows: 1, byInputs: 2 } as const;

export const REQUEST = {
  kind: 0,
  base: 1,
  tag: 2,
  file: 3,
  cut: 4,
  dropped: 5,
  touched: 6,
  sequence: 7,
  dead: 8,
} as const;
/** Dead rows of each file behind it. */
export const REQUEST_SIZE = REQUEST.dead + FILES;
export const Kind = { none: 0, commit: 1, replace: 2 } as const;

export const WRITER = { at: 0, head: 1, position: 2, cut: 3, file: 4, resolved: 5, parent: 6, plan: 7 } as const;
export const At = { off: 0, running: 1, prepared: 2, sent: 3 } as const;

export const COMPACTOR = { at: 0, file: 1, inputs: 2, left: 3 } as const;
export const Compacting = { idle: 0, written: 1, sent: 2 } as const;

export type Places = ReturnType<typeof placesOf>;

export function placesOf(bounds: Bounds) {
  const layout = new Layout();
  const place = {
    /** The snapshot that `main` names, and the last sequence number, which never goes back. */
    head: layout.field(),
    heads: layout.field(),
    /** The pipeline's last snapshot and its position. */
    own: layout.field(),
    position: layout.field(),
    /** Number of the fence: requests of before it fail. */
    tag: layout.field(),
    lostAnswers: layout.field(),
    delays: layout.field(),
    crashes: layout.field(),
    compactions: layout.field(),
    foreignRewrites: layout.field(),
    foreignDeletes: layout.field(),
    foreignUpserts: layout.field(),
    undos: layout.field(),
    spills: layout.field(),
    /** The version of each key's row as it must be; 0: none. */
    truth: [layout.field(), layout.field()] as const,
    /** Where the writer knows each key's row in memory: file * 2 + row; 0: nowhere. */
    memory: [layout.field(), layout.field()] as const,
    /** Before the last foreign commit: the snapshot, what was true, and each file with its dead rows. */
    before: layout.records((bounds.undos ?? 0) > 0 ? 1 : 0, 3 + FILES)[0] ?? null,
    files: layout.records(FILES, 11),
    writer: layout.records(1, WRITER.plan + REQUEST_SIZE)[0]!,
    compactor: layout.records((bounds.compactions ?? 0) > 0 ? 1 : 0, COMPACTOR.left + FILES + REQUEST_SIZE)[0] ?? null,
    late: layout.records(Math.min(1, (bounds.delays ?? 0) + (bounds.crashes ?? 0)), REQUEST_SIZE),
  };
  return { ...place, changes: bounds.changes, memoryIsFull: bounds.memoryIsFull === true, sizeBytes: layout.sizeBytes };
}

export const INVARIANTS = ["holds", "no dead row lives", "nothing is doubled", "nothing is lost"] as const;
export const Broken = { deadLives: 1, doubled: 2, lost: 3 } as const;
