import { gatherColumn } from "../arrow/gather.ts";
import type { FileIO } from "../io/file-io.ts";
import type { DataFile } from "../manifest/data-file.ts";
import type { ManifestCache } from "../manifest/manifest-reader.ts";
import { snapshotSchema } from "../metadata/refs.ts";
import type { Snapshot, TableMetadata } from "../metadata/table-metadata.ts";
import type { RoaringBitmap } from "../puffin/roaring.ts";
import type { NestedField } from "../schema/types.ts";
import type { AnyColumn } from "../values/cell.ts";
import { readColumns } from "./data-columns.ts";
import { deletedPositions } from "./deleted-positions.ts";
import { equalityDeletes, matchEqualityDeletes } from "./equality-deletes.ts";
import { planSnapshot } from "./plan.ts";

/** Live rows of a part of a data file. */
export interface ScannedRows {
  readonly file: DataFile;
  /** Positions in the file, one a row. */
  readonly positions: Uint32Array;
  readonly length: number;
  /** In the order of the fields asked for. */
  readonly columns: readonly AnyColumn[];
}

export interface ScanOptions {
  /** The columns to read, as the table has them now; by default all of the schema that the snapshot was written with. */
  readonly fields?: readonly NestedField[];
  readonly manifests?: ManifestCache;
}

/**
 * Reads the live rows of a snapshot, file by file and row group by row group: deletion vectors, position deletes and equality
 * deletes are applied, columns are found by field id and have their present type.
 *
 * @throws FrazilError `unsupported` naming what is not read; `not-found`, `corrupt`
 */
export async function* scanRows(
  io: FileIO,
  metadata: TableMetadata,
  snapshot: Snapshot,
  options: ScanOptions = {},
): AsyncGenerator<ScannedRows> {
  const fields = options.fields ?? snapshotSchema(metadata, snapshot).fields;
  const plan = await planSnapshot(io, metadata, snapshot, options.manifests);
  const byEquality = matchEqualityDeletes(metadata, plan.dataFiles, plan.equalityDeletes);
  const positions = deletedPositions(io);
  const equality = equalityDeletes(io, metadata);
  for (const { file } of plan.dataFiles) {
    const dead = await positions.of(file, plan.deletes.get(file.filePath) ?? []);
    const equal = byEquality.get(file.filePath);
    const gone = equal === undefined ? dead : dead.union(await equality.of(file, equal));
    yield* liveRows(io, metadata, file, fields, gone);
  }
}

async function* liveRows(
  io: FileIO,
  metadata: TableMetadata,
  file: DataFile,
  fields: readonly NestedField[],
  gone: RoaringBitmap,
): AsyncGenerator<ScannedRows> {
  let start = 0;
  for await (const { length, columns } of readColumns(io, metadata, file, fields)) {
    const rows = new Uint32Array(length);
    let live = 0;
    for (let row = 0; row < length; row++) if (!gone.has(start + row)) rows[live++] = row;
    const chosen = rows.subarray(0, live);
    const kept = live === length ? columns : columns.map((column) => pick(column, chosen));
    const first = start;
    start += length;
    yield { file, positions: chosen.map((row) => first + row), length: live, columns: kept };
  }
}

function pick(column: AnyColumn, rows: Uint32Array): AnyColumn {
  if (column.layout !== "cells") return gatherColumn(column.type, [column], new Uint16Array(rows.length), rows);
  return { ...column, length: rows.length, values: Array.from(rows, (row) => column.values[row] ?? null) };
}
