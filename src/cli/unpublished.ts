import type { LoadedTable } from "../../table-format/index.ts";
import { branchHead } from "../commit/publish-cut.ts";
import { writerBranch } from "../commit/writer-branch.ts";
import { counted } from "../core/count-text.ts";
import type { TableColumn } from "./output.ts";
import { liveRows } from "./snapshot-figures.ts";

/** What the job of a table has on its branch, and `main` does not show. */
export interface Unpublished {
  readonly branch: string;
  readonly snapshotId: bigint;
  /** Of the branch, not only those that `main` lacks; null where its summary does not tell. */
  readonly rows: bigint | null;
}

/** Null where `main` has all of it, and where the table's job writes to `main`. @param table as its own refs name it */
export function unpublishedOf(table: LoadedTable): Unpublished | null {
  const branch = writerBranch(table);
  const head = branch === null ? null : branchHead(table, branch);
  if (branch === null || head === null) return null;
  return { branch, snapshotId: head.snapshot.snapshotId, rows: liveRows(head.snapshot) };
}

/** A column for a list of tables, and its cell of each; nothing where all is published, as nearly everywhere. */
export function unpublishedColumn(tables: readonly (Unpublished | null)[]): {
  readonly columns: readonly TableColumn[];
  readonly cells: (index: number) => readonly string[];
} {
  if (tables.every((table) => table === null)) return { columns: [], cells: () => [] };
  return { columns: [{ name: "unpublished", align: "left" }], cells: (index) => [text(tables[index] ?? null)] };
}

function text(table: Unpublished | null): string {
  return table === null ? "" : `${table.branch}: ${table.rows === null ? "?" : counted(table.rows, "row")}`;
}
