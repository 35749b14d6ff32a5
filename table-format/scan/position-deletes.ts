import type { Column } from "../arrow/column.ts";
import { assert, FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import type { DataFile } from "../manifest/data-file.ts";
import { DELETE_FILE_PATH_ID } from "../manifest/delete-scope.ts";
import { openDataFileWriter } from "../parquet/hyparquet-encoder.ts";
import { parquetDataFile } from "../parquet/parquet-data-file.ts";
import { NO_SOURCES } from "../parquet/reader.ts";
import { RoaringBitmap } from "../puffin/roaring.ts";
import type { PrimitiveType, Schema } from "../schema/types.ts";
import { compareBytes, encodeValue } from "../values/single-value.ts";
import { readFileColumns } from "./data-columns.ts";

const POSITION_ID = 2147483545;
const PATH_TYPE: PrimitiveType = { kind: "string" };
const POSITION_TYPE: PrimitiveType = { kind: "long" };

/** Columns of position delete files (spec, "Position Delete Files"). */
const SCHEMA: Schema = {
  schemaId: 0,
  fields: [
    { id: DELETE_FILE_PATH_ID, name: "file_path", required: true, type: PATH_TYPE },
    { id: POSITION_ID, name: "pos", required: true, type: POSITION_TYPE },
  ],
  identifierFieldIds: [],
};
/** Rows handed to the encoder at once. */
const BATCH_ROWS = 65_536;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder();

/**
 * Stores the deleted positions of one data file as a position delete file, for tables of format version 2: sorted, and about
 * that file alone, so that readers load it only with its data file. Empty bitmaps are not allowed.
 * @param location a name that nobody used before
 */
export async function writePositionDeletes(
  io: FileIO,
  location: string,
  dataFile: DataFile,
  bitmap: RoaringBitmap,
): Promise<DataFile> {
  const positions = bitmap.toArray();
  assert(positions.length > 0, `position deletes of ${dataFile.filePath} are empty`);
  const writer = openDataFileWriter({ schema: SCHEMA, output: await io.openWrite(location) });
  try {
    const path = utf8.encode(dataFile.filePath);
    for (let start = 0; start < positions.length; start += BATCH_ROWS) {
      await writer.write(batchOf(path, positions.subarray(start, start + BATCH_ROWS)));
    }
    const encoded = await writer.finish();
    // The path's bounds are whole: equal ones say that the file is about one data file.
    const bounds = (position: number): ReadonlyMap<number, Uint8Array> =>
      new Map([
        [DELETE_FILE_PATH_ID, path],
        [POSITION_ID, encodeValue(POSITION_TYPE, BigInt(position))],
      ]);
    return {
      ...parquetDataFile(encoded, {
        filePath: location,
        specId: dataFile.specId,
        partition: dataFile.partition,
      }),
      content: "position-deletes",
      lowerBounds: bounds(positions[0] as number),
      upperBounds: bounds(positions.at(-1) as number),
      referencedDataFile: dataFile.filePath,
    };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function batchOf(path: Uint8Array, positions: Uint32Array): { length: number; columns: Column[] } {
  const length = positions.length;
  const offsets = new Int32Array(length + 1);
  const values = new Uint8Array(path.length * length);
  const rows = new BigInt64Array(length);
  for (let i = 0; i < length; i++) {
    values.set(path, i * path.length);
    offsets[i + 1] = (i + 1) * path.length;
    rows[i] = BigInt(positions[i] as number);
  }
  const base = { length, nullCount: 0, validity: null };
  return {
    length,
    columns: [
      { ...base, type: PATH_TYPE, layout: "bytes", offsets, values },
      { ...base, type: POSITION_TYPE, layout: "i64", values: rows },
    ],
  };
}

/**
 * Reads a position delete file: positions by path of the data file.
 * @throws FrazilError kind `unsupported` for files that are neither Parquet nor Avro, and for positions of 2^32 and above.
 */
export async function readPositionDeletes(io: FileIO, file: DataFile): Promise<ReadonlyMap<string, RoaringBitmap>> {
  const found = new Map<string, RoaringBitmap>();
  for await (const { length, columns } of readFileColumns(io, file, SCHEMA.fields, NO_SOURCES)) {
    const [paths, positions] = columns;
    assert(paths?.layout === "bytes" && positions?.layout === "i64", "columns have the layout of their types");
    let last: Uint8Array = new Uint8Array(0);
    let bitmap: RoaringBitmap | undefined;
    for (let row = 0; row < length; row++) {
      const path = paths.values.subarray(paths.offsets[row], paths.offsets[row + 1]);
      // Rows are sorted by path: decode it once a run.
      if (bitmap === undefined || compareBytes(path, last) !== 0) {
        const text = fromUtf8.decode(path);
        bitmap = found.get(text) ?? new RoaringBitmap();
        found.set(text, bitmap);
        last = path;
      }
      const position = positions.values[row] as bigint;
      if (position < 0n || position > 0xffffffffn) {
        const message = `${file.filePath}: expected positions below 2^32, found ${position}`;
        throw new FrazilError("unsupported", "POSITION", message);
      }
      bitmap.add(Number(position));
    }
  }
  return found;
}
