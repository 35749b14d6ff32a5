import {
  currentSchema,
  type DataFile,
  deletedPositions,
  identText,
  type LoadedTable,
  RoaringBitmap,
  type SnapshotPlan,
  writeDeletionVectors,
  writePositionDeletes,
} from "../../../table-format/index.ts";
import { commitReplace, loadAgain, type MaintenanceContext, soleOwner } from "../../commit/maintenance-commit.ts";
import { type FileNames, maintenanceNames } from "../../commit/names.ts";
import type { FileChanges } from "../../commit/snapshot-change.ts";
import { FrazilError, must } from "../../core/errors.ts";
import { COMPACT_MEMORY_BYTES } from "../../core/limits.ts";
import { randomHex8 } from "../../core/runtime.ts";
import { arrangementText } from "./arrangement.ts";
import type { Scratch } from "./external-sort.ts";
import { headPlan } from "./head.ts";
import { createPacer, type Pacer } from "./pacer.ts";
import { pinned } from "./pin.ts";
import { bytesOf, type CompactGroup, type CompactPlan } from "./plan.ts";
import { remapDeaths } from "./remap.ts";
import { rewriteFiles, type RewriteInput, type Rewritten } from "./rewrite.ts";

export interface CompactOptions {
  /** Share of the time that the rewrite may take of one core, above 0 to 1 (default 1): with less it rests, and ingestion keeps its freshness. */
  readonly pace?: number | undefined;
  /** Where sorted runs go that memory does not hold; by default into the folder `_scratch` of the table. */
  readonly scratch?: Scratch | undefined;
  /** Ends the compaction between two batches; what is not committed then is not. */
  readonly signal?: AbortSignal | undefined;
  /** Holds the snapshot that is read with a tag, so that an expiry elsewhere leaves its files (default true). */
  readonly pin?: boolean | undefined;
  /** Told of rows that moved in their order, as soon as the commit is known and before this process commits to the table again. */
  readonly moved?: ((rows: MovedInOrder) => void) | undefined;
}

/** Where rows went: enough to find a row of an old file in the new one without reading any. */
export interface MovedInOrder {
  /** The files that were rewritten, in order, with the rows that were left out as deleted. */
  readonly from: readonly { readonly file: DataFile; readonly deleted: RoaringBitmap }[];
  /** Its rows are the others, laid end to end. Those that were deleted meanwhile are deleted in it by the same commit. */
  readonly to: DataFile;
}

export interface CompactedGroup {
  readonly partition: string;
  /** How the rows stand: `in their order`, `sorted by …`, `z-ordered by …`. */
  readonly arrangement: string;
  /** Null: nothing was committed. */
  readonly snapshotId: bigint | null;
  /** Why nothing was committed. */
  readonly skipped: string | null;
  readonly filesBefore: number;
  readonly bytesBefore: bigint;
  readonly filesAfter: number;
  readonly bytesAfter: bigint;
  /** Rows in the new files. */
  readonly rows: bigint;
  readonly durationMs: number;
  /** Whether the rows stand as they stood; null when nothing was committed. */
  readonly orderKept: boolean | null;
}

/**
 * Rewrites the planned groups, one commit each, while others write to the table. Rows that they delete meanwhile are deleted in the
 * new files by the same commit (see `remapDeaths`). A group's deletes are read when its turn comes, and nothing of it is kept after it.
 */
export async function* runCompaction(
  context: MaintenanceContext,
  plan: CompactPlan,
  options: CompactOptions = {},
): AsyncGenerator<CompactedGroup> {
  const { pace = 1, signal } = options;
  const pacer = createPacer(context.runtime.clock, pace, signal);
  if (plan.groups.length === 0) return;
  const pin = options.pin === false ? null : await pinned(context, plan.table);
  try {
    for (const group of plan.groups) {
      if (signal?.aborted === true) return;
      yield await compactGroup(context, plan, group, options, pacer);
    }
  } catch (error) {
    if (signal?.aborted !== true || error !== signal.reason) throw error;
  } finally {
    await pin?.release();
  }
}

async function compactGroup(
  context: MaintenanceContext,
  plan: CompactPlan,
  group: CompactGroup,
  options: CompactOptions,
  pacer: Pacer,
): Promise<CompactedGroup> {
  const { clock, random } = context.runtime;
  const startedMs = clock.monotonicMs();
  const sinceMs = clock.nowMs();
  const table = await loadAgain(context, plan.table);
  const inputs = await inputsNow(context, table, group);
  const report = {
    partition: group.partition,
    arrangement: arrangementText(group.arrangement, currentSchema(table.metadata)),
    filesBefore: group.inputs.length,
    bytesBefore: bytesOf(group.inputs),
  };
  const nothing = (skipped: string): CompactedGroup => ({
    ...report,
    snapshotId: null,
    skipped,
    filesAfter: 0,
    bytesAfter: 0n,
    rows: 0n,
    durationMs: clock.monotonicMs() - startedMs,
    orderKept: null,
  });
  if (inputs === null) return nothing("its files were rewritten or dropped by other commits");
  const names = maintenanceNames(table.metadata.location, soleOwner(table), random);
  const scratch = {
    io: options.scratch?.io ?? context.io,
    folder: `${options.scratch?.folder ?? `${table.metadata.location}/_scratch`}/${randomHex8(random)}${randomHex8(random)}`,
  };
  const rewritten = await rewriteFiles(context, {
    table,
    names,
    inputs,
    arrangement: group.arrangement,
    sortOrderId: group.sortOrderId,
    fileSizeBytes: outputSize(group, plan),
    memoryBytes: plan.settings.memoryBytes ?? COMPACT_MEMORY_BYTES,
    scratch,
    pacer,
  });
  let added: readonly DataFile[] = [];
  const snapshotId = await commitReplace(context, table, names, {
    sinceMs,
    async filesFor(base) {
      const changes = await changesOn(context, base, table, names, inputs, rewritten);
      added = changes?.addedDataFiles ?? [];
      return changes;
    },
    committed() {
      const [to, ...others] = added;
      if (to === undefined || others.length > 0 || rewritten.permutation !== null) return;
      options.moved?.({ from: inputs.map(({ live, deleted }) => ({ file: live.file, deleted })), to });
    },
  });
  if (snapshotId === null) return nothing("its files were rewritten or dropped by other commits");
  return {
    ...report,
    snapshotId,
    skipped: null,
    filesAfter: added.length,
    bytesAfter: added.reduce((sum, { fileSizeBytes }) => sum + fileSizeBytes, 0n),
    rows: added.reduce((sum, { recordCount }) => sum + recordCount, 0n),
    durationMs: clock.monotonicMs() - startedMs,
    orderKept: rewritten.permutation === null,
  };
}

