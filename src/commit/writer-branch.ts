import {
  ancestors,
  type Catalog,
  type LoadedTable,
  snapshotById,
  type TableIdent,
  type TableMetadata,
} from "../../table-format/index.ts";
import { branchCatalog, shownThrough, wholeCatalog } from "./branch-view.ts";
import { BRANCH_ENTRY, pipelineOfTag } from "./names.ts";

/**
 * The branch that the pipelines of a table write to, as the snapshots say that their tags name; null for `main`, where they differ, and
 * where nobody writes. `table` as its own refs name it, not through a branch.
 */
export function writerBranch({ metadata }: Pick<LoadedTable, "metadata">): string | null {
  const branches = new Set<string | null>();
  for (const [name, { snapshotId }] of metadata.refs) {
    if (pipelineOfTag(name) === null) continue;
    const branch = snapshotById(metadata, snapshotId)?.summary.get(BRANCH_ENTRY) ?? null;
    branches.add(branch !== null && metadata.refs.get(branch)?.type === "branch" ? branch : null);
  }
  const [branch = null, ...others] = branches;
  return others.length > 0 ? null : branch;
}

/** Which tables a branch is shown of to those who are not their job: the ones whose pipelines write to it. */
export function writtenTo(branch: string): (ident: TableIdent, metadata: TableMetadata | null) => boolean {
  return (_, metadata) => metadata !== null && writerBranch({ metadata }) === branch;
}

/**
 * The catalog through which the files of a table are rewritten: where its pipelines write to a branch, that branch, which `publish` brings to
 * `main`; else the two would go apart.
 */
export function writersCatalog(catalog: Catalog, table: LoadedTable): Catalog {
  const whole = wholeCatalog(catalog);
  const branch = writerBranch(table);
  return branch === null ? whole : branchCatalog(whole, branch, writtenTo(branch));
}

/** A table as its pipelines see it: with the branch that they write to in `main`'s stead, if it is one. */
export function asWritten(table: LoadedTable): LoadedTable {
  const branch = table.branch === undefined ? writerBranch(table) : null;
  return branch === null ? table : shownThrough(table, branch);
}

/** How many snapshots two branches hold that the other lacks; null where history between them has expired, or one is not there. */
export function apart(
  metadata: TableMetadata,
  from: string,
  to: string,
): { readonly ahead: number; readonly behind: number } | null {
  const [a, b] = [metadata.refs.get(from), metadata.refs.get(to)];
  if (a === undefined || b === undefined) return null;
  const own = Array.from(ancestors(metadata, a.snapshotId), ({ snapshotId }) => snapshotId);
  const line = new Map(own.map((id, index) => [id, index]));
  let ahead = 0;
  for (const { snapshotId } of ancestors(metadata, b.snapshotId)) {
    const behind = line.get(snapshotId);
    if (behind !== undefined) return { ahead, behind };
    ahead++;
  }
  return null;
}
