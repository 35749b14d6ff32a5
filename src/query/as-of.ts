import {
  currentSchema,
  currentSnapshot,
  FrazilError,
  identText,
  type LoadedTable,
  refSnapshot,
  type Schema,
  type Snapshot,
  snapshotAsOf,
  snapshotById,
  snapshotSchema,
} from "../../table-format/index.ts";
import { rfc3339Ms } from "../config/units.ts";

/** A table at one point of its history. */
export interface TableAt {
  readonly table: LoadedTable;
  /** Null for a table that holds no snapshot yet. */
  readonly snapshot: Snapshot | null;
  /** The snapshot's own schema; without a point in the past, the table's current one. */
  readonly schema: Schema;
}

/** A table at a point that the user named: there is always a snapshot. */
export interface PastTable extends TableAt {
  readonly snapshot: Snapshot;
}

/** The table as it is now. */
export function tableNow(table: LoadedTable): TableAt {
  return { table, snapshot: currentSnapshot(table.metadata), schema: currentSchema(table.metadata) };
}

/**
 * The table as of a point: a snapshot id, an RFC 3339 time (the snapshot that was current then) or the name of a tag or branch.
 *
 * @throws FrazilError `not-found`, code `SNAPSHOT_NOT_FOUND`, naming what there is.
 */
export function tableAsOf(table: LoadedTable, point: string): PastTable {
  const snapshot = findSnapshot(table, point);
  return { table, snapshot, schema: snapshotSchema(table.metadata, snapshot) };
}

/** The table as of a point, in a cut, or now (null). @throws FrazilError as `tableAsOf`, `tableInCut` */
export function tableAt(table: LoadedTable, asOf: string | Cut | null): TableAt {
  if (asOf === null) return tableNow(table);
  return typeof asOf === "string" ? tableAsOf(table, asOf) : tableInCut(table, asOf);
}

function findSnapshot(table: LoadedTable, point: string): Snapshot {
  const { metadata } = table;
  const named =
    refSnapshot(metadata, shownName(table, point)) ??
    (/^\d{1,19}$/.test(point) ? snapshotById(metadata, BigInt(point)) : null);
  if (named !== null) return named;
  const timeMs = rfc3339Ms(point);
  const found = timeMs === null ? null : snapshotAsOf(metadata, BigInt(timeMs));
  if (found !== null) return found;
  const name = identText(table.ident);
  throw new FrazilError(
    "not-found",
    "SNAPSHOT_NOT_FOUND",
    timeMs === null
      ? `${name} has no snapshot, tag or branch "${point}"`
      : `${name} has no snapshot at or before ${point}; ${oldestText(table)}`,
    {
      hint:
        /^\d{4}-\d{2}-\d{2}/.test(point) && timeMs === null
          ? "a time is written with its zone: 2026-11-20T09:00:00Z, or 2026-11-20T10:00:00+01:00"
          : `frazil snapshots ${name} lists what there is`,
    },
  );
}

/** Where a branch stands in for `main`, both are still called what the table calls them. */
function shownName({ branch }: LoadedTable, name: string): string {
  if (branch === undefined) return name;
  return name === "main" ? branch : name === branch ? "main" : name;
}

function oldestText(table: LoadedTable): string {
  const oldest = table.metadata.snapshots.reduce<Snapshot | null>(
    (first, snapshot) => (first === null || snapshot.timestampMs < first.timestampMs ? snapshot : first),
    null,
  );
  if (oldest === null) return "it holds none at all";
  return `the oldest is of ${new Date(Number(oldest.timestampMs)).toISOString()}`;
}

/** The tables of a consistent cut, by `namespace.table`: the snapshot that each is read at. */
export type Cut = ReadonlyMap<string, bigint>;

/**
 * The table as the cut has it.
 *
 * @throws FrazilError `config`, code `NOT_IN_CUT`, for a table that is not part of it; `not-found` when the snapshot is gone.
 */
export function tableInCut(table: LoadedTable, cut: Cut): PastTable {
  const name = identText(table.ident);
  const id = cut.get(name);
  if (id !== undefined) return tableAsOf(table, String(id));
  throw notInCut(name, cut);
}

/** The error for a table that the cut does not have. */
export function notInCut(name: string, cut: Cut): FrazilError {
  return new FrazilError("config", "NOT_IN_CUT", `table ${name} is not one that the job writes to`, {
    hint: `its tables are ${[...cut.keys()].join(", ")}`,
  });
}
