import type { LoadedTable, TableIdent } from "../../../table-format/index.ts";
import type { MaintenanceKind, MaintenanceTask } from "../../core/maintenance.ts";
import type { MovedInOrder } from "../compact/compact.ts";
import type { ExpireContext } from "../expire/expire.ts";
import type { TableLocation } from "./known-tables.ts";
import { NO_EFFECT, type RunEffect } from "../history/run-record.ts";

/** What maintenance works with: that of one process, on all tables of a warehouse. */
export interface MaintenancePlace extends ExpireContext {
  /** Aborted when nothing more is to be begun: what is done in several commits ends after the present one. */
  readonly stop: AbortSignal;
  /** Bytes that a rewrite may hold. */
  readonly memoryBytes: number;
  /** Where all tables of the catalog lie. */
  readonly locations: () => Promise<readonly TableLocation[]>;
  /** See `CompactOptions`; for who holds what it knows of rows in this process. */
  readonly moved?: ((table: TableIdent, rows: MovedInOrder) => void) | undefined;
}

/** One task that is due for one table. */
export interface DueRun<K extends MaintenanceKind = MaintenanceKind> {
  /** As it was when the run began. */
  readonly table: LoadedTable;
  readonly task: MaintenanceTask<K>;
  /** The point of the schedule, milliseconds since 1970 UTC. */
  readonly pointMs: number;
  /** To be called before the first change: from then on the history tells of the run, however it ends. */
  begin(): Promise<void>;
}

/** What a run has come to, unless it throws. */
export interface RunEnd extends RunEffect {
  readonly outcome: "done" | "nothing";
  readonly reason: string | null;
}

/** The end of a run that has not begun to change anything. */
export function nothingDone(reason: string): RunEnd {
  return { ...NO_EFFECT, outcome: "nothing", reason };
}

/**
 * How one kind is done: it plans on the table as it is, changes it by commits of `src/commit` alone, and may be repeated.
 * @throws FrazilError `config` and `unsupported` where the table does not allow it; others when it failed.
 */
export type RunKind<K extends MaintenanceKind> = (place: MaintenancePlace, run: DueRun<K>) => Promise<RunEnd>;
