import {
  applyUpdates,
  highestFieldId,
  identText,
  type LoadedTable,
  type PartitionSpec,
  type Schema,
  type SortOrder,
  type TableIdent,
  type TableUpdate,
} from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import type { Position } from "../core/position.ts";
import { randomSnapshotId, randomUuid } from "../core/runtime.ts";
import { latestIds } from "../core/stream-id.ts";
import type { CommitContext } from "./context.ts";
import { laterOf } from "./merge-position.ts";
import { fileNames, markerProperty, tagName } from "./names.ts";
import { growingPauses, isOutage } from "./pauses.ts";
import { NO_FILES, refUpdates, snapshotChange, stampedSnapshot } from "./snapshot-change.ts";
import { readStamp, type Stamp } from "./stamp.ts";
import { tableMode } from "./table-mode.ts";
import { fencedError, readPipelineTag, type TrackedTable } from "./tracked-table.ts";

export interface NewTable {
  readonly ident: TableIdent;
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  readonly sortOrder: SortOrder;
  readonly formatVersion: 2 | 3;
  readonly properties: ReadonlyMap<string, string>;
}

const GIVE_UP_AFTER_MS = 300_000;

/**
 * Brings a table under the pipeline's fence before any commit of the checkpoint that needs it, empty and stamped with the position that
 * the pipeline has reached without it: a crash after this step loses none of its rows. Three cases: the table does not exist and is
 * created; it exists under an older epoch of this pipeline (left by a crash) and is fenced; it exists without this pipeline and is adopted.
 *
 * @param claim recorded in the creating transaction: names the pipeline's anchor table.
 * @throws FrazilError `fenced` when a newer or equal epoch holds it.
 */
export async function openTable(
  context: CommitContext,
  wanted: NewTable,
  stamp: Stamp,
  claim: { readonly key: string; readonly value: string } | null,
): Promise<TrackedTable> {
  const { catalog, runtime } = context;
  const snapshotId = randomSnapshotId(runtime.random);
  const uuid = randomUuid(runtime.random);
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS, context.giveUp);
  const name = identText(wanted.ident);
  const attemptOnce = async (attempt: number): Promise<TrackedTable | FrazilError> => {
    await catalog.ensureNamespace(wanted.ident.namespace);
    const existing = await catalog.loadTable(wanted.ident);
    const landed = existing?.metadata.snapshots.find((snapshot) => snapshot.snapshotId === snapshotId);
    if (existing !== null && landed !== undefined) {
      return tracked(existing, snapshotId, must(readStamp(landed), "our snapshots are stamped").position);
    }
    const tag = existing === null ? null : readPipelineTag(existing, context.pipeline);
    if (tag !== null && tag.stamp.epoch >= stamp.epoch) {
      throw fencedError(context.pipeline, stamp.epoch, `table ${name}`, tag.stamp.epoch);
    }
    // No change of this table lies at or below the given position, or the table would have been opened before.
    const position = tag === null ? stamp.position : laterOf(tag.stamp.position, stamp.position, context.comparePoints);
    const own: Stamp = {
      ...stamp,
      position,
      validThroughMs: tag?.stamp.validThroughMs ?? null,
      streams: latestIds([tag?.stamp.streams, stamp.streams]),
      totals: tag?.stamp.totals,
    };
    const change =
      existing === null
        ? await creation(context, wanted, own, snapshotId, uuid, attempt)
        : await takeover(
            context,
            existing,
            own,
            snapshotId,
            tag?.snapshot.snapshotId ?? null,
            attempt,
            wanted.properties,
          );
    runtime.step("create.sent");
    const result = await catalog.commit([change], claim ?? undefined);
    runtime.step("create.answered");
    if (result.outcome === "committed") {
      return tracked(must(result.tables[0], "one table a change"), snapshotId, position);
    }
    if (claim !== null) {
      const held = await catalog.readClaim(claim.key);
      if (held !== null && held !== claim.value) {
        throw fencedError(context.pipeline, stamp.epoch, `the anchor table ${held}`, stamp.epoch);
      }
    }
    return new FrazilError(
      result.outcome === "conflict" ? "conflict" : "unavailable",
      "TABLE_NOT_CREATED",
      `table ${name} could not be brought under the pipeline ${context.pipeline}: ${result.outcome === "conflict" ? result.message : String(result.cause)}`,
      { hint: "start the job again" },
    );
  };
  for (let attempt = 0; ; attempt++) {
    // A store that goes away after a lost answer must not end the loop: with another snapshot id the table would look like a successor's.
    const opened = await attemptOnce(attempt).catch((error: unknown) => {
      if (!isOutage(error)) throw error;
      runtime.log.warn("a table cannot be opened; trying again", { table: name, cause: error.message });
      return error;
    });
    if (!(opened instanceof FrazilError)) return opened;
    await pauses.next(() => opened);
  }
}

