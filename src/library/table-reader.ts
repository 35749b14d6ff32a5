import type { RecordBatch, Table as ArrowTable } from "apache-arrow";
import { identText, type LoadedTable, type Schema } from "../../table-format/index.ts";
import { arrowBatch, arrowSchema, arrowTable } from "../query/arrow-table.ts";
import { type TableAt, tableNow } from "../query/as-of.ts";
import type { QueryWarehouse } from "../query/query-warehouse.ts";
import { rowBatches } from "../query/row-batches.ts";
import { type Part, rowChoice } from "../query/row-choice.ts";
import { openScan } from "../query/scan.ts";
import { type Point, pastTable } from "./point.ts";
import { type Row, rowOf } from "./row.ts";
import { type ChangesOptions, changesOf, type TableChanges } from "./table-changes.ts";

export interface ColumnOptions {
  /** Which columns, in this order; absent: all. */
  readonly columns?: readonly string[] | undefined;
  /** A condition of DuckDB's SQL over the table's columns, such as `total > 100`. Never put input into it. */
  readonly where?: string | undefined;
  /** One of several parts, each of some of the data files; absent: all. */
  readonly part?: Part | undefined;
}

/** A table at one snapshot: whenever it is read, its rows are the same. */
export interface TableView {
  /** `namespace.table`. */
  readonly name: string;
  /** As the snapshot has it. */
  readonly schema: Schema;
  /** Null for a table without a snapshot. */
  readonly snapshotId: bigint | null;
  /** All rows in memory, in record batches of 65,536. @throws FrazilError `unsupported` for what cannot be read. */
  toArrow(options?: ColumnOptions): Promise<ArrowTable>;
  /**
   * `n` parts that together hold every row once, for `rows`, `toArrow` and `changes` of readers side by side, here or in other
   * processes: `view.rows({ part })` at the same snapshot.
   */
  parts(n: number): Part[];
  /** Row by row. Leaving the loop early frees what it held. */
  rows(options?: ColumnOptions): AsyncIterableIterator<Row>;
}

/** A table as it stood when it was opened; `openWarehouse(…).table(…)` again sees later commits. */
export interface TableReader extends TableView {
  /** Oldest first. */
  snapshots(): SnapshotInfo[];
  /** The table at a snapshot id, at a time, or at a tag. @throws FrazilError `not-found`, code `SNAPSHOT_NOT_FOUND`. */
  asOf(point: Point): TableView;
  /** What changed, commit by commit; with `follow` also what will. */
  changes(options?: ChangesOptions): AsyncIterableIterator<TableChanges>;
}

export interface SnapshotInfo {
  readonly snapshotId: bigint;
  readonly parentId: bigint | null;
  readonly committedAt: Date;
  /** `append`, `overwrite`, `delete` or `replace`. */
  readonly operation: string;
  /** Tags and branches that name it. */
  readonly refs: readonly string[];
  /** Everything that the commit says of itself. */
  readonly summary: ReadonlyMap<string, string>;
}

/** @param closed Aborted when the warehouse is. */
export function tableReader(warehouse: QueryWarehouse, table: LoadedTable, closed: AbortSignal): TableReader {
  return {
    ...tableView(warehouse, tableNow(table)),
    snapshots: () => snapshotInfos(table),
    asOf: (point) => tableView(warehouse, pastTable(table, point)),
    changes: (options = {}) => changesOf(warehouse, table, options, closed),
  };
}

function tableView(warehouse: QueryWarehouse, at: TableAt): TableView {
  return {
    name: identText(at.table.ident),
    schema: at.schema,
    snapshotId: at.snapshot?.snapshotId ?? null,
    parts: (n) => Array.from({ length: n }, (_, index) => ({ index, of: n })),
    async toArrow(options = {}) {
      const scan = await openScan(warehouse, at, rowChoice(options));
      try {
        const schema = arrowSchema(scan);
        const batches: RecordBatch[] = [];
        for await (const rows of rowBatches(scan)) batches.push(arrowBatch(schema, rows));
        return arrowTable(schema, batches);
      } finally {
        await scan.close();
      }
    },
    async *rows(options = {}) {
      const scan = await openScan(warehouse, at, rowChoice(options));
      try {
        for await (const chunk of scan.chunks()) for (const values of chunk) yield rowOf(scan.names, values);
      } finally {
        await scan.close();
      }
    },
  };
}

function snapshotInfos({ metadata }: LoadedTable): SnapshotInfo[] {
  const refs = [...metadata.refs];
  return metadata.snapshots
    .toSorted((a, b) => Number(a.sequenceNumber - b.sequenceNumber))
    .map((snapshot) => ({
      snapshotId: snapshot.snapshotId,
      parentId: snapshot.parentSnapshotId,
      committedAt: new Date(Number(snapshot.timestampMs)),
      operation: snapshot.summary.get("operation") ?? "append",
      refs: refs.filter(([, ref]) => ref.snapshotId === snapshot.snapshotId).map(([name]) => name),
      summary: snapshot.summary,
    }));
}
