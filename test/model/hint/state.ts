import { Layout } from "../layout.ts";

export interface Bounds {
  /** Commits of each of the two clients. */
  readonly commits: readonly [number, number];
  /** How many former metadata files a metadata file remembers. */
  readonly logged: 1 | 2;
  readonly lostAnswers?: number;
  readonly delays?: number;
  /** Requests that the store repeats by itself, so that its answer is that of the repetition. */
  readonly repeats?: number;
  readonly crashes?: number;
  readonly cleanings?: number;
  /** A client takes its last commit back. */
  readonly undos?: number;
}

/** What a mutant may lack. */
export const PROTECTIONS = [
  "the hint is replaced if it matches",
  "commits on top do not hide one's own",
  "beyond the log only the mark counts",
  "a refusal is looked into",
  "the old hint is never restored",
  "metadata files up to the present version go",
  "metadata files of later versions stay",
  "nothing is deleted on an unknown outcome",
  "conflicts are answered with a fresh load",
] as const;

export type Protection = (typeof PROTECTIONS)[number];

export type Removed = ReadonlySet<Protection>;

/** A metadata file: its version, the file that it was built on, how many commits of each client it holds, and the files before it. */
export const FILE = { state: 0, version: 1, commits: 2, log: 4 } as const;
export const Stored = { free: 0, stored: 1, deleted: 2 } as const;
export const FILES = 8;

export const CLIENT = { at: 0, base: 1, file: 2, committed: 3, left: 4 } as const;
export const At = { idle: 0, prepared: 1, sent: 2, unsure: 3, gone: 4, looking: 5 } as const;

/** A request that replaces the hint: by what, and what it has to be. */
export const REQUEST = { file: 0, base: 1 } as const;

export type Places = ReturnType<typeof placesOf>;

export function placesOf(bounds: Bounds) {
  const layout = new Layout();
  const place = {
    /** The metadata file that the hint names. Its entity tag is that of its bytes, so the same name has the same one. */
    hint: layout.field(),
    lostAnswers: layout.field(),
    delays: layout.field(),
    repeats: layout.field(),
    crashes: layout.field(),
    cleanings: layout.field(),
    undos: layout.field(),
    /** Files that a cleaner has found to be garbage, as bits. */
    garbage: layout.field(),
    clients: layout.records(2, 5),
    files: layout.records(FILES, FILE.log + bounds.logged),
    late: layout.records(Math.min(2, (bounds.delays ?? 0) + (bounds.crashes ?? 0)), 2),
  };
  return { ...place, logged: bounds.logged, sizeBytes: layout.sizeBytes };
}

export const INVARIANTS = ["holds", "no commit is lost", "no commit applies twice", "the hint never dangles"] as const;
export const Broken = { lost: 1, twice: 2, dangles: 3 } as const;
