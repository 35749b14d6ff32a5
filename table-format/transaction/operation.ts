import type { Catalog, TableIdent } from "../catalog/catalog.ts";
import type { CatalogContext } from "../catalog/commit-file.ts";
import type { FileIO } from "../io/file-io.ts";
import type { ManifestCache } from "../manifest/manifest-reader.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import type { SnapshotNames } from "./snapshot-producer.ts";

/** What a writer of tables is handed: where tables and files are, and what stands in for clock and random numbers. */
export interface WriteContext extends CatalogContext {
  readonly catalog: Catalog;
  readonly io: FileIO;
  /** Waits before the next attempt, milliseconds. */
  sleep(durationMs: number): Promise<void>;
  /** Manifests that were read before; absent: each attempt reads them anew. */
  readonly manifests?: ManifestCache | undefined;
}

/** One attempt at one operation. */
export interface OperationAttempt {
  readonly context: WriteContext;
  readonly ident: TableIdent;
  /** The table as it is now, with what operations before it in the same commit do to it. */
  readonly base: TableMetadata;
  /** The table as the caller knew it: a conflict is what others have committed since. */
  readonly started: TableMetadata;
  /** The same at every attempt: the answer to a lost response. */
  readonly snapshotId: bigint;
  /** Snapshots of the same commit, which conflict with none of its operations. */
  readonly ownSnapshotIds: ReadonlySet<bigint>;
  readonly timestampMs: bigint;
  readonly names: OperationNames;
}

/** Full locations that nobody used before. A file that is named here belongs to the attempt: it goes if the attempt certainly failed. */
export interface OperationNames extends SnapshotNames {
  /** A file of deletion vectors or of position deletes. */
  deleteFile(extension: "puffin" | "parquet"): string;
}

/** A change of a table that can be committed, alone or with others: made by `appendFiles`, `rowDelta`, `updateSchema` and so on. */
export interface TableOperation {
  /** As messages name it. */
  readonly name: string;
  /**
   * Checks the change against the base and says what it does to its metadata; asked anew at every attempt. Nothing: the table is
   * already as it is to be.
   * @throws FrazilError kind `conflict` when what others have committed since forbids it; `data` when it is wrong in itself.
   */
  updates(attempt: OperationAttempt): Promise<readonly TableUpdate[]>;
}
