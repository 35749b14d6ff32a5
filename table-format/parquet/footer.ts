import { type FileMetaData, parquetMetadata } from "hyparquet";
import { FrazilError } from "../errors.ts";
import { readAgain, type Reads } from "../io/read-again.ts";
import { MAX_PARQUET_FOOTER_BYTES } from "../limits.ts";
import type { DataFile } from "../manifest/data-file.ts";
import type { NameMapping } from "../schema/name-mapping.ts";
import { fileColumns, type FileNode } from "./file-columns.ts";

/** Enough for the footers of most files, in one request. */
const FOOTER_BYTES = 64 << 10;
/** Size of the metadata and the magic. */
const TAIL_BYTES = 8;
const MAGIC = "PAR1";
/** Of files whose footer is encrypted (Parquet format, "Encryption"). */
const ENCRYPTED_MAGIC = "PARE";

/** A data file as a manifest entry names it: a `DataFile` is one. */
export interface DataFileRef extends Partial<Pick<DataFile, "fileFormat" | "keyMetadata">> {
  readonly filePath: string;
  readonly fileSizeBytes: bigint | number;
}

export interface DataFileFooter {
  readonly metadata: FileMetaData;
  /** `FileMetaData` as the file holds it, and what ends the file. */
  readonly bytes: Uint8Array;
  /** Top-level columns by field id. */
  readonly columns: ReadonlyMap<number, FileNode>;
  /** The whole file, if it is so small that one request gave it. */
  readonly file: Uint8Array | null;
}

/**
 * Reads the footer of a Parquet file.
 *
 * @param mapping for files without field ids
 * @throws FrazilError `corrupt`; `unsupported` for encrypted files, and when the file has no field ids and there is no mapping
 */
export function readFooter(io: Reads, file: DataFileRef, mapping: NameMapping | null): Promise<DataFileFooter> {
  return readAgain(io, (reads) => footerOf(reads, file, mapping));
}

async function footerOf(io: Reads, file: DataFileRef, mapping: NameMapping | null): Promise<DataFileFooter> {
  const { filePath } = file;
  const size = Number(file.fileSizeBytes);
  if (!(size >= TAIL_BYTES)) throw corrupt(filePath, `a Parquet file of at least ${TAIL_BYTES} bytes`, String(size));
  const guess = Math.min(size, FOOTER_BYTES);
  // Of a whole object stores keep a checksum; else nothing would tell that a footer has changed on its way.
  const whole = size === guess ? await readWhole(io, filePath, size) : null;
  let tail = whole ?? (await io.readRange(filePath, size - guess, guess));
  const magic = String.fromCharCode(...tail.subarray(-4));
  if (magic === ENCRYPTED_MAGIC) throw encrypted(filePath);
  if (magic !== MAGIC) throw corrupt(filePath, `the magic ${MAGIC} at byte ${size - 4}`, JSON.stringify(magic));
  const length = new DataView(tail.buffer, tail.byteOffset, tail.byteLength).getUint32(tail.length - TAIL_BYTES, true);
  if (length > size - TAIL_BYTES)
    throw corrupt(filePath, `a footer within ${size} bytes`, `${length} at byte ${size - TAIL_BYTES}`);
  if (length > MAX_PARQUET_FOOTER_BYTES)
    throw corrupt(filePath, `a footer of at most ${MAX_PARQUET_FOOTER_BYTES} bytes`, String(length));
  const footer = length + TAIL_BYTES;
  if (footer > guess) tail = await io.readRange(filePath, size - footer, footer);
  // A plain view: hyparquet slices what it is given, and `Buffer.slice` means something else.
  const bytes = new Uint8Array(tail.buffer, tail.byteOffset + tail.length - footer, footer);
  try {
    const metadata = parquetMetadata(bytes, { geoparquet: false });
    const nodes = fileColumns(metadata.schema, mapping);
    const columns = new Map(nodes.flatMap((node) => (node.id === null ? [] : [[node.id, node] as const])));
    return { metadata, bytes, columns, file: whole };
  } catch (error) {
    if (error instanceof FrazilError) {
      throw new FrazilError(error.kind, error.code, `${filePath}: ${error.message}`, {
        hint: error.hint,
        cause: error,
      });
    }
    throw new FrazilError(
      "corrupt",
      "CORRUPT_FOOTER",
      `${filePath}: the Parquet footer of ${length} bytes cannot be read`,
      {
        cause: error,
      },
    );
  }
}

async function readWhole(io: Reads, filePath: string, size: number): Promise<Uint8Array> {
  const bytes = await io.read(filePath);
  if (bytes.length < size) throw corrupt(filePath, `${size} bytes`, String(bytes.length));
  return bytes.subarray(0, size);
}

/** The refusal of an encrypted file. */
export function encrypted(filePath: string): FrazilError {
  return new FrazilError("unsupported", "ENCRYPTED_FILE", `${filePath}: encrypted files are not read`);
}

function corrupt(filePath: string, expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "CORRUPT_FOOTER", `${filePath}: expected ${expected}, found ${found}`);
}
