import { changeNumbered, count, type RowSums, type RowVersion } from "./read-rows.ts";

const SHARE_TOUCHED = 0.1;

/** Rows of version 0, and commits that change a tenth of them: each of them as many, and each change another row. */
export interface Workload {
  readonly rows: number;
  readonly commits: number;
  /** Of a commit. */
  readonly changes: number;
  /** By id, the number of the change that the row is from; 0: as first written. */
  readonly changeOf: Uint32Array;
}

export function workloadOf(rows: number, commits: number): Workload {
  const changes = Math.floor((rows * SHARE_TOUCHED) / commits);
  const changeOf = new Uint32Array(rows);
  for (let number = 1; number <= changes * commits; number++) changeOf[changeNumbered(number, rows).id] = number;
  return { rows, commits, changes, changeOf };
}

/** Rows as first written. */
export function* between(from: number, to: number): Iterable<RowVersion> {
  for (let id = from; id < to; id++) yield { id, version: 0 };
}

/** All rows but the first, as they stand in the table in the end: those that were never changed, then the changed ones by change. */
export function* inOrder({ rows, commits, changes, changeOf }: Workload): Iterable<RowVersion> {
  for (let id = 1; id < rows; id++) if (changeOf[id] === 0) yield { id, version: 0 };
  for (let number = 1; number <= changes * commits; number++) yield changeNumbered(number, rows);
}

/** The rows that a commit (from 0) makes. */
export function changesOf({ rows, changes }: Workload, commit: number): RowVersion[] {
  return Array.from({ length: changes }, (_, index) => changeNumbered(commit * changes + index + 1, rows));
}

/** The row of an id in the end. */
export function rowIn({ changeOf }: Workload, id: number): RowVersion {
  return { id, version: changeOf[id] ?? 0 };
}

export function sumsOf(rows: Iterable<RowVersion>): RowSums {
  const sums: RowSums = {
    rows: 0,
    ids: 0,
    regions: 0,
    customers: 0,
    cents: 0,
    quantities: 0,
    quarters: 0,
    notes: 0,
    millis: 0,
    versions: 0,
  };
  for (const row of rows) count(sums, row, 1);
  return sums;
}

/** What all rows add up to in the end. */
export function sumsInTheEnd(workload: Workload): RowSums {
  const sums = sumsOf(inOrder(workload));
  count(sums, { id: 0, version: 0 }, 1);
  return sums;
}
