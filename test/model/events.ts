/**
 * What a run of the engine tells of itself, so that the run can be held against the protocol (`conforms`). Whoever stands between the engine
 * and its catalog and store writes the log: an event stands where it took effect, whatever the engine came to know of it.
 *
 * The names are those of the steps of the models in this folder.
 */
export type ProtocolEvent =
  | { readonly event: "start"; readonly process: string }
  /** Metadata was read. `main`, `tag`: what the refs named; null where there is none. Both null for a table that is not there. */
  | {
      readonly event: "load";
      readonly process: string;
      readonly table: string;
      readonly main: string | null;
      readonly tag: string | null;
    }
  /** A data or delete file is durable. */
  | { readonly event: "prepare"; readonly process: string; readonly table: string; readonly file: string }
  /** A request left for the catalog; each attempt has another `request`. */
  | {
      readonly event: "commit sent";
      readonly request: string;
      readonly process: string;
      readonly changes: readonly SentChange[];
    }
  /** It took effect: at once, late, or once more. */
  | { readonly event: "commit applied"; readonly request: string }
  /** It certainly did not. */
  | { readonly event: "commit refused"; readonly request: string }
  /** The sender will never know what became of it. */
  | { readonly event: "answer lost"; readonly request: string }
  /** The ledger has been replaced. */
  | {
      readonly event: "ledger applied";
      readonly process: string;
      readonly epoch: number;
      readonly checkpoint: number;
      readonly position: LoggedPosition;
      /** Snapshots of the cut by table. */
      readonly tables: Readonly<Record<string, string>>;
    }
  /** The source may forget what lies before. */
  | { readonly event: "acknowledge"; readonly process: string; readonly position: LoggedPosition }
  /** A file was deleted: by expiry or as garbage. */
  | { readonly event: "delete"; readonly process: string; readonly table: string; readonly file: string }
  /** The process is gone without a word. */
  | { readonly event: "crash"; readonly process: string }
  | { readonly event: "exit"; readonly process: string; readonly reason: "done" | "fenced" | "operator" | "again" };

/** Points by split. */
export type LoggedPosition = Readonly<Record<string, number>>;

/** One table's part of a request. Snapshot ids as text. */
export interface SentChange {
  readonly table: string;
  /**
   * `create`: a new table, or one that is adopted. `fence`: an empty snapshot under a new epoch. `checkpoint`: rows, or the position alone. `replace`:
   * the same rows in other files. `rollback`: a new snapshot on an old one. `expire`: snapshots go. `evolve`: the schema changes. `foreign`:
   * somebody else's.
   */
  readonly kind: "create" | "fence" | "checkpoint" | "replace" | "rollback" | "expire" | "evolve" | "foreign";
  /** The snapshot that is added; null where none is. */
  readonly snapshot: string | null;
  /** Its parent, null for none. */
  readonly parent: string | null;
  /** What `main` and the pipeline's tag have to name, null: there must be no such ref; absent: not asserted. */
  readonly assertMain?: string | null;
  readonly assertTag?: string | null;
  /** What they name afterwards, null: they are removed; absent: they stay. */
  readonly setMain?: string | null;
  readonly setTag?: string | null;
  /** Of snapshots of the pipeline. */
  readonly stamp?: { readonly epoch: number; readonly checkpoint: number; readonly position: LoggedPosition };
  /** Files that the snapshot holds and its parent does not, and those that it leaves out. */
  readonly added?: readonly string[];
  readonly removed?: readonly string[];
  /** Snapshots that go. */
  readonly expired?: readonly string[];
}

/** Whether a log is a run of the protocol; if not, the index of the first event that cannot be, and why. */
export type Conformance = { readonly ok: true } | { readonly ok: false; readonly at: number; readonly why: string };
