import { FrazilError, type LoadedTable, snapshotById, snapshotSchema } from "../../table-format/index.ts";
import { type PastTable, tableAsOf } from "../query/as-of.ts";

/** A point of a table's history: a snapshot id, a time, or a tag, branch or RFC 3339 time as text. */
export type Point = bigint | Date | string;

/** A point as the command line writes it. @throws FrazilError `config` for an invalid `Date`. */
export function pointText(point: Point): string {
  if (!(point instanceof Date)) return String(point);
  if (!Number.isNaN(point.getTime())) return point.toISOString();
  throw new FrazilError("config", "BAD_TIME", "expected a valid Date, found Invalid Date");
}

/** The table at a point. @throws FrazilError `not-found`, code `SNAPSHOT_NOT_FOUND`, naming what there is. */
export function pastTable(table: LoadedTable, point: Point): PastTable {
  const snapshot = typeof point === "bigint" ? snapshotById(table.metadata, point) : null;
  if (snapshot === null) return tableAsOf(table, pointText(point));
  return { table, snapshot, schema: snapshotSchema(table.metadata, snapshot) };
}