/**
 * The commit that puts an existing table under this epoch: an empty snapshot that asserts the tag as read and moves it.
 * @param properties for a table that no pipeline has written to yet.
 */
export async function takeover(
  context: CommitContext,
  existing: LoadedTable,
  stamp: Stamp,
  snapshotId: bigint,
  tagSnapshotId: bigint | null,
  attempt: number,
  properties: ReadonlyMap<string, string> = new Map(),
) {
  const scope = {
    tableLocation: existing.metadata.location,
    pipeline: stamp.pipeline,
    epoch: stamp.epoch,
    checkpoint: stamp.checkpoint,
  };
  const change = await snapshotChange(context, {
    base: existing,
    snapshotId,
    stamp,
    tagSnapshotId,
    files: NO_FILES,
    names: fileNames(scope, context.runtime.random),
    attempt,
    nowMs: context.runtime.clock.nowMs(),
  });
  if (tagSnapshotId !== null) return change;
  // A table from before there was this property keeps what its columns show.
  const own = tableMode(existing.metadata) === null ? properties : [];
  const mark: TableUpdate = { action: "set-properties", updates: new Map([...own, ...marker(stamp.pipeline)]) };
  return { ...change, updates: [mark, ...change.updates] };
}

async function creation(
  context: CommitContext,
  wanted: NewTable,
  stamp: Stamp,
  snapshotId: bigint,
  uuid: string,
  attempt: number,
) {
  const { catalog, runtime } = context;
  const location = catalog.defaultLocation(wanted.ident);
  const nowMs = runtime.clock.nowMs();
  const create: TableUpdate[] = [
    { action: "assign-uuid", uuid },
    { action: "upgrade-format-version", formatVersion: wanted.formatVersion },
    { action: "add-schema", schema: wanted.schema, lastColumnId: highestFieldId(wanted.schema) },
    { action: "set-current-schema", schemaId: -1 },
    { action: "add-spec", spec: wanted.spec },
    { action: "set-default-spec", specId: -1 },
    { action: "add-sort-order", sortOrder: wanted.sortOrder },
    { action: "set-default-sort-order", sortOrderId: -1 },
    { action: "set-location", location },
    {
      action: "set-properties",
      updates: new Map([...DEFAULT_PROPERTIES, ...wanted.properties, ...marker(stamp.pipeline)]),
    },
  ];
  const metadata = applyUpdates(null, create, { nowMs: BigInt(nowMs), previousMetadataLocation: null });
  const base: LoadedTable = { ident: wanted.ident, metadata, metadataLocation: "" };
  const scope = {
    tableLocation: location,
    pipeline: stamp.pipeline,
    epoch: stamp.epoch,
    checkpoint: stamp.checkpoint,
  };
  const snapshot = await stampedSnapshot(
    context,
    {
      base,
      snapshotId,
      stamp,
      tagSnapshotId: null,
      files: NO_FILES,
      names: fileNames(scope, runtime.random),
      attempt,
      nowMs,
    },
    wanted.schema,
  );
  return {
    ident: wanted.ident,
    requirements: [{ type: "assert-create" as const }],
    updates: [...create, ...refUpdates(snapshot, tagName(stamp.pipeline), null)],
  };
}

/** Engines that change rows of this table should write deletes beside the files, as the pipeline does, and old metadata files should go. */
const DEFAULT_PROPERTIES: ReadonlyMap<string, string> = new Map([
  ["write.delete.mode", "merge-on-read"],
  ["write.update.mode", "merge-on-read"],
  ["write.merge.mode", "merge-on-read"],
  ["write.parquet.compression-codec", "zstd"],
  ["write.metadata.previous-versions-max", "100"],
  ["write.metadata.delete-after-commit.enabled", "true"],
]);

function marker(pipeline: string): Map<string, string> {
  return new Map([[markerProperty(pipeline), tagName(pipeline)]]);
}

function tracked(loaded: LoadedTable, tagSnapshotId: bigint, position: Position): TrackedTable {
  return { name: identText(loaded.ident), loaded, tagSnapshotId, position };
}
