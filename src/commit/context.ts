import type { Catalog, FileIO, ManifestCache } from "../../table-format/index.ts";
import type { Figures } from "../core/figures.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Source } from "../core/source.ts";
import type { StreamIds } from "../core/stream-id.ts";
import type { CommitQueue } from "./commit-queue.ts";

/** What every part of the commit protocol needs. */
export interface CommitContext {
  readonly pipeline: string;
  readonly catalog: Catalog;
  readonly io: FileIO;
  /** Manifests that were read; they never change. */
  readonly manifests: ManifestCache;
  readonly warehouseLocation: string;
  readonly runtime: Runtime;
  /** Aborted when outages and conflicts are to be waited for no longer: the job was told to end. */
  readonly giveUp?: AbortSignal | undefined;
  /** Shared by all who commit in this process; absent where nobody else does. */
  readonly queue?: CommitQueue | undefined;
  /** Counts commits, conflicts and retries; absent where nobody reads them. */
  readonly figures?: Figures | undefined;
  /** Uncompressed bytes of a row group of the files that are written; absent: as many as the encoder takes by itself. */
  readonly rowGroupBytes?: number | undefined;
  readonly comparePoints: Source["comparePoints"];
  /** The streams that are read as of now; absent without a source that can tell. */
  readonly streamIds?: (() => StreamIds) | undefined;
}
