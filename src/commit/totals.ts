import type { TableCounts } from "../core/figures.ts";

/**
 * What a pipeline has done to a table since it opened it, over all its processes: each commit's snapshot carries the sums, so that they are
 * as exact as the data.
 */
export interface Totals extends TableCounts {
  /**
   * Commits that the catalog took, attempts that another writer came before, and attempts without an answer. Where several tables are
   * committed at once, the anchor's snapshot alone counts them.
   */
  readonly commits: number;
  readonly conflicts: number;
  readonly retries: number;
}

const NONE: Totals = {
  rows: 0,
  inserts: 0,
  updates: 0,
  deletes: 0,
  dropped: 0,
  files: 0,
  bytes: 0,
  commits: 0,
  conflicts: 0,
  retries: 0,
};

const NAMES = Object.keys(NONE) as (keyof Totals)[];

/** The sum; zero of none. */
export function sumTotals(parts: readonly Partial<Totals>[]): Totals {
  const sums = NAMES.map((name) => [name, parts.reduce((sum, part) => sum + (part[name] ?? 0), 0)]);
  return { ...NONE, ...(Object.fromEntries(sums) as Partial<Totals>) };
}

/** The JSON object that stands in `ingest.totals`. */
export function totalsText(totals: Totals): string {
  return JSON.stringify(totals, NAMES);
}

/** Reads `totalsText`'s form back; null for anything else, as nothing depends on it. */
export function parseTotals(text: string): Totals | null {
  try {
    const parsed = JSON.parse(text) as Partial<Totals> | null;
    // Stamps from before changes could be dropped do not say that none was.
    const read = parsed === null ? null : { dropped: 0, ...parsed };
    return NAMES.every((name) => Number.isSafeInteger(read?.[name])) ? sumTotals([read ?? NONE]) : null;
  } catch {
    return null;
  }
}
