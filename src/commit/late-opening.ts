import { ancestors, identText, type LoadedTable } from "../../table-format/index.ts";
import type { Position } from "../core/position.ts";
import type { Ledger } from "./ledger.ts";
import { tagName } from "./names.ts";
import { putBack } from "./put-back.ts";
import { POSITION_SET, ROLLBACK_TO } from "./rollback.ts";
import { readStamp } from "./stamp.ts";

/**
 * Whether a process that had been overtaken opened a table too late: behind the look at the tables that the process had which the ledger is
 * of. That one has not needed the table, or it would hold it and the ledger would name it: up to the ledger's position no change of it comes
 * to a row, and the table, empty as it is, holds what it has to there.
 *
 * The table's history tells: nothing but openings and fences, whose epochs rise, from the first snapshot on, and none of the ledger's epoch,
 * though one of a lower one. Whoever takes the ledger has fenced all tables before, so that one of its epoch is no such table; neither is one
 * that has had rows or was rolled back. Where history is missing it is taken for none: then the table's own position counts.
 */
export function isLateOpening({ ident, metadata }: LoadedTable, pipeline: string, ledger: Ledger): boolean {
  const tag = metadata.refs.get(tagName(pipeline));
  if (tag === undefined || ledger.tables.has(identText(ident))) return false;
  let epoch: bigint | null = null;
  let parent: bigint | null = tag.snapshotId;
  for (const snapshot of ancestors(metadata, tag.snapshotId)) {
    parent = snapshot.parentSnapshotId;
    const stamp = readStamp(snapshot);
    if (stamp?.pipeline !== pipeline) continue;
    if (stamp.epoch === ledger.epoch || stamp.epoch === epoch) return false;
    if (snapshot.summary.has(ROLLBACK_TO) || snapshot.summary.has(POSITION_SET)) return false;
    ({ epoch } = stamp);
  }
  return parent === null && epoch !== null && epoch < ledger.epoch;
}

/**
 * What a ledger says of a table's position beside its stamp: nothing, unless it names the table, or the table was opened too late; nothing of
 * one that was put back either.
 */
export function notedPosition(table: LoadedTable, pipeline: string, ledger: Ledger | null): Position {
  if (ledger === null) return new Map();
  const isNoted = ledger.tables.has(identText(table.ident))
    ? putBack(table, pipeline, ledger) === null
    : isLateOpening(table, pipeline, ledger);
  return isNoted ? ledger.position : new Map();
}
