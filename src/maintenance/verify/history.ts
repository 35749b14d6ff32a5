import { ancestors, identText, type LoadedTable, type Snapshot } from "../../../table-format/index.ts";
import { tagName } from "../../commit/names.ts";
import { pipelinesOf } from "../../commit/read-pipeline.ts";
import { POSITION_SET } from "../../commit/rollback.ts";
import { readStamp, type Stamp } from "../../commit/stamp.ts";
import { readPipelineTag } from "../../commit/tracked-table.ts";
import { asWritten } from "../../commit/writer-branch.ts";
import { FrazilError } from "../../core/errors.ts";
import type { Position } from "../../core/position.ts";
import type { Source } from "../../core/source.ts";
import type { Finding } from "./finding.ts";

type Compare = Source["comparePoints"];

/** A snapshot of `main` with what its pipeline says in it. */
export interface StampedSnapshot {
  readonly snapshot: Snapshot;
  readonly stamp: Stamp;
}

/**
 * What pipelines say in the snapshots of a table, as far as they are held: each one's tag is on `main`, at its newest snapshot; along the
 * history of `main` neither epoch, nor checkpoint, nor position, nor the time up to which the table is complete goes back.
 *
 * @param compare orders the points of a split, as the job's source does
 */
export function verifyHistory(found: LoadedTable, compare: Compare): Finding[] {
  const table = asWritten(found);
  return pipelinesOf(table).flatMap((pipeline) => [
    ...verifyTag(table, pipeline),
    ...verifyStamps(table, pipeline, compare),
  ]);
}

function verifyTag(table: LoadedTable, pipeline: string): Finding[] {
  const name = identText(table.ident);
  const tag = tagName(pipeline);
  const finding = (expected: string, found: string, hint: string): Finding => ({
    check: "history",
    table: name,
    object: `tag ${tag}`,
    expected,
    found,
    hint,
  });
  const repair = `frazil repair ${name} puts it back where the history of main proves it`;
  try {
    const tagged = readPipelineTag(table, pipeline);
    const [newest] = stampedAncestors(table, pipeline);
    if (tagged === null || newest === undefined) return [];
    if (newest.snapshot.snapshotId === tagged.snapshot.snapshotId) return verifyEpoch(table, pipeline, tagged.stamp);
    const found = `snapshot ${tagged.snapshot.snapshotId}, which is older`;
    return [finding(`snapshot ${newest.snapshot.snapshotId}, the newest of ${pipeline} on main`, found, repair)];
  } catch (error) {
    if (!(error instanceof FrazilError) || (error.kind !== "data" && error.kind !== "corrupt")) throw error;
    const fix = error.code === "TAG_MISSING" || error.code === "TAG_FOREIGN" ? repair : (error.hint ?? repair);
    return [finding("the newest snapshot of the pipeline, on main", error.message, fix)];
  }
}

/** A process of a higher epoch has been here: what it committed is not on `main`, and what the tag says may be a stale one's. */
function verifyEpoch(table: LoadedTable, pipeline: string, tagged: Stamp): Finding[] {
  const higher = table.metadata.snapshots.find((snapshot) => {
    const stamp = stampOf(snapshot, pipeline);
    return stamp !== null && stamp.epoch > tagged.epoch;
  });
  if (higher === undefined) return [];
  return [
    {
      check: "history",
      table: identText(table.ident),
      object: `snapshot ${higher.snapshotId}`,
      expected: `no epoch above ${tagged.epoch}, that of the tag ${tagName(pipeline)}`,
      found: `epoch ${stampOf(higher, pipeline)?.epoch}`,
      hint: `frazil rollback to the snapshot that is meant makes it the newest under a new epoch`,
    },
  ];
}

function verifyStamps(table: LoadedTable, pipeline: string, compare: Compare): Finding[] {
  const findings: Finding[] = [];
  const broken = table.metadata.snapshots.filter((snapshot) => isBroken(snapshot, pipeline));
  for (const { snapshotId } of broken) {
    findings.push({
      check: "history",
      table: identText(table.ident),
      object: `snapshot ${snapshotId}`,
      expected: `ingest.epoch, ingest.ckpt and ingest.position beside ingest.pipe=${pipeline}`,
      found: "an incomplete or unreadable stamp",
      hint: "somebody else wrote it, or changed it: roll back to the snapshot before it (frazil rollback)",
    });
  }
  const newestFirst = stampedAncestors(table, pipeline);
  for (const [index, later] of newestFirst.entries()) {
    const before = newestFirst[index + 1];
    if (before !== undefined) findings.push(...verifyStep(table, before, later, compare));
  }
  return findings;
}

/** The pipeline's snapshots in the history of `main`, newest first, as far as they are held. */
export function stampedAncestors({ metadata }: LoadedTable, pipeline: string): StampedSnapshot[] {
  if (metadata.currentSnapshotId === null) return [];
  return [...ancestors(metadata, metadata.currentSnapshotId)].flatMap((snapshot) => {
    const stamp = stampOf(snapshot, pipeline);
    return stamp === null ? [] : [{ snapshot, stamp }];
  });
}

function verifyStep(table: LoadedTable, before: StampedSnapshot, later: StampedSnapshot, compare: Compare): Finding[] {
  const findings: Finding[] = [];
  const tell = (expected: string, found: string): void => {
    findings.push({
      check: "history",
      table: identText(table.ident),
      object: `snapshot ${later.snapshot.snapshotId}`,
      expected,
      found,
      hint: `rows may be there twice or not at all behind snapshot ${before.snapshot.snapshotId}: frazil rollback to it, and the job replays`,
    });
  };
  const [a, b] = [before.stamp, later.stamp];
  if (b.epoch < a.epoch) tell(`epoch ${a.epoch} or above`, String(b.epoch));
  if (b.checkpoint < a.checkpoint) tell(`checkpoint ${a.checkpoint} or above`, String(b.checkpoint));
  // Somebody has set the position: it may go either way.
  if (later.snapshot.summary.has(POSITION_SET)) return findings;
  for (const [split, from, to] of backwards(a.position, b.position, compare)) {
    tell(`position ${from} or above of ${split}`, to ?? "none");
  }
  const [earlier, now] = [a.validThroughMs, b.validThroughMs];
  if (earlier !== null && now !== null && now < earlier) {
    tell(`valid-through ${new Date(earlier).toISOString()} or later`, new Date(now).toISOString());
  }
  return findings;
}

/** The splits whose point went back, or went. */
export function backwards(
  before: Position,
  later: Position,
  compare: Compare,
): [split: string, from: string, to: string | null][] {
  return [...before].flatMap(([split, from]): [string, string, string | null][] => {
    const to = later.get(split) ?? null;
    return to !== null && compare(to, from) >= 0 ? [] : [[split, from, to]];
  });
}

function stampOf(snapshot: Snapshot, pipeline: string): Stamp | null {
  if (snapshot.summary.get("ingest.pipe") !== pipeline || isBroken(snapshot, pipeline)) return null;
  return readStamp(snapshot);
}

function isBroken(snapshot: Snapshot, pipeline: string): boolean {
  if (snapshot.summary.get("ingest.pipe") !== pipeline) return false;
  try {
    readStamp(snapshot);
    return false;
  } catch {
    return true;
  }
}
