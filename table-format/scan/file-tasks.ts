import { type BoundExpression, TRUE } from "../expression/bound.ts";
import type { Expression } from "../expression/expression.ts";
import { mapAhead } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import { hasLiveFiles, type ManifestFile } from "../manifest/manifest-file.ts";
import { readManifestList } from "../manifest/manifest-list.ts";
import type { ManifestCache } from "../manifest/manifest-reader.ts";
import { snapshotSchema } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { Schema } from "../schema/types.ts";
import type { PlannedFile } from "../transaction/manifest-filter.ts";
import { positionDeleteIndex } from "./delete-index.ts";
import { equalityDeleteIndex } from "./equality-deletes.ts";
import { liveFilesOf } from "./live-files.ts";
import { type ScanFilter, scanFilter } from "./scan-filter.ts";

/** A data file to be read, with all that decides which of its rows are. */
export interface FileScanTask {
  readonly data: PlannedFile;
  /** Its deletion vector, or else every position delete file that may be about it. */
  readonly deletes: readonly PlannedFile[];
  readonly equalityDeletes: readonly PlannedFile[];
  /** What is left of the filter: of which rows of the file it is true. */
  readonly residual: BoundExpression;
}

export interface PlanOptions {
  /** Which rows are wanted; by default all. */
  readonly filter?: Expression;
  /** Has the names that the filter uses; by default the schema that the snapshot was written with. */
  readonly schema?: Schema;
  readonly manifests?: ManifestCache;
}

/**
 * Plans the reading of a snapshot, manifest by manifest (spec, "Scan Planning"). Manifests, data files and delete files that cannot
 * matter to the filter are left out. Held are the entries of a few manifests and of the delete files that may matter, however large the
 * table.
 * @throws FrazilError kind `config` for a filter that does not fit the schema; `corrupt`, `not-found`
 */
export async function* planFiles(
  io: FileIO,
  metadata: TableMetadata,
  snapshot: Snapshot,
  options: PlanOptions = {},
): AsyncGenerator<FileScanTask> {
  const filter = filterOf(metadata, snapshot, options);
  const manifests = (await readManifestList(io, snapshot)).filter(hasLiveFiles);
  const data = ofContent(manifests, "data", filter);
  if (data.length === 0) return;
  const oldest = data.reduce((low, each) => (each.minSequenceNumber < low ? each.minSequenceNumber : low), 2n ** 63n);
  // No entry of a manifest is newer than the manifest: older ones delete nothing of these files.
  const deletes = ofContent(manifests, "deletes", filter).filter((each) => each.sequenceNumber >= oldest);
  const deleteFiles: PlannedFile[] = [];
  const readDeletes = (manifest: ManifestFile) => liveFilesOf(io, metadata, manifest, options.manifests);
  for await (const files of mapAhead(deletes, MANIFESTS_AT_ONCE, readDeletes)) {
    deleteFiles.push(...files.filter(({ file }) => filter?.mayDelete(file) !== false));
  }
  const byPosition = positionDeleteIndex(deleteFiles);
  const byEquality = equalityDeleteIndex(metadata, deleteFiles);
  const readData = (manifest: ManifestFile) =>
    liveFilesOf(io, metadata, manifest, options.manifests, filter?.files ?? null);
  for await (const files of mapAhead(data, MANIFESTS_AT_ONCE, readData)) {
    for (const each of files) {
      const residual = filter === null ? TRUE : filter.residualOf(each.file);
      if (residual === null) continue;
      yield { data: each, deletes: byPosition(each), equalityDeletes: byEquality(each), residual };
    }
  }
}

/** The filter of a plan, prepared; null when every row is wanted. */
export function filterOf(metadata: TableMetadata, snapshot: Snapshot, options: PlanOptions): ScanFilter | null {
  const { filter, schema } = options;
  return filter === undefined ? null : scanFilter(metadata, schema ?? snapshotSchema(metadata, snapshot), filter);
}

/** The manifests of one content that may hold files that matter. */
export function ofContent(
  manifests: readonly ManifestFile[],
  content: ManifestFile["content"],
  filter: ScanFilter | null,
): ManifestFile[] {
  return manifests.filter((each) => each.content === content && filter?.mayHold(each) !== false);
}
