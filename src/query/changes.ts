import {
  currentSchema,
  currentSnapshot,
  FrazilError,
  identText,
  type LoadedTable,
  type Snapshot,
  snapshotSchema,
} from "../../table-format/index.ts";
import type { Clock } from "../core/runtime.ts";
import { tableNow } from "./as-of.ts";
import type { Consumer } from "./consumer.ts";
import { diffSegments } from "./diff.ts";
import type { ResultRows } from "./duckdb.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";
import { ALL_ROWS, type RowChoice } from "./row-choice.ts";
import { foldSteps, heldSnapshot, startSnapshot, type Step, stepsBetween } from "./steps.ts";

/** The changes of one commit, as rows behind `_op`, `_snapshot_id` and `_commit_ts`. */
export interface CommitChanges extends ResultRows {
  readonly snapshot: Snapshot;
  /** Says to the consumer that the changes up to this commit have been handled; without a consumer it does nothing. */
  commit(): Promise<void>;
  /** Says to the consumer that there was not one row: nothing is left to be handled. */
  foundEmpty(): Promise<void>;
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
  /** The commits that there are at a look become one net change. */
  readonly net?: boolean | undefined;
  /** Which columns and rows; by default all. */
  readonly choice?: RowChoice | undefined;
  /** Read all commits by the table's present schema rather than each by its own. So it is anyway where columns or rows are chosen. */
  readonly presentSchema?: boolean | undefined;
  /** Whose position to go on from; `from` then only counts for what it has not begun. */
  readonly consumer?: Consumer | undefined;
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
 * `fenced`, code `CONSUMER_TAKEN`; and as `openDiff`.
 */
export async function* tableChanges(
  warehouse: QueryWarehouse,
  first: LoadedTable,
  options: FollowOptions,
): AsyncGenerator<CommitChanges> {
  const { consumer, from } = options;
  let table = first;
  let last = consumer === undefined ? startSnapshot(table, from) : startOf(table, consumer);
  // What was given out and not committed comes again, in the same steps.
  let steps = consumer === undefined ? [] : stepsAgain(table, last, consumer);
  for (;;) {
    const head = currentSnapshot(table.metadata);
    const begin = steps.at(-1)?.to ?? last;
    if (begin !== null) heldSnapshot(table, begin.snapshotId, "up to which changes were told");
    const news = head === null ? [] : stepsBetween(table, begin, head, from);
    steps.push(...(options.net === true && news.length > 1 ? [foldSteps(news)] : news));
    for (const step of steps) {
      if (options.stop.aborted) return;
      if (step.isGap) options.notice(gapText(table, step));
      if (step.segments.length > 0) {
        const { snapshotId } = step.to;
        await consumer?.begin(snapshotId);
        const diff = await openChanges(warehouse, table, step, options);
        try {
          yield {
            ...diff,
            snapshot: step.to,
            commit: async () => consumer?.commit(snapshotId),
            foundEmpty: async () => consumer?.foundEmpty(snapshotId),
          };
        } finally {
          await diff.close();
        }
      }
      last = step.to;
    }
    if (last !== null) await consumer?.passOver(last.snapshotId);
    if (!options.follow) return;
    await consumer?.stay();
    await options.clock.sleep(options.pollMs, options.stop);
    if (options.stop.aborted) return;
    table = await reload(warehouse, table);
    steps = [];
  }
}

function startOf(table: LoadedTable, { name, state }: Consumer): Snapshot | null {
  return state.after === null ? null : heldSnapshot(table, state.after, `up to which the consumer ${name} has read`);
}

function stepsAgain(table: LoadedTable, last: Snapshot | null, { name, state }: Consumer): Step[] {
  let before = last;
  return state.given.map((id) => {
    const to = heldSnapshot(table, id, `which the consumer ${name} was reading`);
    const step = foldSteps(stepsBetween(table, before, to, "now"));
    before = to;
    return step;
  });
}

async function openChanges(
  warehouse: QueryWarehouse,
  table: LoadedTable,
  { to, segments }: Step,
  { choice = ALL_ROWS, presentSchema = false }: FollowOptions,
): Promise<ResultRows & { close(): Promise<void> }> {
  const present = presentSchema || choice.columns !== null || choice.where !== null;
  const schema = present ? currentSchema(table.metadata) : snapshotSchema(table.metadata, to);
  const time = new Date(Number(to.timestampMs)).toISOString();
  return diffSegments(warehouse, segments, { table, snapshot: to, schema }, choice, [
    { sql: `${to.snapshotId}::BIGINT`, name: "_snapshot_id" },
    { sql: `'${time}'::TIMESTAMPTZ`, name: "_commit_ts" },
  ]);
}

/** The columns that changes have by the table's present schema, before there are any. @throws FrazilError as `tableChanges`. */
export async function changeColumns(
  warehouse: QueryWarehouse,
  table: LoadedTable,
  choice: RowChoice,
): Promise<Pick<ResultRows, "names" | "types">> {
  const { names, types, close } = await diffSegments(warehouse, [], tableNow(table), choice, [
    { sql: "0::BIGINT", name: "_snapshot_id" },
    { sql: "NULL::TIMESTAMPTZ", name: "_commit_ts" },
  ]);
  await close();
  return { names, types };
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

function gapText(table: LoadedTable, { from, to }: Step): string {
  const name = identText(table.ident);
  return `${name}: snapshot ${to.snapshotId} does not follow ${from?.snapshotId} (a rollback, or expired history); their net change is given as one`;
}
