import {
  currentSchema,
  type DataFile,
  FrazilError,
  type LiveFile,
  type LoadedTable,
  partitionPath,
  type SnapshotPlan,
  specById,
  tupleKey,
  tupleReader,
} from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { must } from "../../core/errors.ts";
import { COMPACT_COMMIT_BYTES, COMPACT_MEMORY_BYTES, COMPACT_ONCE_DELETE_RATIO } from "../../core/limits.ts";
import type { Arrangement } from "./arrangement.ts";
import type { CompactInput } from "./compact-input.ts";
import type { FileScope } from "./file-scope.ts";
import { deletedRows, headPlan } from "./head.ts";
import { pack, tiersOf } from "./packing.ts";
import { inOrder, keptArrangement } from "./present-order.ts";

export interface CompactSettings {
  /** Size of the new files. */
  readonly targetSizeBytes: number;
  /** So many small files of a partition at least are joined. */
  readonly minFiles: number;
  /** A file is rewritten for its deletes alone from this share of deleted rows on (default `COMPACT_ONCE_DELETE_RATIO`). */
  readonly deleteRatio?: number | undefined;
  /** How the rows of new files stand; without it as in the old ones. An arrangement takes all files of a partition, large ones too. */
  readonly arrangement?: Arrangement | undefined;
  /**
   * This is done again and again, and its cost follows what was added since: an arrangement takes no large files, and no file is taken that
   * would hardly grow, so that a table of one partition is not written whole each time until its first file is large.
   */
  readonly recurring?: boolean | undefined;
  /** Which files may be taken; without it all. */
  readonly scope?: FileScope | undefined;
  /** Take files of older partition specs also where they are large and have few deleted rows. */
  readonly oldSpecs?: boolean | undefined;
  /** Bytes of data files that one commit replaces at most, beyond a single larger file (default 4 GiB). */
  readonly maxBytes?: number | undefined;
  /** Memory of a rewrite beyond one row group of a file that is read (default 256 MiB). */
  readonly memoryBytes?: number | undefined;
}

/** Files of one partition that are rewritten by one commit. */
export interface CompactGroup {
  /** As its folder is named; empty where the table is not partitioned. */
  readonly partition: string;
  readonly inputs: readonly CompactInput[];
  readonly arrangement: Arrangement;
  /** What the new files say of their order. */
  readonly sortOrderId: number | null;
  /** Of an older partition spec: the rows go where the present one puts them. */
  readonly moves: boolean;
}

/** Files of a partition that are left as they are. */
export interface SkippedFiles {
  readonly partition: string;
  readonly reason: string;
  readonly files: number;
  readonly bytes: bigint;
}

export interface CompactPlan {
  readonly table: LoadedTable;
  readonly settings: CompactSettings;
  readonly groups: readonly CompactGroup[];
  readonly skipped: readonly SkippedFiles[];
}

/** Files of at least this share of the target size are large enough. */
const LARGE_SHARE = 0.75;
/** A sorted rewrite keeps four bytes a row until its commit, in at most a quarter of its memory. */
const MEMORY_BYTES_PER_ROW = 16;

const KEEP: Arrangement = { kind: "keep" };

/** Which files of the head are worth a rewrite, and why the others are not. Reads manifests alone. */
export async function planCompaction(
  context: MaintenanceContext,
  table: LoadedTable,
  settings: CompactSettings,
): Promise<CompactPlan> {
  const { metadata } = table;
  const head = await headPlan(context, table);
  const groups: CompactGroup[] = [];
  const skipped: SkippedFiles[] = [];
  const refusal = specRefusal(table);
  const byPartition = Map.groupBy(head.dataFiles, ({ file }) => `${file.specId} ${tupleKey(file.partition)}`);
  for (const files of byPartition.values()) {
    const { file } = must(files[0], "a partition has files");
    const partition = partitionPath(specById(metadata, file.specId), currentSchema(metadata), file.partition);
    const found = planPartition(table, settings, partition, inputsOf(files, head), refusal);
    groups.push(...found.groups);
    skipped.push(...found.skipped);
  }
  return { table, settings, groups, skipped };
}

function inputsOf(files: readonly LiveFile[], { deletes }: SnapshotPlan): CompactInput[] {
  return files.map((live) => ({
    live,
    deletedRows: deletedRows(deletes.get(live.file.filePath) ?? [], live, files.length),
  }));
}

interface PartitionPlan {
  readonly groups: readonly CompactGroup[];
  readonly skipped: readonly SkippedFiles[];
}

