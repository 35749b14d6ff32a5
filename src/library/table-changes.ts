import type { DuckDBValue } from "@duckdb/node-api";
import type { Table as ArrowTable } from "apache-arrow";
import { FrazilError, type LoadedTable } from "../../table-format/index.ts";
import { FOLLOW_POLL_MS } from "../core/limits.ts";
import { arrowBatch, arrowSchema, arrowTable, changedColumns } from "../query/arrow-table.ts";
import { type CommitChanges, tableChanges } from "../query/changes.ts";
import { Consumer } from "../query/consumer.ts";
import type { QueryWarehouse } from "../query/query-warehouse.ts";
import { rowBatches } from "../query/row-batches.ts";
import { type Part, rowChoice } from "../query/row-choice.ts";
import { systemClock, systemRandom } from "../system.ts";
import { type Point, pastTable, pointText } from "./point.ts";
import { type Row, rowOf } from "./row.ts";

export interface ChangesOptions {
  /**
   * Where to begin. `now` (default): the rows that there are, as inserts; `latest`: with the next commit; `earliest`: with the oldest
   * snapshot that is held; else behind a snapshot id, a time, a tag or a branch.
   */
  readonly from?: Point | undefined;
  /** The last snapshot whose changes are told; by default the table's present one. Not together with `follow`. */
  readonly to?: Point | undefined;
  /** Go on with the commits to come. */
  readonly follow?: boolean | undefined;
  /** Aborting it ends the iteration, without an error. */
  readonly signal?: AbortSignal | undefined;
  /** The commits that there are at a look become one: the net change of each row. */
  readonly net?: boolean | undefined;
  /** Which columns, in this order; absent: all. A row that differs in others alone does not show. */
  readonly columns?: readonly string[] | undefined;
  /** A condition of DuckDB's SQL over the table's columns: the changes are those of the rows that fulfil it. Never put input into it. */
  readonly where?: string | undefined;
  /** One of several parts, for readers side by side: rows of one key are all in the same. */
  readonly part?: Part | undefined;
  /**
   * A name under which the warehouse keeps how far this reader has come; `commit` of a batch moves it on. `from` counts only until
   * there is a position. Whoever reads under the name last is the one: the reader before ends with `CONSUMER_TAKEN`.
   */
  readonly consumer?: string | undefined;
  /** Told when a rollback or expired history makes several commits one net change. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** A row before or after a change, with the columns of its snapshot's schema. */
export type ChangedRow = Row & {
  readonly _op: "insert" | "update_before" | "update_after" | "delete";
  readonly _snapshot_id: bigint;
  /** RFC 3339. */
  readonly _commit_ts: string;
};

/**
 * Changes of one commit, or a part of them. The columns are `_op` (`insert`, `update_before`, `update_after`, `delete`),
 * `_snapshot_id`, `_commit_ts`, then the table's as the snapshot's schema has them.
 */
export interface TableChanges {
  readonly snapshotId: bigint;
  readonly committedAt: Date;
  /** Whether these are the commit's last: from here `from: snapshotId` goes on. */
  readonly last: boolean;
  readonly length: number;
  /**
   * Stores that everything up to this commit has been handled, when the batch is the commit's last; else it does nothing, as it does
   * without a consumer. @throws FrazilError `fenced`, code `CONSUMER_TAKEN`; `unavailable`.
   */
  commit(): Promise<void>;
  rows(): ChangedRow[];
  toArrow(): ArrowTable;
}

/** A table's changes, commit by commit, in batches of up to 65,536. @throws FrazilError as `tableChanges`. */
export async function* changesOf(
  warehouse: QueryWarehouse,
  table: LoadedTable,
  options: ChangesOptions,
  closed: AbortSignal,
): AsyncGenerator<TableChanges, void, undefined> {
  const { from = "now", to, follow = false, net, consumer, signal, onNotice } = options;
  if (to !== undefined && (follow || consumer !== undefined)) {
    const other = follow ? "follow" : "consumer";
    throw new FrazilError("config", "BAD_RANGE", `changes: expected either ${other} or to, found both`);
  }
  const stop = signal === undefined ? closed : AbortSignal.any([closed, signal]);
  const begin = pointText(from);
  const place = { ...warehouse, runtime: { clock: systemClock, random: systemRandom } };
  const commits = tableChanges(warehouse, to === undefined ? table : asItStood(table, to), {
    from: begin,
    follow,
    stop,
    clock: systemClock,
    pollMs: FOLLOW_POLL_MS,
    notice: onNotice ?? (() => {}),
    net,
    choice: rowChoice(options),
    consumer: consumer === undefined ? undefined : await Consumer.claim(place, table, consumer, begin),
  });
  for await (const commit of commits) {
    // One batch ahead, to know which one is the last.
    let held: DuckDBValue[][] | null = null;
    for await (const rows of rowBatches(commit)) {
      if (stop.aborted) return;
      if (held !== null) yield changesBatch(commit, held, false);
      held = rows;
    }
    if (stop.aborted) return;
    if (held === null) await commit.foundEmpty();
    else yield changesBatch(commit, held, true);
  }
}

/** The table as if a past snapshot were still its current one. */
function asItStood(table: LoadedTable, point: Point): LoadedTable {
  const { snapshot } = pastTable(table, point);
  return { ...table, metadata: { ...table.metadata, currentSnapshotId: snapshot.snapshotId } };
}

function changesBatch(changes: CommitChanges, rows: DuckDBValue[][], last: boolean): TableChanges {
  const { snapshot, names } = changes;
  return {
    snapshotId: snapshot.snapshotId,
    committedAt: new Date(Number(snapshot.timestampMs)),
    last,
    length: rows.length,
    commit: async () => (last ? changes.commit() : undefined),
    rows: () => rows.map((row) => rowOf(names, row) as ChangedRow),
    toArrow() {
      const schema = arrowSchema(changedColumns(changes));
      return arrowTable(schema, [arrowBatch(schema, rows)]);
    },
  };
}
