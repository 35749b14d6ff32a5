import {
  ancestors,
  identText,
  isAncestor,
  isOnMain,
  type LoadedTable,
  type Snapshot,
  snapshotById,
  type SnapshotRef,
  type TableChange,
  type TableMetadata,
} from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import { movesRows } from "../core/table-history.ts";
import { commitMetadata, type MetadataContext } from "./metadata-commit.ts";
import { BRANCH_ENTRY, pipelineOfTag } from "./names.ts";
import { readStamp } from "./stamp.ts";

/** Makes a branch that names a snapshot; one that names it already is left. @throws FrazilError as `checkBranchName`; `conflict`, code `BRANCH_EXISTS`. */
export async function createBranch(
  context: MetadataContext,
  table: LoadedTable,
  name: string,
  snapshotId: bigint,
): Promise<void> {
  await commitMetadata(context, "refs", [table], ([base]) => {
    const now = checkBranchName(must(base, "one base a table"), name);
    if (now?.snapshotId === snapshotId) return [];
    if (now === null) return [setRef(must(base, "one base a table"), name, null, { type: "branch", snapshotId })];
    throw new FrazilError("conflict", "BRANCH_EXISTS", `${identText(table.ident)} has a branch ${name} by now`);
  });
}

/**
 * Takes a branch away, if it still names what it named in `table`. Its snapshots stay until they expire.
 *
 * @throws FrazilError `data`, code `BRANCH_IN_USE`, for a branch that holds what a pipeline wrote and `main` lacks; `conflict`.
 */
export async function dropBranch(context: MetadataContext, table: LoadedTable, name: string): Promise<void> {
  const planned = table.metadata.refs.get(name)?.snapshotId;
  await commitMetadata(context, "refs", [table], ([loaded]) => {
    const base = must(loaded, "one base a table");
    const now = checkBranchName(base, name);
    if (now === null) return [];
    if (now.snapshotId !== planned) throw movedMeanwhile(base, name);
    checkNotInUse(base, name);
    return [
      {
        ident: base.ident,
        requirements: [
          { type: "assert-table-uuid", uuid: base.metadata.tableUuid },
          { type: "assert-ref-snapshot-id", ref: name, snapshotId: now.snapshotId },
          // A pipeline whose tag moves meanwhile may begin to write to the branch.
          ...[...base.metadata.refs]
            .filter(([ref]) => pipelineOfTag(ref) !== null || ref === "main")
            .map(([ref, { snapshotId }]) => ({ type: "assert-ref-snapshot-id" as const, ref, snapshotId })),
        ],
        updates: [{ action: "remove-snapshot-ref", name }],
      },
    ];
  });
}

/** A branch of one table that is to go on to a snapshot. */
export interface Advance {
  readonly table: LoadedTable;
  readonly snapshotId: bigint;
}

/**
 * Moves a branch (`main` too) of tables on to snapshots of another branch, all in one commit where the catalog can. Both refs are asserted:
 * what is given up is what was looked at, and what is named is still on the other branch. The branch may only go forward: what it holds
 * beyond the snapshot's line must be rewrites of files, whose rows that line has too. So no pipeline's tag ever comes to lie beside it.
 * A branch that has the snapshot already is left as it is, so that doing it again after a lost answer is safe.
 *
 * @throws FrazilError `data`, codes `DIVERGED`, `NOT_ON_BRANCH`, `TABLE_REPLACED`; `conflict`, `unavailable`.
 */
export async function fastForward(
  context: MetadataContext,
  advances: readonly Advance[],
  branch: string,
  along: string,
): Promise<void> {
  const parts = context.catalog.atomicAcrossTables ? [advances] : advances.map((each) => [each]);
  for (const part of parts) {
    await commitMetadata(
      context,
      "refs",
      part.map(({ table }) => table),
      (bases) =>
        bases.flatMap((base, index) =>
          advanceOf(base, branch, along, must(part[index], "one advance a table").snapshotId),
        ),
    );
  }
}

function advanceOf(base: LoadedTable, branch: string, along: string, snapshotId: bigint): TableChange[] {
  const { metadata } = base;
  const now = metadata.refs.get(branch);
  const other = metadata.refs.get(along)?.snapshotId;
  if (now !== undefined && isAncestor(metadata, snapshotId, now.snapshotId)) return [];
  // Before the two are compared: where both were rolled back together, what was chosen before has nothing to do with them any more.
  if (other === undefined || !isAncestor(metadata, snapshotId, other)) {
    const message = `table ${identText(base.ident)}: snapshot ${snapshotId} is not on the branch ${along} any more`;
    throw new FrazilError("data", "NOT_ON_BRANCH", message, {
      hint: "the branch was rolled back or dropped; begin anew",
    });
  }
  checkForward(base, branch, along, snapshotId);
  const change = setRef(base, branch, now?.snapshotId ?? null, { ...now, type: "branch", snapshotId });
  return [
    {
      ...change,
      requirements: [...change.requirements, { type: "assert-ref-snapshot-id", ref: along, snapshotId: other }],
    },
  ];
}

