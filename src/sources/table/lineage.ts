import {
  ancestors,
  currentSnapshot,
  FrazilError,
  identText,
  type LoadedTable,
  refSnapshot,
  type Snapshot,
  snapshotAsOf,
  snapshotById,
} from "../../../table-format/index.ts";
import { rfc3339Ms } from "../../config/units.ts";
import { addsNothing, heldText, movesRows } from "../../core/table-history.ts";
import type { TablePoint } from "./point.ts";

/** A part of what is to be read: all rows of a snapshot, or what it changed in its parent. */
export type Step =
  | { readonly of: "rows"; readonly to: Snapshot }
  /** `from` null: the table began with `to`. */
  | { readonly of: "changes"; readonly from: Snapshot | null; readonly to: Snapshot };

/** The snapshots behind the head of `main` that are held without a gap, oldest first; empty for a table without any. */
export function lineageOf({ metadata }: LoadedTable): readonly Snapshot[] {
  const head = currentSnapshot(metadata);
  return head === null ? [] : [...ancestors(metadata, head.snapshotId)].toReversed();
}

/**
 * What comes behind a point, up to the head of `main`, step by step. Each step follows from its two snapshots alone, so that the same
 * changes come from the same point at any time.
 *
 * @returns null when the point is not, or no longer, part of the table's history: see `lostPoint`
 */
export function stepsFrom(table: LoadedTable, point: TablePoint): Step[] | null {
  const { metadata } = table;
  const lineage = lineageOf(table);
  const place = lineage.findIndex(({ snapshotId }) => snapshotId === point.snapshotId);
  const later = place < 0 ? [] : stepsBetween(lineage.slice(place));
  const at = lineage[place];
  if (at === undefined) return null;
  if (point.part === null) return later;
  if (point.part.of === "rows") return [{ of: "rows", to: at }, ...later];
  if (at.parentSnapshotId === null) return [{ of: "changes", from: null, to: at }, ...later];
  const from = snapshotById(metadata, at.parentSnapshotId);
  return from === null ? null : [{ of: "changes", from, to: at }, ...later];
}

function stepsBetween(path: readonly Snapshot[]): Step[] {
  return path.slice(1).map((to, index) => ({ of: "changes", from: path[index] as Snapshot, to }));
}

/** A step that moves rows to other files, or adds none: whoever writes such snapshots says so in their summary. */
export function changesNothing({ of, to }: Step): boolean {
  return of === "changes" && (movesRows(to) || addsNothing(to));
}

/**
 * The snapshot that `from:` names. Null for a table that holds none yet.
 * @throws FrazilError `data`, code `LOST_OFFSETS`, when the table does not hold it, or not all that came behind it
 */
export function startSnapshot(table: LoadedTable, from: string): Snapshot | null {
  const lineage = lineageOf(table);
  if (lineage.length === 0) return null;
  if (from === "earliest") return lineage[0] as Snapshot;
  if (from === "latest") return lineage.at(-1) as Snapshot;
  const { metadata } = table;
  const timeMs = rfc3339Ms(from);
  const found =
    refSnapshot(metadata, from) ??
    (/^\d{1,19}$/.test(from) ? snapshotById(metadata, BigInt(from)) : null) ??
    (timeMs === null ? null : snapshotAsOf(metadata, BigInt(timeMs)));
  if (found !== null && lineage.includes(found)) return found;
  const what = found === null ? `does not hold ${from}` : `no longer holds all that came behind ${from}`;
  throw new FrazilError(
    "data",
    "LOST_OFFSETS",
    `table ${identText(table.ident)} ${what}, where source.from begins; ${heldText(lineage)}`,
    { hint: "set from: to one of them, a time since then, earliest or latest" },
  );
}

/** The error for a point that is not part of the table's history. */
export function lostPoint(table: LoadedTable, point: TablePoint): FrazilError {
  const lineage = lineageOf(table);
  const held = snapshotById(table.metadata, point.snapshotId ?? 0n);
  const [oldest] = lineage;
  const cut = oldest !== undefined && oldest.parentSnapshotId !== null && oldest.sequenceNumber > point.sequence;
  const why =
    held === null || cut
      ? "it, or what came behind it, has expired before it was read"
      : "the table was rolled back to a state before it";
  return new FrazilError(
    "data",
    "LOST_OFFSETS",
    `table ${identText(table.ident)}: expected to read on behind snapshot ${point.snapshotId}; ${why}; ${heldText(lineage)}`,
    { hint: HINT },
  );
}

/** The error for a table that bears the name of the one that was read. */
export function otherTable(table: LoadedTable, was: string): FrazilError {
  return new FrazilError(
    "data",
    "LOST_OFFSETS",
    `table ${identText(table.ident)} was dropped and made anew (${was} was read, ${table.metadata.tableUuid} is there); ${heldText(lineageOf(table))}`,
    { hint: HINT },
  );
}

const HINT =
  "set `on_lost_offsets: latest` (or `earliest`) for one run: the table is read anew behind a truncate, an append table goes on behind the gap; keep snapshots for longer than the job may rest";
