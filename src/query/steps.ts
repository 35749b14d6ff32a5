import {
  ancestors,
  currentSnapshot,
  FrazilError,
  identText,
  isAncestor,
  type LoadedTable,
  refSnapshot,
  type Snapshot,
  snapshotById,
} from "../../table-format/index.ts";
import { addsNothing, heldText, movesRows } from "../core/table-history.ts";
import { tableAsOf } from "./as-of.ts";

/** Two states of a table, the first null for the empty one: what differs is to be read. */
export type Segment = readonly [from: Snapshot | null, to: Snapshot];

/** From one state of the table to a later one. */
export interface Step {
  readonly from: Snapshot | null;
  readonly to: Snapshot;
  /** What to compare: all that lies between the two, without commits that only move rows. Empty: no row changes its values. */
  readonly segments: readonly Segment[];
  /** A way that has no commits of its own: back, or over history that has expired. */
  readonly isGap: boolean;
}

/** Where to begin; null: with the empty table. @throws FrazilError `data`, code `LOST_START`; `not-found`, code `SNAPSHOT_NOT_FOUND`. */
export function startSnapshot(table: LoadedTable, from: string): Snapshot | null {
  const { metadata } = table;
  if (from === "now" || from === "earliest") return null;
  if (from === "latest") return currentSnapshot(metadata);
  if (
    /^\d{1,19}$/.test(from) &&
    refSnapshot(metadata, from) === null &&
    snapshotById(metadata, BigInt(from)) === null
  ) {
    throw lostStart(table, `snapshot ${from}`);
  }
  return tableAsOf(table, from).snapshot;
}

/** A snapshot by id. @param what it is, for the error. @throws FrazilError `data`, code `LOST_START`. */
export function heldSnapshot(table: LoadedTable, id: bigint, what: string): Snapshot {
  const snapshot = snapshotById(table.metadata, id);
  if (snapshot !== null) return snapshot;
  throw lostStart(table, `snapshot ${id}, ${what},`);
}

/**
 * The steps from the last state told to a later one, oldest first.
 *
 * @param from where the telling began: `earliest` goes commit by commit from the oldest snapshot on, all else takes the rows of the empty table at once.
 */
export function stepsBetween(table: LoadedTable, last: Snapshot | null, head: Snapshot, from: string): Step[] {
  const { metadata } = table;
  if (head.snapshotId === last?.snapshotId) return [];
  const history = [...ancestors(metadata, head.snapshotId)];
  if (last === null && from !== "earliest") return [step(null, head, false)];
  const known = last === null ? -1 : history.findIndex(({ snapshotId }) => snapshotId === last.snapshotId);
  if (last === null || known >= 0) return chain(last, (known >= 0 ? history.slice(0, known) : history).toReversed());
  // Not a commit on top of what was told: on to the first snapshot that the two histories do not share.
  const path = history.filter(({ snapshotId }) => !isAncestor(metadata, snapshotId, last.snapshotId)).toReversed();
  const [next = head, ...others] = path;
  return [step(last, next, true), ...chain(next, others)];
}

/** Several steps as one, whose changes are the net change of all. @param steps at least one */
export function foldSteps(steps: readonly Step[]): Step {
  const [first] = steps as readonly [Step, ...Step[]];
  const last = steps.at(-1) as Step;
  const segments: [Snapshot | null, Snapshot][] = [];
  let cut = true;
  for (const { from, to, segments: own } of steps) {
    const open = segments.at(-1);
    if (own.length === 0) cut = cut || isReplace(from, to);
    else if (cut || open === undefined) {
      segments.push(...own.map(([a, b]): [Snapshot | null, Snapshot] => [a, b]));
      cut = false;
    } else {
      open[1] = to;
    }
  }
  return { from: first.from, to: last.to, segments, isGap: steps.some(({ isGap }) => isGap) };
}

/**
 * What to compare for the net change between two states: commits in between that only moved rows to other files are passed over, so
 * that the files they replaced are not read.
 */
export function segmentsBetween(table: LoadedTable, from: Snapshot | null, to: Snapshot): readonly Segment[] {
  if (from === null) return [[null, to]];
  if (!isAncestor(table.metadata, from.snapshotId, to.snapshotId)) return [[from, to]];
  const steps = stepsBetween(table, from, to, "now");
  return steps.length === 0 ? [] : foldSteps(steps).segments;
}

function chain(start: Snapshot | null, path: readonly Snapshot[]): Step[] {
  return path.map((to, index) => step(index === 0 ? start : (path[index - 1] as Snapshot), to, false));
}

function step(from: Snapshot | null, to: Snapshot, isGap: boolean): Step {
  const passOver = !isGap && (isReplace(from, to) || (from !== null && addsNothing(to)));
  return { from, to, isGap, segments: passOver ? [] : [[from, to]] };
}

function isReplace(from: Snapshot | null, to: Snapshot): boolean {
  return movesRows(to) && to.parentSnapshotId === (from?.snapshotId ?? null);
}

function lostStart(table: LoadedTable, what: string): FrazilError {
  const { metadata } = table;
  const name = identText(table.ident);
  const head = currentSnapshot(metadata);
  const held = head === null ? [] : [...ancestors(metadata, head.snapshotId)].toReversed();
  return new FrazilError("data", "LOST_START", `table ${name} does not hold ${what} (any more); ${heldText(held)}`, {
    hint: `--from earliest begins with the rows of the oldest one; frazil snapshots ${name} lists all`,
  });
}