function planPartition(
  table: LoadedTable,
  settings: CompactSettings,
  partition: string,
  inputs: readonly CompactInput[],
  refusal: string | null,
): PartitionPlan {
  const { metadata } = table;
  const skipped = new Map<string, CompactInput[]>();
  const skip = (some: readonly CompactInput[], reason: string): void => {
    if (some.length > 0) skipped.set(reason, [...(skipped.get(reason) ?? []), ...some]);
  };
  const candidates: CompactInput[] = [];
  for (const input of inputs) {
    const reason = reasonToSkip(table, settings, input, refusal);
    if (reason === null) candidates.push(input);
    else skip([input], reason);
  }
  const moves = inputs[0]?.live.file.specId !== metadata.defaultSpecId;
  const arrangement = settings.arrangement ?? KEEP;
  const groups: CompactGroup[] = [];
  const sortsAll = takesAll(settings) && arrangement.kind === "sort" && !moves;
  if (sortsAll && inOrder(table, arrangement.order, candidates)) {
    skip(candidates, "already in this order");
  } else {
    const most = settings.maxBytes ?? COMPACT_COMMIT_BYTES;
    const packs = !moves && arrangement.kind === "keep";
    const size = packs ? Math.min(settings.targetSizeBytes, most) : most;
    for (const packed of pack(candidates, size, mostRows(settings))) {
      const tiers =
        settings.recurring === true && !moves
          ? tiersOf(packed, (input) => hasManyDeletes(input, settings))
          : { groups: [packed], outgrown: [] };
      skip(tiers.outgrown, "too large to be written again for the small files beside it");
      for (const group of tiers.groups) {
        if (isWorthIt(group, settings, moves)) groups.push(groupOf(table, settings, partition, group, moves));
        else skip(group, `fewer than ${settings.minFiles} small files together`);
      }
    }
  }
  return {
    groups,
    skipped: [...skipped].map(([reason, some]) => ({ partition, reason, files: some.length, bytes: bytesOf(some) })),
  };
}

function reasonToSkip(
  { metadata }: LoadedTable,
  settings: CompactSettings,
  input: CompactInput,
  refusal: string | null,
): string | null {
  const { file } = input.live;
  if (settings.scope !== undefined && !settings.scope(file)) return "not asked for";
  if (file.fileFormat !== "PARQUET") return `${file.fileFormat} files are not rewritten`;
  const moves = file.specId !== metadata.defaultSpecId;
  if (moves && refusal !== null) return `of partition spec ${file.specId}, and ${refusal}`;
  if (hasManyDeletes(input, settings) || isSmall(file, settings)) return null;
  if (moves) return settings.oldSpecs === true ? null : `of partition spec ${file.specId}, and large enough`;
  return takesAll(settings) ? null : "large enough";
}

/** Whether files are taken that are large and have few deleted rows. */
function takesAll({ arrangement = KEEP, recurring = false }: CompactSettings): boolean {
  return arrangement.kind !== "keep" && !recurring;
}

function isWorthIt(group: readonly CompactInput[], settings: CompactSettings, moves: boolean): boolean {
  if (takesAll(settings) || group.some((input) => hasManyDeletes(input, settings))) return true;
  if (moves && settings.oldSpecs === true) return true;
  return group.length >= Math.max(2, settings.minFiles);
}

function groupOf(
  table: LoadedTable,
  settings: CompactSettings,
  partition: string,
  inputs: readonly CompactInput[],
  moves: boolean,
): CompactGroup {
  const files = inputs.map(({ live }) => live.file);
  const asked = settings.arrangement ?? KEEP;
  if (asked.kind === "keep") return { partition, inputs, moves, ...keptArrangement(table.metadata, files) };
  const sortOrderId = asked.kind === "sort" && asked.order.orderId !== 0 ? asked.order.orderId : null;
  return { partition, inputs, moves, arrangement: asked, sortOrderId };
}

/** Why rows of older files cannot be put into the present partitions; null when they can. */
function specRefusal({ metadata }: LoadedTable): string | null {
  try {
    tupleReader(specById(metadata, metadata.defaultSpecId), currentSchema(metadata));
    return null;
  } catch (error) {
    if (error instanceof FrazilError && error.kind === "unsupported") return error.message;
    throw error;
  }
}

function hasManyDeletes(
  { live, deletedRows: count }: CompactInput,
  { deleteRatio = COMPACT_ONCE_DELETE_RATIO }: CompactSettings,
): boolean {
  return count > 0 && count >= Number(live.file.recordCount) * deleteRatio;
}

function isSmall(file: DataFile, { targetSizeBytes }: CompactSettings): boolean {
  return Number(file.fileSizeBytes) < targetSizeBytes * LARGE_SHARE;
}

function mostRows({ memoryBytes = COMPACT_MEMORY_BYTES }: CompactSettings): number {
  return Math.floor(memoryBytes / MEMORY_BYTES_PER_ROW);
}

/** Bytes of some files. */
export function bytesOf(inputs: readonly CompactInput[]): bigint {
  return inputs.reduce((sum, { live }) => sum + live.file.fileSizeBytes, 0n);
}
