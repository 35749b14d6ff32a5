import { crc32 } from "../codec/crc32.ts";
import { assert, FrazilError, must } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import type { FileIO } from "../io/file-io.ts";
import { readAgain } from "../io/read-again.ts";
import { DELETE_FILES_AT_ONCE } from "../limits.ts";
import type { DataFile } from "../manifest/data-file.ts";
import { encodePuffin } from "./puffin.ts";
import { RoaringBitmap } from "./roaring.ts";

/** The deleted positions of one data file. */
export interface DeletionVector {
  readonly dataFile: DataFile;
  readonly bitmap: RoaringBitmap;
}

/** `_pos`, the field that a deletion vector is about. */
const POSITION_FIELD_ID = 2147483645;
const MAGIC = Uint8Array.of(0xd1, 0xd3, 0x39, 0x64);
/** Blobs that lie so near are read in one request: on an object store a request costs as much as so many bytes. */
const MAX_GAP_BYTES = 256 << 10;
/** And so much at most in one. */
const MAX_READ_BYTES = 16 << 20;
const LENGTH_BYTES = 4;
const CRC_BYTES = 4;

/**
 * Stores deletion vectors as blobs of one Puffin file and describes each for a manifest: one entry a vector, in order.
 * A vector replaces every earlier one of its data file; the caller has merged them. Empty vectors are not allowed.
 * @param location a name that nobody used before
 */
export async function writeDeletionVectors(
  io: FileIO,
  location: string,
  vectors: readonly DeletionVector[],
): Promise<DataFile[]> {
  const blobs = vectors.map(({ dataFile, bitmap }) => {
    assert(bitmap.cardinality > 0, `deletion vector of ${dataFile.filePath} is empty`);
    return {
      type: "deletion-vector-v1",
      fields: [POSITION_FIELD_ID],
      properties: { "referenced-data-file": dataFile.filePath, cardinality: String(bitmap.cardinality) },
      bytes: encodeDeletionVector(bitmap),
    };
  });
  const { bytes, offsets } = encodePuffin(blobs);
  await io.write(location, bytes);
  return vectors.map(({ dataFile, bitmap }, i): DataFile => ({
    content: "position-deletes",
    filePath: location,
    fileFormat: "PUFFIN",
    specId: dataFile.specId,
    partition: dataFile.partition,
    recordCount: BigInt(bitmap.cardinality),
    fileSizeBytes: BigInt(bytes.length),
    columnSizes: null,
    valueCounts: null,
    nullValueCounts: null,
    nanValueCounts: null,
    lowerBounds: null,
    upperBounds: null,
    keyMetadata: null,
    splitOffsets: null,
    equalityIds: null,
    sortOrderId: null,
    firstRowId: null,
    referencedDataFile: dataFile.filePath,
    contentOffset: BigInt(must(offsets[i], "an offset a blob")),
    contentSizeBytes: BigInt(must(blobs[i], "a blob a vector").bytes.length),
  }));
}

/** Whether a delete file is a deletion vector. */
export function isDeletionVector(file: DataFile): boolean {
  return file.content === "position-deletes" && file.fileFormat === "PUFFIN";
}

/**
 * Reads the deleted positions of a deletion vector: only its blob is fetched.
 * @throws FrazilError kind `corrupt` when the blob breaks its format, `unsupported` for positions of 2^32 and above.
 */
export async function readDeletionVector(io: FileIO, file: DataFile): Promise<RoaringBitmap> {
  const { offset, length } = blobOf(file);
  return readAgain(io, async (reads) => decodeBlob(file, await reads.readRange(file.filePath, offset, length)));
}

/**
 * Reads many deletion vectors, in their order. Blobs that lie close together in one Puffin file, as those of one commit do, come
 * in one request.
 * @throws FrazilError as `readDeletionVector`
 */
export async function readDeletionVectors(io: FileIO, files: readonly DataFile[]): Promise<RoaringBitmap[]> {
  const bitmaps: RoaringBitmap[] = [];
  await mapConcurrently(readsOf(files), DELETE_FILES_AT_ONCE, ({ filePath, start, end, members }) =>
    readAgain(io, async (reads) => {
      const bytes = await reads.readRange(filePath, start, end - start);
      for (const { file, index } of members) {
        const { offset, length } = blobOf(file);
        const blob = bytes.subarray(offset - start, offset - start + length);
        // A bitmap keeps its blob's bytes, and should not keep those of the others.
        bitmaps[index] = decodeBlob(file, members.length === 1 ? blob : new Uint8Array(blob));
      }
    }),
  );
  return bitmaps;
}

interface BlobRead {
  readonly filePath: string;
  readonly start: number;
  end: number;
  readonly members: { readonly file: DataFile; readonly index: number }[];
}

