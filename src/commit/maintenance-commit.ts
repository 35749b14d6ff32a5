import {
  currentSchema,
  identText,
  type LoadedTable,
  produceSnapshot,
  type TableRequirement,
} from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { randomSnapshotId } from "../core/runtime.ts";
import type { CommitContext } from "./context.ts";
import type { FileNames } from "./names.ts";
import { growingPauses } from "./pauses.ts";
import type { FileChanges } from "./snapshot-change.ts";
import { readStamp } from "./stamp.ts";

export type MaintenanceContext = Pick<CommitContext, "catalog" | "io" | "manifests" | "runtime">;

const GIVE_UP_AFTER_MS = 120_000;

/**
 * Commits a `replace` snapshot: the same rows in other files. `main` and every pipeline's tag are asserted as they are in the base that
 * the files were made for, and each tag must be under the epoch that it had in `planned`: a compactor that a newer epoch has overtaken
 * must not put files into the table which that epoch may already have taken for garbage. The tags do not move.
 *
 * @param filesFor the files on a base, asked at every attempt; null: nothing is left to do.
 * @returns the snapshot's id, or null. @throws FrazilError `conflict`, `fenced`, `unavailable`. No file is ever deleted.
 */
export async function commitReplace(
  context: MaintenanceContext,
  planned: LoadedTable,
  names: FileNames,
  filesFor: (base: LoadedTable) => Promise<FileChanges | null>,
): Promise<bigint | null> {
  const { catalog, io, manifests, runtime } = context;
  const { ident } = planned;
  const name = identText(ident);
  const snapshotId = randomSnapshotId(runtime.random);
  const epochs = epochsOf(planned);
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS);
  for (let attempt = 0; ; attempt++) {
    const base = await catalog.loadTable(ident);
    if (base === null || base.metadata.tableUuid !== planned.metadata.tableUuid) {
      throw new FrazilError("data", "TABLE_REPLACED", `table ${name} was dropped or replaced meanwhile`);
    }
    // After a lost answer our id tells that the request took effect; sending it again is safe, as at most one can.
    if (base.metadata.snapshots.some((snapshot) => snapshot.snapshotId === snapshotId)) return snapshotId;
    if (epochsOf(base) !== epochs) {
      throw new FrazilError("conflict", "EPOCH_CHANGED", `a job of table ${name} was started anew meanwhile`, {
        hint: "run it again",
      });
    }
    const files = await filesFor(base);
    if (files === null) return null;
    const { metadata } = base;
    const { snapshot } = await produceSnapshot(
      io,
      metadata,
      {
        snapshotId,
        timestampMs: BigInt(runtime.clock.nowMs()),
        operation: "replace",
        ...files,
        summary: new Map(),
        schema: currentSchema(metadata),
        ref: "main",
      },
      {
        manifest: (index) => names.manifest(attempt, index),
        manifestList: () => names.manifestList(snapshotId, attempt),
      },
      manifests,
    );
    const main = metadata.refs.get("main");
    const outcome = await catalog.commit([
      {
        ident,
        requirements: [
          { type: "assert-table-uuid", uuid: metadata.tableUuid },
          { type: "assert-ref-snapshot-id", ref: "main", snapshotId: metadata.currentSnapshotId },
          ...tagAssertions(base),
          { type: "assert-current-schema-id", currentSchemaId: metadata.currentSchemaId },
        ],
        updates: [
          { action: "add-snapshot", snapshot },
          { action: "set-snapshot-ref", name: "main", ref: { ...main, type: "branch", snapshotId } },
        ],
      },
    ]);
    if (outcome.outcome === "committed") return snapshotId;
    await pauses.next(() =>
      outcome.outcome === "conflict"
        ? new FrazilError("conflict", "COMMIT_CONFLICT", `table ${name}: ${outcome.message}`)
        : new FrazilError("unavailable", "COMMIT_UNKNOWN", `table ${name}: a commit got no answer`, {
            cause: outcome.cause,
          }),
    );
  }
}

/** The pipeline that writes to a table, with its epoch; null when there is none, or several. */
export function soleOwner(table: LoadedTable): { readonly pipeline: string; readonly epoch: bigint } | null {
  const [first, ...others] = pipelineTags(table);
  if (first === undefined || others.length > 0) return null;
  const [, { snapshotId }] = first;
  const snapshot = table.metadata.snapshots.find((each) => each.snapshotId === snapshotId);
  return snapshot === undefined ? null : readStamp(snapshot);
}

function pipelineTags({ metadata }: LoadedTable) {
  return [...metadata.refs].filter(([name, ref]) => name.startsWith("ingest.") && ref.type === "tag");
}

function tagAssertions(base: LoadedTable): TableRequirement[] {
  return pipelineTags(base).map(([ref, { snapshotId }]) => ({ type: "assert-ref-snapshot-id", ref, snapshotId }));
}

function epochsOf(table: LoadedTable): string {
  const epochs = pipelineTags(table).map(([name, { snapshotId }]) => {
    const snapshot = table.metadata.snapshots.find((each) => each.snapshotId === snapshotId);
    return `${name} ${snapshot === undefined ? "" : (readStamp(snapshot)?.epoch ?? "")}`;
  });
  return epochs.toSorted().join("\n");
}
