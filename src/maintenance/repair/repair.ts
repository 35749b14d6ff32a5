/** Something that can be put right without guessing. */
export interface Repair {
  /** Which kind, for machines. */
  readonly repair: "tag" | "ledger" | "hint" | "location" | "key" | "statistics" | "duplicates" | "missing-data-files";
  /** `namespace.table`; of a ledger the pipeline's name. */
  readonly table: string;
  /** What is done to what, and what proves that it is right. */
  readonly plan: string;
  /** Rows that the table has less afterwards. */
  readonly rows: bigint;
  /** @returns what was done. @throws FrazilError `conflict` when the table moved on meanwhile, `unavailable`. */
  run(): Promise<string>;
}

/** Something that cannot be put right without guessing. */
export interface Refusal {
  readonly table: string;
  /** What is wrong, and why it is left alone. */
  readonly problem: string;
  readonly hint: string;
}

/** What was found to do. */
export interface RepairPlan {
  readonly repairs: readonly Repair[];
  readonly refusals: readonly Refusal[];
}

/** Nothing to do. */
export const NOTHING: RepairPlan = { repairs: [], refusals: [] };
