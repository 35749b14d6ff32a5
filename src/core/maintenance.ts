import type { Schedule } from "./schedule.ts";

/** What each kind of maintenance can be told. A new kind is a line here, one in `config/maintenance-schema.ts` and one in `maintenance/service/kinds.ts`. */
interface TaskSettings {
  readonly compact: {
    /** The size that files are joined up to. */
    readonly targetSizeBytes: number;
    /** How many small ones it takes at least. */
    readonly minFiles: number;
    /** From which share of deleted rows on a file is rewritten for its deletes alone. */
    readonly deleteRatio: number;
    /** The share of one core's time that a rewrite may take. */
    readonly pace: number;
    /** How the rows of new files stand; null: as they stood, or in the order that all the old files have. */
    readonly arrange: { readonly sortBy: readonly string[] } | { readonly zOrder: readonly string[] } | null;
    /** A condition on the files that are taken; null: all. */
    readonly where: string | null;
  };
  /** Of all columns of primitive types. */
  readonly analyze: unknown;
  /** As the table's own properties say. */
  readonly rewrite_manifests: unknown;
  /** Files that no name decides are garbage from this age on; `foreign`: also those of other writers. */
  readonly clean_orphans: { readonly olderThanMs: number; readonly foreign: boolean };
  /** Null: as the table says itself, see `retentionPolicy`. */
  readonly expire: {
    readonly keepMs: number | null;
    readonly minSnapshots: number | null;
    readonly maxSnapshots: number | null;
  };
  /** `name` comes before the point of time in the tag's name; after `keepMs` expiry may take it away. */
  readonly tag: { readonly name: string; readonly keepMs: number };
}

export type MaintenanceKind = keyof TaskSettings;

/** One thing to be done to a table by a schedule. */
export type MaintenanceTask<K extends MaintenanceKind = MaintenanceKind> = {
  [Kind in K]: { readonly kind: Kind; readonly schedule: Schedule } & TaskSettings[Kind];
}[K];

/** Tells the tasks of a table apart: `compact`, `tag daily`. */
export function taskName(task: MaintenanceTask): string {
  return task.kind === "tag" ? `tag ${task.name}` : task.kind;
}
