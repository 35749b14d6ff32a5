import {
  type ColumnBatch,
  currentSchema,
  type DataFile,
  explicitLineage,
  gatherColumn,
  openDataFileWriter,
  partitionPath,
  readDataFile,
  type RoaringBitmap,
  specById,
  withLineage,
  type LoadedTable,
} from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import type { FileNames } from "../../commit/names.ts";
import { assert, must } from "../../core/errors.ts";
import type { CompactGroup } from "./plan.ts";

/** Writes the live rows of a group's files, in order, into one file; row group by row group. Null when no row is left. */
export async function rewriteGroup(
  { io, runtime }: MaintenanceContext,
  { metadata }: LoadedTable,
  names: FileNames,
  group: CompactGroup,
): Promise<DataFile | null> {
  const keepsLineage = metadata.formatVersion >= 3;
  const tableSchema = currentSchema(metadata);
  const schema = keepsLineage ? withLineage(tableSchema) : tableSchema;
  const ids = schema.fields.map(({ id }) => id);
  const { specId, partition } = must(group[0], "a group has files").live.file;
  const location = names.dataFile(partitionPath(specById(metadata, specId), tableSchema, partition));
  const expected = group.reduce(
    (sum, { live, deleted }) => sum + live.file.recordCount - BigInt(deleted.cardinality),
    0n,
  );
  if (expected === 0n) return null;
  const writer = openDataFileWriter({ schema, output: await io.openWrite(location) });
  try {
    for (const { live, deleted } of group) {
      let start = 0;
      for await (const batch of readDataFile(io, live.file, schema, ids)) {
        const rows = keepsLineage ? explicitLineage(batch, live, start) : batch;
        await writer.write(liveRows(rows, start, deleted));
        start += batch.length;
        // A job in this process gets its turn between row groups.
        await runtime.clock.sleep(0);
      }
    }
    const encoded = await writer.finish();
    runtime.step("compact.write");
    assert(encoded.recordCount === expected, `${location}: expected ${expected} rows, found ${encoded.recordCount}`);
    return {
      content: "data",
      filePath: location,
      fileFormat: "PARQUET",
      specId,
      partition,
      keyMetadata: null,
      equalityIds: null,
      sortOrderId: null,
      firstRowId: null,
      referencedDataFile: null,
      contentOffset: null,
      contentSizeBytes: null,
      ...encoded,
    };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function liveRows(batch: ColumnBatch, start: number, deleted: RoaringBitmap): ColumnBatch {
  if (deleted.cardinality === 0) return batch;
  const rows = new Uint32Array(batch.length);
  let length = 0;
  for (let row = 0; row < batch.length; row++) if (!deleted.has(start + row)) rows[length++] = row;
  const kept = rows.subarray(0, length);
  const sources = new Uint32Array(length);
  return { length, columns: batch.columns.map((column) => gatherColumn(column.type, [column], sources, kept)) };
}
