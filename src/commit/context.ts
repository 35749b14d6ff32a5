import type { Catalog, FileIO, ManifestCache } from "../../table-format/index.ts";
import type { Figures } from "../core/figures.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Source } from "../core/source.ts";

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
  /** Counts commits, conflicts and retries; absent where nobody reads them. */
  readonly figures?: Figures | undefined;
  readonly comparePoints: Source["comparePoints"];
}
