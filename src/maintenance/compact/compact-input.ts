import type { LiveFile } from "../../../table-format/index.ts";

/** A data file as the manifests have it when the plan is made. */
export interface CompactInput {
  readonly live: LiveFile;
  /** By the manifests: no delete file is read for a plan. */
  readonly deletedRows: number;
}