/** A group's files as they are now, with their deleted rows; null when too few are left to be worth it. */
async function inputsNow(
  context: MaintenanceContext,
  table: LoadedTable,
  { inputs, arrangement, moves }: CompactGroup,
): Promise<readonly RewriteInput[] | null> {
  const head = await headPlan(context, table);
  const present = presentFiles(head);
  const left = inputs.filter(({ live }) => present.has(live.file.filePath));
  if (left.length === 0) return null;
  const plain = arrangement.kind === "keep" && !moves;
  const hasDeletes = left.some(({ live }) => head.deletes.has(live.file.filePath));
  if (plain && left.length === 1 && inputs.length > 1 && !hasDeletes) return null;
  const files = left.map(({ live }) => must(present.get(live.file.filePath), "a file that is live"));
  const reader = deletedPositions(context.io);
  return Promise.all(
    files.map(async (live) => ({
      live,
      deleted: await reader.of(live.file, head.deletes.get(live.file.filePath) ?? []),
    })),
  );
}

/** What is to be committed on a base; null when none of the old files is live any more. */
async function changesOn(
  { io, ...context }: MaintenanceContext,
  base: LoadedTable,
  table: LoadedTable,
  names: FileNames,
  inputs: readonly RewriteInput[],
  { outputs, permutation }: Rewritten,
): Promise<FileChanges | null> {
  const { formatVersion } = table.metadata;
  if (base.metadata.formatVersion !== formatVersion) {
    throw new FrazilError("conflict", "FORMAT_VERSION", `table ${identText(base.ident)} was upgraded meanwhile`);
  }
  const head = await headPlan({ io, ...context }, base);
  const present = presentFiles(head);
  const live = inputs.flatMap((input) => present.get(input.live.file.filePath) ?? []);
  if (live.length === 0) return null;
  const reader = deletedPositions(io);
  const now = await Promise.all(
    inputs.map(async ({ live: { file }, deleted }) => {
      // A file that is gone is dead as a whole.
      const dead = present.has(file.filePath)
        ? await reader.of(file, head.deletes.get(file.filePath) ?? [])
        : RoaringBitmap.range(Number(file.recordCount));
      checkStillDead(file, deleted, dead);
      return { rows: Number(file.recordCount), deleted, dead };
    }),
  );
  const died = remapDeaths(
    now,
    permutation,
    outputs.map(({ recordCount }) => Number(recordCount)),
  );
  const placed = outputs.map((dataFile, place) => ({ dataFile, bitmap: must(died[place], "a bitmap a file") }));
  const added = placed.filter(({ dataFile, bitmap }) => BigInt(bitmap.cardinality) < dataFile.recordCount);
  const withDeaths = added.filter(({ bitmap }) => bitmap.cardinality > 0);
  return {
    addedDataFiles: added.map(({ dataFile }) => dataFile),
    removedDataFiles: live,
    removedDeleteFiles: [],
    addedDeleteFiles:
      withDeaths.length === 0
        ? []
        : formatVersion >= 3
          ? await writeDeletionVectors(io, names.deletionVectors(), withDeaths)
          : await Promise.all(
              withDeaths.map(({ dataFile, bitmap }) =>
                writePositionDeletes(io, names.positionDeletes(), dataFile, bitmap),
              ),
            ),
  };
}

function checkStillDead(file: DataFile, before: RoaringBitmap, now: RoaringBitmap): void {
  if (before.difference(now).cardinality === 0) return;
  throw new FrazilError("conflict", "ROLLED_BACK", `deleted rows of ${file.filePath} live again`, {
    hint: "the table was rolled back meanwhile; run it again",
  });
}

function presentFiles({ dataFiles }: SnapshotPlan) {
  return new Map(dataFiles.map((live) => [live.file.filePath, live]));
}

/** Files of even size near the target; what is joined in its order becomes one. */
function outputSize({ arrangement, moves, inputs }: CompactGroup, { settings }: CompactPlan): number {
  if (arrangement.kind === "keep" && !moves) return Infinity;
  const total = inputs.reduce((sum, { live, deletedRows }) => {
    const { fileSizeBytes, recordCount } = live.file;
    return sum + (Number(fileSizeBytes) * (Number(recordCount) - deletedRows)) / Math.max(1, Number(recordCount));
  }, 0);
  return moves
    ? settings.targetSizeBytes
    : Math.ceil(total / Math.max(1, Math.round(total / settings.targetSizeBytes)));
}