function readsOf(files: readonly DataFile[]): BlobRead[] {
  const members = files.map((file, index) => ({ file, index, ...blobOf(file) }));
  const reads: BlobRead[] = [];
  for (const [filePath, inFile] of Map.groupBy(members, ({ file }) => file.filePath)) {
    let last: BlobRead | null = null;
    for (const member of inFile.toSorted((a, b) => a.offset - b.offset)) {
      const end = member.offset + member.length;
      if (last !== null && member.offset - last.end <= MAX_GAP_BYTES && end - last.start <= MAX_READ_BYTES) {
        last.end = Math.max(last.end, end);
        last.members.push(member);
      } else {
        last = { filePath, start: member.offset, end, members: [member] };
        reads.push(last);
      }
    }
  }
  return reads;
}

function blobOf(file: DataFile): { offset: number; length: number } {
  const { contentOffset, contentSizeBytes } = file;
  if (contentOffset === null || contentSizeBytes === null) {
    throw corrupt(file.filePath, "a blob's offset and size", "none");
  }
  if (contentOffset < 0n || contentSizeBytes < 0n || contentOffset + contentSizeBytes > file.fileSizeBytes) {
    const found = `${contentSizeBytes} bytes at ${contentOffset}`;
    throw corrupt(file.filePath, `a blob within ${file.fileSizeBytes} bytes`, found);
  }
  return { offset: Number(contentOffset), length: Number(contentSizeBytes) };
}

function decodeBlob(file: DataFile, blob: Uint8Array): RoaringBitmap {
  const bitmap = decodeDeletionVector(blob, `${file.filePath} at ${file.contentOffset}`);
  if (BigInt(bitmap.cardinality) !== file.recordCount) {
    throw corrupt(file.filePath, `${file.recordCount} positions`, String(bitmap.cardinality));
  }
  return bitmap;
}

/**
 * Blob `deletion-vector-v1` (Puffin spec): u32 BE length of what the checksum covers, magic, u64 LE number of 32-bit bitmaps,
 * each with its u32 LE key, u32 BE CRC-32 of magic and vector.
 */
export function encodeDeletionVector(bitmap: RoaringBitmap): Uint8Array {
  const positions = bitmap.serialize();
  const covered = MAGIC.length + 8 + 4 + positions.length;
  const out = new Uint8Array(LENGTH_BYTES + covered + CRC_BYTES);
  const view = new DataView(out.buffer);
  view.setUint32(0, covered);
  out.set(MAGIC, LENGTH_BYTES);
  // Positions stay below 2^32: one bitmap, of key 0.
  view.setBigUint64(LENGTH_BYTES + MAGIC.length, 1n, true);
  out.set(positions, LENGTH_BYTES + MAGIC.length + 12);
  view.setUint32(LENGTH_BYTES + covered, crc32(out.subarray(LENGTH_BYTES, LENGTH_BYTES + covered)));
  return out;
}

/** The inverse of `encodeDeletionVector`; `source` names the blob in errors. The bitmap keeps the blob, which must stay as it is. */
export function decodeDeletionVector(blob: Uint8Array, source: string): RoaringBitmap {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const least = LENGTH_BYTES + MAGIC.length + 8 + CRC_BYTES;
  if (blob.length < least) throw corrupt(source, `at least ${least} bytes`, String(blob.length));
  const covered = view.getUint32(0);
  if (covered !== blob.length - LENGTH_BYTES - CRC_BYTES) {
    throw corrupt(source, `a length of ${blob.length - LENGTH_BYTES - CRC_BYTES}`, String(covered));
  }
  const body = blob.subarray(LENGTH_BYTES, LENGTH_BYTES + covered);
  if (!MAGIC.every((byte, i) => body[i] === byte)) throw corrupt(source, "the magic D1D33964", "other bytes");
  const checksum = view.getUint32(LENGTH_BYTES + covered);
  if (crc32(body) !== checksum) throw corrupt(source, `checksum ${crc32(body)}`, String(checksum));
  return readBitmaps(body.subarray(MAGIC.length), source);
}

function readBitmaps(vector: Uint8Array, source: string): RoaringBitmap {
  const view = new DataView(vector.buffer, vector.byteOffset, vector.byteLength);
  let positions = new RoaringBitmap();
  let at = 8;
  let previousKey = -1;
  for (let left = view.getBigUint64(0, true); left > 0n; left--) {
    if (at + 4 > vector.length) throw corrupt(source, "another bitmap", "the end");
    const key = view.getUint32(at, true);
    if (key <= previousKey) throw corrupt(source, "ascending keys", `${key} after ${previousKey}`);
    previousKey = key;
    const { bitmap, length } = RoaringBitmap.deserializePrefix(vector.subarray(at + 4));
    at += 4 + length;
    if (key === 0) positions = bitmap;
    else if (bitmap.cardinality > 0) {
      // Java writes empty bitmaps for the keys between; a data file of more than 2^32 rows is beyond this version.
      throw new FrazilError(
        "unsupported",
        "DELETION_VECTOR",
        `${source}: expected positions below 2^32, found key ${key}`,
      );
    }
  }
  if (at !== vector.length) throw corrupt(source, `${at} bytes`, String(vector.length));
  return positions;
}

function corrupt(source: string, expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "DELETION_VECTOR", `${source}: expected ${expected}, found ${found}`);
}