/** @throws FrazilError `data`, code `DIVERGED`, naming what the branch would lose by going on to the snapshot. */
export function checkForward({ ident, metadata }: LoadedTable, branch: string, along: string, snapshotId: bigint) {
  const head = metadata.refs.get(branch)?.snapshotId;
  if (head === undefined || isAncestor(metadata, snapshotId, head)) return;
  const { lost, shared } = beyond(metadata, head, snapshotId);
  const rows = lost.filter((snapshot) => !movesRows(snapshot));
  if (rows.length === 0 && shared !== null) return;
  const name = identText(ident);
  // A rollback is of main and of branches that a job writes to.
  const wayOut = (rollback: string): string =>
    branch === "main" ? rollback : `frazil branch ${name} ${branch} --delete gives it up, and it can be made anew`;
  if (shared === null) {
    const message = `table ${name}: the snapshots between ${branch} and ${along} have expired, so it cannot be told whether ${along} holds all of ${branch}`;
    throw new FrazilError("data", "DIVERGED", message, {
      hint: `frazil diff ${name} ${branch}..${along} shows how they differ; ${wayOut("frazil rollback moves main to any snapshot")}`,
    });
  }
  const ids = rows.slice(0, 3).map((snapshot) => String(snapshot.snapshotId));
  const more = rows.length > 3 ? ` and ${rows.length - 3} more` : "";
  const message = `table ${name}: ${branch} holds changes that ${along} lacks: snapshot ${ids.join(", ")}${more}`;
  throw new FrazilError("data", "DIVERGED", message, {
    hint: `frazil diff ${name} ${along}..${branch} shows how they differ; ${wayOut(`frazil rollback ${name} --to <snapshot that both hold> gives the changes up`)}`,
  });
}

/** What a line of history holds that another lacks, newest first, and the newest snapshot of both; null: none is left. */
export function beyond(
  metadata: TableMetadata,
  head: bigint,
  other: bigint,
): { readonly lost: readonly Snapshot[]; readonly shared: Snapshot | null } {
  const line = new Set<bigint>();
  for (const { snapshotId } of ancestors(metadata, other)) line.add(snapshotId);
  const lost: Snapshot[] = [];
  for (const snapshot of ancestors(metadata, head)) {
    if (line.has(snapshot.snapshotId)) return { lost, shared: snapshot };
    lost.push(snapshot);
  }
  return { lost, shared: null };
}

/** What the branch names, or null. @throws FrazilError `config` for a name that no user's branch may have. */
export function checkBranchName({ metadata }: LoadedTable, name: string): SnapshotRef | null {
  const bad = (message: string, hint: string): FrazilError =>
    new FrazilError("config", "BAD_BRANCH", message, { hint });
  const ref = metadata.refs.get(name) ?? null;
  if (name === "main") throw bad("main is always there", "choose another name");
  if (ref?.type === "tag") throw bad(`${name} is a tag, not a branch`, "choose another name");
  if (pipelineOfTag(name) !== null) {
    throw bad(`a branch cannot be called "${name}"`, "what begins with ingest. belongs to pipelines");
  }
  // A point in the past may be named by id, time or ref: a branch must be none of the others.
  if (name.trim() === "" || name.includes("..") || /^\d+$/.test(name) || /^(now|earliest|latest)$/.test(name)) {
    throw bad(
      `a branch cannot be called "${name}"`,
      "numbers, now, earliest, latest and what holds .. mean something else where a branch is expected",
    );
  }
  return ref;
}

/** @throws FrazilError `data`, code `BRANCH_IN_USE`, for a branch that holds what a pipeline wrote and `main` lacks. */
export function checkNotInUse(base: LoadedTable, name: string): void {
  const { metadata } = base;
  for (const [tag, { snapshotId }] of metadata.refs) {
    const pipeline = pipelineOfTag(tag);
    const snapshot = snapshotById(metadata, snapshotId);
    if (pipeline === null || snapshot?.summary.get(BRANCH_ENTRY) !== name) continue;
    if (isOnMain(metadata, snapshotId)) continue;
    const at = readStamp(snapshot)?.checkpoint;
    const table = identText(base.ident);
    throw new FrazilError(
      "data",
      "BRANCH_IN_USE",
      `branch ${name} of ${table} holds what the pipeline ${pipeline} wrote up to checkpoint ${at} and main lacks`,
      {
        hint: `frazil publish ${table} --branch ${name} brings it to main; frazil rollback ${table} --to main gives it up, and the job reads it again`,
      },
    );
  }
}

function setRef(base: LoadedTable, name: string, before: bigint | null, ref: SnapshotRef): TableChange {
  return {
    ident: base.ident,
    requirements: [
      { type: "assert-table-uuid", uuid: base.metadata.tableUuid },
      { type: "assert-ref-snapshot-id", ref: name, snapshotId: before },
    ],
    updates: [{ action: "set-snapshot-ref", name, ref }],
  };
}

function movedMeanwhile(base: LoadedTable, name: string): FrazilError {
  const message = `somebody else changed the branch ${name} of table ${identText(base.ident)} meanwhile`;
  return new FrazilError("conflict", "BRANCH_MOVED", message, { hint: "look at it and run it again" });
}
