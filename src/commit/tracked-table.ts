import { type LoadedTable, type Snapshot, identText } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import { BRANCH_ENTRY, markerProperty, tagName } from "./names.ts";
import { readStamp, type Stamp } from "./stamp.ts";

/** A table of this pipeline under this process's epoch. */
export interface TrackedTable {
  /** `namespace.table`. */
  readonly name: string;
  /** The table as of the last load or commit. */
  loaded: LoadedTable;
  /** The snapshot that our tag must name: the last one that this process committed. */
  tagSnapshotId: bigint;
  /** Every change at or below it is in the table. */
  position: Position;
}

/** The stamp of what this process committed last to a table, or found there. */
export function lastStamp({ loaded, tagSnapshotId }: TrackedTable): Stamp | null {
  const tagged = loaded.metadata.snapshots.find((snapshot) => snapshot.snapshotId === tagSnapshotId);
  return tagged === undefined ? null : readStamp(tagged);
}

export interface PipelineTag {
  readonly snapshot: Snapshot;
  readonly stamp: Stamp;
}

/**
 * The pipeline's tag on a table and the stamp of the snapshot that it names; null when the pipeline never wrote to the table.
 * @throws FrazilError `data`: the tag is gone, lies beside `main` (a rollback), or history between them is missing.
 */
export function readPipelineTag(table: LoadedTable, pipeline: string): PipelineTag | null {
  const { metadata } = table;
  const name = identText(table.ident);
  const tag = tagName(pipeline);
  const ref = metadata.refs.get(tag);
  if (ref === undefined) {
    if (!metadata.properties.has(markerProperty(pipeline))) return null;
    throw new FrazilError(
      "data",
      "TAG_MISSING",
      `table ${name} was written by the pipeline ${pipeline}, but its tag ${tag} is gone, and with it the position to resume from`,
      {
        hint: `frazil repair ${name} brings it back where the history proves the position; or use another job name`,
      },
    );
  }
  const snapshot = metadata.snapshots.find((candidate) => candidate.snapshotId === ref.snapshotId);
  const stamp = snapshot === undefined ? null : readStamp(snapshot);
  if (snapshot === undefined || stamp === null || stamp.pipeline !== pipeline) {
    throw new FrazilError(
      "data",
      "TAG_FOREIGN",
      `tag ${tag} of table ${name} names snapshot ${ref.snapshotId}, which the pipeline ${pipeline} did not write`,
      { hint: `frazil repair ${name} puts it right where the history proves the position` },
    );
  }
  checkOnMain(table, snapshot, tag);
  return { snapshot, stamp };
}

/** @throws FrazilError unless the tagged snapshot is `main`, or the branch that stands in for it, or an ancestor of it. */
function checkOnMain(table: LoadedTable, tagged: Snapshot, tag: string): void {
  const { metadata } = table;
  if (metadata.currentSnapshotId === tagged.snapshotId) return;
  const name = identText(table.ident);
  const line = table.branch ?? "main";
  const byId = new Map(metadata.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
  let id = metadata.currentSnapshotId;
  while (id !== null) {
    if (id === tagged.snapshotId) return;
    const snapshot = byId.get(id);
    if (snapshot === undefined) {
      throw new FrazilError(
        "data",
        "HISTORY_EXPIRED",
        `table ${name}: snapshot ${id}, between ${line} and the tag ${tag}, has been expired, so it cannot be told whether the table was rolled back`,
        { hint: "keep the snapshots after a pipeline's tag when expiring; to go on from here, use another job name" },
      );
    }
    // Numbers fall along the ancestry: below its own the tagged snapshot cannot come any more, whatever has expired there.
    if (snapshot.sequenceNumber < tagged.sequenceNumber) break;
    id = snapshot.parentSnapshotId;
  }
  const writtenTo = tagged.summary.get(BRANCH_ENTRY);
  if (writtenTo !== undefined && table.branch !== writtenTo) {
    throw new FrazilError(
      "data",
      "UNPUBLISHED",
      `table ${name}: the job last wrote to the branch ${writtenTo}, and ${line} lacks what is there`,
      {
        hint: `put branch: ${writtenTo} into the job file; or bring it to main: frazil publish ${name} --branch ${writtenTo}; or give it up and read it again: frazil rollback ${name} --to main`,
      },
    );
  }
  throw new FrazilError(
    "data",
    "TABLE_ROLLED_BACK",
    `table ${name}: ${line} (snapshot ${metadata.currentSnapshotId}) no longer contains snapshot ${tagged.snapshotId}, which the tag ${tag} names: somebody rolled the table back`,
    { hint: `roll ${line} forward again to the tagged snapshot, or use another job name to load the table anew` },
  );
}

/**
 * Checks a fresh load against what this process committed last. Every load goes through here, also those of an idle job.
 * @throws FrazilError `fenced` when a newer process has taken over; `data` when the table was rolled back, replaced or lost its tag.
 */
export function checkStillOurs(loaded: LoadedTable, table: TrackedTable, pipeline: string, epoch: bigint): void {
  if (loaded.metadata.tableUuid !== table.loaded.metadata.tableUuid) {
    throw new FrazilError(
      "data",
      "TABLE_REPLACED",
      `table ${table.name} is another one than before: its uuid was ${table.loaded.metadata.tableUuid} and is ${loaded.metadata.tableUuid}`,
      { hint: "restore the table, or start the job under another name to load everything anew" },
    );
  }
  const tag = readPipelineTag(loaded, pipeline);
  if (tag === null) {
    throw new FrazilError("data", "TAG_MISSING", `table ${table.name} has lost the tag ${tagName(pipeline)}`, {
      hint: `frazil repair ${table.name} brings it back where the history proves the position; or use another job name`,
    });
  }
  if (tag.snapshot.snapshotId === table.tagSnapshotId) return;
  if (tag.stamp.epoch > epoch) throw fencedError(pipeline, epoch, `table ${table.name}`, tag.stamp.epoch);
  throw new FrazilError(
    "data",
    "TAG_MOVED",
    `table ${table.name}: the tag ${tagName(pipeline)} names snapshot ${tag.snapshot.snapshotId} of epoch ${tag.stamp.epoch}; this process (epoch ${epoch}) committed ${table.tagSnapshotId} last`,
    {
      hint: `where the table was put back to older metadata, start the job again, which reads what it lacks or says what to do; else frazil repair ${table.name} puts it right where the history proves the position; or use another job name`,
    },
  );
}

/** Another process has taken over: exit 76, do not restart. */
export function fencedError(pipeline: string, epoch: bigint, where: string, found: bigint): FrazilError {
  return new FrazilError(
    "fenced",
    "FENCED",
    `another process of the job ${pipeline} has taken over: ${where} is under epoch ${found}, this process has epoch ${epoch}`,
    { hint: "leave the newer process running; do not restart this one" },
  );
}
