import type { DuckDBValue } from "@duckdb/node-api";
import type { Table as ArrowTable } from "apache-arrow";
import { FrazilError, type LoadedTable } from "../../table-format/index.ts";
import { FOLLOW_POLL_MS } from "../core/limits.ts";
import { type CommitChanges, tableChanges } from "../query/changes.ts";
import type { QueryWarehouse } from "../query/query.ts";
import { systemClock } from "../system.ts";
import { arrowBatch, arrowSchema, arrowTable, type RowColumns } from "./arrow-table.ts";
import { type Point, pastTable, pointText } from "./point.ts";
import { type Row, rowOf } from "./row.ts";
import { rowBatches } from "./row-batches.ts";

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
  const { from = "now", to, follow = false, signal, onNotice } = options;
  if (follow && to !== undefined) {
    throw new FrazilError("config", "BAD_RANGE", "changes: expected either follow or to, found both");
  }
  const stop = signal === undefined ? closed : AbortSignal.any([closed, signal]);
  const commits = tableChanges(warehouse, to === undefined ? table : asItStood(table, to), {
    from: pointText(from),
    follow,
    stop,
    clock: systemClock,
    pollMs: FOLLOW_POLL_MS,
    notice: onNotice ?? (() => {}),
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
    if (held !== null) yield changesBatch(commit, held, true);
  }
}

/** The table as if a past snapshot were still its current one. */
function asItStood(table: LoadedTable, point: Point): LoadedTable {
  const { snapshot } = pastTable(table, point);
  return { ...table, metadata: { ...table.metadata, currentSnapshotId: snapshot.snapshotId } };
}

function changesBatch({ snapshot, names, types }: CommitChanges, rows: DuckDBValue[][], last: boolean): TableChanges {
  // A deleted row may be older than the rule that a column is never null.
  const columns: RowColumns = { names, types, required: new Set(names.slice(0, 3)) };
  return {
    snapshotId: snapshot.snapshotId,
    committedAt: new Date(Number(snapshot.timestampMs)),
    last,
    length: rows.length,
    rows: () => rows.map((row) => rowOf(names, row) as ChangedRow),
    toArrow() {
      const schema = arrowSchema(columns);
      return arrowTable(schema, [arrowBatch(schema, rows)]);
    },
  };
}
