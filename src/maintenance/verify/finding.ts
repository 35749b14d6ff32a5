/** What a finding is about: which promise does not hold. */
export type CheckName =
  /** Every object that a kept snapshot needs is there, whole and readable. */
  | "objects"
  /** Manifests hold as many files and rows as their list says. */
  | "manifests"
  /** One vector a data file, with as many positions as is said of it. */
  | "vectors"
  /** Data files hold as many rows as is said of them, and one row a key. */
  | "keys"
  /** Tag, epoch, checkpoint and position along the history of `main`. */
  | "history"
  /** Ledger or claims against the tables. */
  | "ledger"
  /** The keys of the source against those of the table. */
  | "source";

/** Something that is not as it must be. */
export interface Finding {
  readonly check: CheckName;
  /** `namespace.table`; of a ledger the pipeline's name. */
  readonly table: string;
  /** What is wrong: a location, a snapshot, a ref, a key. */
  readonly object: string;
  readonly expected: string;
  readonly found: string;
  /** What to do. */
  readonly hint: string;
}

/** What to do about a data file that is there and is not what it was. */
export function lostFileHint(table: string): string {
  return `bring the object back from a backup or an older version of it; if there is none, delete it and give its rows up: frazil repair ${table} --drop-missing`;
}
