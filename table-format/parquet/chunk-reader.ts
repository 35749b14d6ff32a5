import type { ColumnMetaData, DecodedArray, PageHeader } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { createBuilder } from "../arrow/builder.ts";
import type { ColumnBuilder } from "../arrow/column-builder.ts";
import { FrazilError } from "../errors.ts";
import type { PrimitiveType } from "../schema/types.ts";
import type { FileLeaf } from "./file-columns.ts";
import type { LeafEntries } from "./leaf-entries.ts";
import { checkPage, type DecodedPage, decodePage, inflatedPage, type PageFormat, plainValues } from "./page.ts";
import { type AppendPhysical, physicalAppender } from "./physical-reader.ts";

const CODECS: ReadonlySet<string> = new Set(["UNCOMPRESSED", "SNAPPY", "ZSTD", "GZIP", "BROTLI"]);

/**
 * Decodes a column chunk of a leaf. Pages become physical values, which go straight into a builder.
 *
 * @param bytes the chunk: from its dictionary page, or its first data page, to its end
 * @param entries how many the chunk holds: of a top-level leaf the row group's rows
 * @throws FrazilError `corrupt` naming column and offset; `unsupported` for codecs and encodings that are not read
 */
export function readChunk(
  type: PrimitiveType,
  leaf: FileLeaf,
  metadata: ColumnMetaData,
  bytes: Uint8Array,
  entries: number,
): LeafEntries {
  if (!CODECS.has(metadata.codec)) {
    throw new FrazilError(
      "unsupported",
      "UNSUPPORTED_CODEC",
      `column ${leaf.name}: data files compressed with ${[...CODECS].join(", ")} are read, found ${metadata.codec}`,
    );
  }
  const builder = createBuilder(type);
  const append = physicalAppender(type, leaf.element);
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  try {
    const format = { leaf, type: metadata.type, codec: metadata.codec };
    const levels = appendPages(builder, append, format, reader, bytes, entries);
    return { column: builder.finish(), ...levels };
  } catch (error) {
    const where = `column ${leaf.name}, byte ${reader.offset} of its chunk`;
    if (error instanceof FrazilError && error.code !== "PARQUET_PAGE" && error.code !== "PARQUET_ENCODING") throw error;
    const [kind, code, text] =
      error instanceof FrazilError
        ? ([error.kind, error.code, error.message] as const)
        : (["corrupt", "CORRUPT_COLUMN", String(error)] as const);
    throw new FrazilError(kind, code, `${where}: ${text}`, { cause: error });
  }
}

type Levels = Pick<LeafEntries, "definitions" | "repetitions">;

function appendPages(
  builder: ColumnBuilder,
  append: AppendPhysical,
  format: PageFormat,
  reader: { readonly view: DataView; offset: number },
  bytes: Uint8Array,
  entries: number,
): Levels {
  const { definition, repetition } = format.leaf;
  const nested = repetition > 0 || definition > 1;
  const definitions = nested && definition > 0 ? new Int32Array(entries) : null;
  const repetitions = repetition > 0 ? new Int32Array(entries) : null;
  let dictionary: DecodedArray | null = null;
  while (builder.length < entries) {
    const header = parquetHeader(reader);
    const end = reader.offset + header.compressed_page_size;
    if (!(header.compressed_page_size >= 0 && end <= bytes.length)) {
      throw new Error(`expected a page within the chunk of ${bytes.length} bytes, found one that ends at ${end}`);
    }
    const body = bytes.subarray(reader.offset, end);
    checkPage(header, body);
    if (header.type === "DICTIONARY_PAGE") {
      dictionary = readDictionary(body, header, format);
    } else if (header.data_page_header !== undefined || header.data_page_header_v2 !== undefined) {
      const page = decodePage(header, body, format);
      const first = builder.length;
      if (page.count > entries - first) throw new Error(`expected ${entries} entries, found more`);
      definitions?.set(page.definitions ?? [], first);
      repetitions?.set(page.repetitions ?? [], first);
      appendPage(builder, append, page, definition, page.coded ? dictionary : null);
    }
    reader.offset = end;
  }
  return { definitions, repetitions };
}

function readDictionary(body: Uint8Array, header: PageHeader, format: PageFormat): DecodedArray {
  const page = inflatedPage(body, header.uncompressed_page_size, format.codec);
  const count = header.dictionary_page_header?.num_values ?? 0;
  return plainValues(page, count, format.type, format.leaf);
}

/** Values hold only the entries that are there, as places in the dictionary when the page is coded. */
function appendPage(
  builder: ColumnBuilder,
  append: AppendPhysical,
  { count, definitions, values, coded }: DecodedPage,
  most: number,
  dictionary: DecodedArray | null,
): void {
  if (coded && dictionary === null && values.length > 0)
    throw new Error("expected a dictionary page before, found none");
  let next = 0;
  for (let entry = 0; entry < count; entry++) {
    if (definitions !== null && definitions[entry] !== most) {
      builder.appendNull();
    } else if (dictionary === null) {
      append(builder, values, next++);
    } else {
      const code = values[next++] as number;
      if (!(code >= 0 && code < dictionary.length)) {
        throw new Error(`code ${code} is not in a dictionary of ${dictionary.length}`);
      }
      append(builder, dictionary, code);
    }
  }
}
