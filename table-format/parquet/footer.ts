import { type FileMetaData, parquetMetadataAsync, type SchemaElement } from "hyparquet";
import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";

/** Enough for the footers of most files, in one request. */
const FOOTER_BYTES = 64 << 10;

/** A data file as a manifest entry names it. */
export interface DataFileRef {
  readonly filePath: string;
  readonly fileSizeBytes: bigint | number;
}

export interface FileColumn {
  /** Place among the leaf columns, which is the place of its chunk in each row group. */
  readonly place: number;
  readonly element: SchemaElement;
}

export interface DataFileFooter {
  readonly metadata: FileMetaData;
  /** Top-level leaf columns by field id. */
  readonly columns: ReadonlyMap<number, FileColumn>;
}

/**
 * Reads the footer of a data file.
 *
 * @throws FrazilError `corrupt`; `unsupported` when the file has no field ids, so that its columns could only be guessed by name.
 */
export async function readFooter(io: FileIO, { filePath, fileSizeBytes }: DataFileRef): Promise<DataFileFooter> {
  const byteLength = Number(fileSizeBytes);
  const file = {
    byteLength,
    slice: async (start: number, end = byteLength) => {
      const bytes = await io.readRange(filePath, start, end - start);
      // A copy, also of a Buffer, whose own slice would be a view into memory shared with others.
      return new Uint8Array(bytes).buffer;
    },
  };
  const metadata = await parsed(filePath, () =>
    parquetMetadataAsync(file, { initialFetchSize: FOOTER_BYTES, geoparquet: false }),
  );
  return { metadata, columns: columnsById(filePath, metadata) };
}

async function parsed<T>(filePath: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof FrazilError) throw error;
    throw new FrazilError("corrupt", "CORRUPT_FOOTER", `${filePath}: the Parquet footer cannot be read`, {
      cause: error,
    });
  }
}

function columnsById(filePath: string, { schema }: FileMetaData): Map<number, FileColumn> {
  const columns = new Map<number, FileColumn>();
  let place = 0;
  let hasIds = false;
  // Elements stand in depth-first order: what a group contains follows it.
  const visit = (at: number, depth: number): number => {
    const element = schema[at] as SchemaElement;
    hasIds ||= element.field_id !== undefined;
    let next = at + 1;
    if (element.num_children === undefined || element.type !== undefined) {
      if (depth === 1 && element.field_id !== undefined && element.repetition_type !== "REPEATED") {
        columns.set(element.field_id, { place, element });
      }
      place++;
      return next;
    }
    for (let child = 0; child < element.num_children; child++) next = visit(next, depth + 1);
    return next;
  };
  visit(0, 0);
  if (!hasIds && schema.length > 1) {
    throw new FrazilError("unsupported", "NO_FIELD_IDS", `${filePath}: the columns of the data file have no field ids`);
  }
  return columns;
}
