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
  snapshotSchema,
} from "../../table-format/index.ts";
import type { Clock } from "../core/runtime.ts";
import { tableAsOf } from "./as-of.ts";
import { type Diff, diffBetween } from "./diff.ts";
import type { ResultRows } from "./duckdb.ts";
import type { QueryWarehouse } from "./query.ts";

/** The changes of one commit, as rows in its snapshot's schema behind `_op`, `_snapshot_id` and `_commit_ts`. */
export interface CommitChanges extends ResultRows {
  readonly snapshot: Snapshot;
}

export interface FollowOptions {
  /**
   * Where to begin. `now`: the rows that there are, as inserts; `latest`: with the next commit; `earliest`: with the oldest snapshot
   * that is held, whose rows are inserts; else behind a snapshot id, an RFC 3339 time, a tag or a branch.
   */
  readonly from: string;
  /** Go on with the commits to come, until `stop` is aborted. */
  readonly follow: boolean;
  readonly stop: AbortSignal;
  readonly clock: Pick<Clock, "sleep">;
  /** Pause between two looks at the catalog. */
  readonly pollMs: number;
  /** Something that a reader should know, in a sentence. */
  readonly notice: (message: string) => void;
}

/**
 * The changes of a table commit by commit, along the ancestry of `main`: `insert`, `update_before` and `update_after` (paired by key),
 * `delete`. Snapshots that only move rows to other files (`replace`) and those without changes are passed over. When `main` was set
 * back, or commits in between have expired, the net change to the next snapshot stands for what cannot be told in steps: whoever
 * applies all changes to what he has holds the table.
 *
 * Rows of one commit must be read before the next one is asked for.
 *
 * @throws FrazilError `data`, code `LOST_START`, when the start is no longer held, saying what is; `TABLE_DROPPED`, `TABLE_REPLACED`;
 * and as `openDiff`.
 */
export async function* tableChanges(
  warehouse: QueryWarehouse,
  first: LoadedTable,
  options: FollowOptions,
): AsyncGenerator<CommitChanges> {
  let table = first;
  let last = startSnapshot(table, options.from);
  for (;;) {
    for (const step of stepsFrom(table, last, options.from)) {
      if (options.stop.aborted) return;
      if (step.isNet) options.notice(netText(table, step));
      if (!step.passOver) {
        const diff = await openChanges(warehouse, table, step);
        try {
          yield { ...diff, snapshot: step.to };
        } finally {
          await diff.close();
        }
      }
      last = step.to;
    }
    if (!options.follow) return;
    await options.clock.sleep(options.pollMs, options.stop);
    if (options.stop.aborted) return;
    table = await reload(warehouse, table);
  }
}

/** From one state of the table to a later one. */
interface Step {
  readonly from: Snapshot | null;
  readonly to: Snapshot;
  /** No row changes its values. */
  readonly passOver: boolean;
  /** Several commits, or a way back, taken together. */
  readonly isNet: boolean;
}

/** Null: the empty table. @throws FrazilError `LOST_START`. */
function startSnapshot(table: LoadedTable, from: string): Snapshot | null {
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

/** The steps from the last state told to the present one, oldest first. */
function stepsFrom(table: LoadedTable, last: Snapshot | null, from: string): Step[] {
  const { metadata } = table;
  const head = currentSnapshot(metadata);
  if (head === null || head.snapshotId === last?.snapshotId) return [];
  if (last !== null && snapshotById(metadata, last.snapshotId) === null) {
    throw lostStart(table, `snapshot ${last.snapshotId}, up to which changes were told,`);
  }
  const history = [...ancestors(metadata, head.snapshotId)];
  if (last === null && from !== "earliest") return [step(null, head, false)];
  const known = last === null ? -1 : history.findIndex(({ snapshotId }) => snapshotId === last.snapshotId);
  if (last === null || known >= 0) {
    const path = (known >= 0 ? history.slice(0, known) : history).toReversed();
    return path.map((to, index) => step(index === 0 ? last : (path[index - 1] as Snapshot), to, false));
  }
  // Not a commit on top of what was told: on to the first snapshot that the two histories do not share.
  const path = history.filter(({ snapshotId }) => !isAncestor(metadata, snapshotId, last.snapshotId)).toReversed();
  const [next = head, ...others] = path;
  return [
    step(last, next, true),
    ...others.map((to, index) => step(index === 0 ? next : (others[index - 1] as Snapshot), to, false)),
  ];
}

function step(from: Snapshot | null, to: Snapshot, isNet: boolean): Step {
  const replaces = to.summary.get("operation") === "replace" && to.parentSnapshotId === (from?.snapshotId ?? null);
  return { from, to, isNet, passOver: replaces || (from !== null && !isNet && changesNothing(to)) };
}

/** A fence, or the position of an idle table: pipelines commit such snapshots, and their summaries are to be trusted. */
function changesNothing({ summary }: Snapshot): boolean {
  if (!summary.has("ingest.pipe") || summary.get("operation") !== "append") return false;
  return !summary.has("added-data-files");
}

async function openChanges(warehouse: QueryWarehouse, table: LoadedTable, { from, to }: Step): Promise<Diff> {
  const at = { table, snapshot: to, schema: snapshotSchema(table.metadata, to) };
  const time = new Date(Number(to.timestampMs)).toISOString();
  return diffBetween(warehouse, from, at, [
    { sql: `${to.snapshotId}::BIGINT`, name: "_snapshot_id" },
    { sql: `'${time}'::TIMESTAMPTZ`, name: "_commit_ts" },
  ]);
}

async function reload(warehouse: QueryWarehouse, table: LoadedTable): Promise<LoadedTable> {
  const loaded = await warehouse.catalog.loadTable(table.ident);
  const name = identText(table.ident);
  if (loaded === null) throw new FrazilError("data", "TABLE_DROPPED", `table ${name} no longer exists`);
  if (loaded.metadata.tableUuid !== table.metadata.tableUuid) {
    throw new FrazilError("data", "TABLE_REPLACED", `table ${name} was dropped and is another one now`, {
      hint: "follow the new table from its beginning: --from earliest",
    });
  }
  return loaded;
}

function lostStart(table: LoadedTable, what: string): FrazilError {
  const { metadata } = table;
  const name = identText(table.ident);
  const head = currentSnapshot(metadata);
  const held = head === null ? [] : [...ancestors(metadata, head.snapshotId)];
  const oldest = held.at(-1);
  const range =
    head === null || oldest === undefined
      ? "it holds no snapshot"
      : `it holds ${held.length} from ${snapshotText(oldest)} to ${snapshotText(head)}`;
  return new FrazilError("data", "LOST_START", `table ${name} does not hold ${what} (any more); ${range}`, {
    hint: `--from earliest begins with the rows of the oldest one; frazil snapshots ${name} lists all`,
  });
}

function snapshotText(snapshot: Snapshot): string {
  return `${snapshot.snapshotId} (${new Date(Number(snapshot.timestampMs)).toISOString()})`;
}

function netText(table: LoadedTable, { from, to }: Step): string {
  const name = identText(table.ident);
  return `${name}: snapshot ${to.snapshotId} does not follow ${from?.snapshotId} (a rollback, or expired history); their net change is given as one`;
}
