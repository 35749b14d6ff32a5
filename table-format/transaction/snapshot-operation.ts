import { FrazilError } from "../errors.ts";
import type { DataFile, LiveFile } from "../manifest/data-file.ts";
import { ancestors, currentSchema, refSnapshot, snapshotById } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import { checkedFiles, mergedVectors } from "./added-files.ts";
import type { OperationAttempt } from "./operation.ts";
import { type AddedDeleteFile, type Operation, produceSnapshot, type SnapshotInput } from "./snapshot-producer.ts";

/** What every operation that adds a snapshot takes. */
export interface SnapshotOptions {
  /** The branch that goes on; default `main`. One that does not exist begins at the head of `main`. */
  readonly branch?: string | undefined;
  /** Adds the snapshot and moves no ref: to be cherry-picked later (write, audit, publish). */
  readonly stageOnly?: boolean | undefined;
  /** Further entries of the snapshot's summary. */
  readonly summary?: ReadonlyMap<string, string> | undefined;
  /**
   * Looks at the branch's snapshots at every attempt, newest first: null lets the commit go on, a text says why not (Java's
   * `SnapshotAncestryValidator`). So a writer that stamps its snapshots commits each of its steps once.
   */
  readonly validateWith?: ((ancestry: Iterable<Snapshot>) => string | null) | undefined;
}

/** What operations take that check for conflicts. */
export interface ValidationOptions {
  /**
   * Conflicts are what was committed after this snapshot; default the head of the branch in the table that was given to the commit.
   * It must be an ancestor of the branch at every attempt.
   */
  readonly validateFromSnapshot?: bigint | undefined;
}

/** The files that a snapshot brings and takes; what is absent is empty. */
export interface SnapshotFiles extends Pick<SnapshotInput, "dataSequenceNumber" | "mergeManifests"> {
  readonly addedDataFiles?: readonly DataFile[];
  readonly removedDataFiles?: readonly LiveFile[];
  readonly addedDeleteFiles?: readonly AddedDeleteFile[];
  readonly removedDeleteFiles?: readonly LiveFile[];
}

/**
 * Writes the manifests of a snapshot on top of a branch, and says how it gets into the table.
 * @throws FrazilError `conflict`, code `SNAPSHOT_ANCESTRY`; as `checkedFiles`, `mergedVectors`, `produceSnapshot`
 */
export async function snapshotUpdates(
  attempt: OperationAttempt,
  options: SnapshotOptions,
  operation: Operation,
  files: SnapshotFiles,
  summary: ReadonlyMap<string, string> = new Map(),
): Promise<TableUpdate[]> {
  const { context, base, snapshotId, timestampMs, names } = attempt;
  const head = branchHead(base, options.branch);
  const objection = options.validateWith?.(head === null ? [] : ancestors(base, head.snapshotId)) ?? null;
  if (objection !== null) throw new FrazilError("conflict", "SNAPSHOT_ANCESTRY", objection);
  const addedDeleteFiles = await mergedVectors(attempt, checkedFiles(base, files.addedDeleteFiles ?? []));
  const { snapshot } = await produceSnapshot(
    context.io,
    // The snapshot's parent is the head of its branch, as if that were main.
    { ...base, currentSnapshotId: head?.snapshotId ?? null },
    {
      removedDataFiles: [],
      removedDeleteFiles: [],
      ...files,
      addedDataFiles: checkedFiles(base, files.addedDataFiles ?? []),
      addedDeleteFiles,
      snapshotId,
      timestampMs,
      operation,
      summary: new Map([...(options.summary ?? []), ...summary]),
      schema: currentSchema(base),
      ref: "main",
    },
    names,
    context.manifests,
  );
  const updates: TableUpdate[] = [{ action: "add-snapshot", snapshot }];
  if (options.stageOnly !== true) updates.push(setHead(base, options.branch, snapshotId));
  return updates;
}

/** Moves a branch to a snapshot; what it says of retention stays. */
export function setHead(base: TableMetadata, branch = "main", snapshotId: bigint): TableUpdate {
  const ref = base.refs.get(branch);
  return { action: "set-snapshot-ref", name: branch, ref: { ...ref, type: "branch", snapshotId } };
}

/**
 * The newest snapshot of a branch, null for none; a branch that does not exist begins at the head of `main`.
 * @throws FrazilError kind `data`, code `NOT_A_BRANCH`, for a tag.
 */
export function branchHead(metadata: TableMetadata, branch = "main"): Snapshot | null {
  const ref = metadata.refs.get(branch);
  if (ref?.type === "tag") {
    throw new FrazilError("data", "NOT_A_BRANCH", `${branch} is a tag: snapshots are committed to branches`);
  }
  return refSnapshot(metadata, ref === undefined ? "main" : branch);
}

/** What an operation's conflicts are looked for between. */
export interface ValidationRange {
  readonly head: Snapshot | null;
  /** Null: from the table's beginning on. */
  readonly startingSnapshotId: bigint | null;
}

/** Between the snapshot that an operation started from and the head of its branch now. */
export function validationRange(
  { base, started }: OperationAttempt,
  { branch, validateFromSnapshot }: SnapshotOptions & ValidationOptions,
): ValidationRange {
  const startingSnapshotId = validateFromSnapshot ?? branchHead(started, branch)?.snapshotId ?? null;
  return { head: branchHead(base, branch), startingSnapshotId };
}

/** The sequence number of the snapshot that an operation started from: deletes with a higher one came since. */
export function startingSequenceNumber(base: TableMetadata, { startingSnapshotId }: ValidationRange): bigint {
  if (startingSnapshotId === null) return 0n;
  return snapshotById(base, startingSnapshotId)?.sequenceNumber ?? 0n;
}
