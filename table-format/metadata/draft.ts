import { FrazilError } from "../errors.ts";
import type { TableMetadata } from "./table-metadata.ts";

/** Table metadata while updates are applied to it, one after another. */
export interface Draft {
  /** What the updates started from; null for a creation. */
  readonly base: TableMetadata | null;
  readonly nowMs: bigint;
  /** Replaced as a whole by each update; never mutated. */
  metadata: TableMetadata;
  /** What -1 stands for in `set-*`: the id that the last `add-*` of this list gave or found. */
  lastSchemaId: number | null;
  lastSpecId: number | null;
  lastSortOrderId: number | null;
  /** Snapshots added by this list. */
  readonly added: Set<bigint>;
}

/** Before the first update of a creation. */
const NOTHING: TableMetadata = {
  formatVersion: 2,
  tableUuid: "",
  location: "",
  lastSequenceNumber: 0n,
  lastUpdatedMs: 0n,
  lastColumnId: 0,
  currentSchemaId: -1,
  schemas: [],
  defaultSpecId: -1,
  partitionSpecs: [],
  lastPartitionId: 999,
  defaultSortOrderId: -1,
  sortOrders: [],
  properties: new Map(),
  currentSnapshotId: null,
  nextRowId: 0n,
  refs: new Map(),
  snapshots: [],
  snapshotLog: [],
  metadataLog: [],
  unknownFields: new Map(),
};

/** A draft of changes to `base`. */
export function newDraft(base: TableMetadata | null, nowMs: bigint): Draft {
  const blank = { lastSchemaId: null, lastSpecId: null, lastSortOrderId: null };
  return { ...blank, base, nowMs, metadata: base ?? NOTHING, added: new Set() };
}

/** Puts changed fields into the draft's metadata. */
export function change(draft: Draft, fields: Partial<TableMetadata>): void {
  draft.metadata = { ...draft.metadata, ...fields };
}

/** An update that is wrong whatever the table holds. */
export function invalid(message: string): FrazilError {
  return new FrazilError("data", "INVALID_UPDATE", message);
}

/** An update that does not fit what the table holds now: somebody else was faster, or the caller looked at old metadata. */
export function stale(message: string): FrazilError {
  return new FrazilError("conflict", "STALE_UPDATE", message);
}
