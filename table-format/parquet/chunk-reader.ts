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
 * @param rows of a top-level leaf: the entries that are wanted, ascending; pages without any are passed over. Null: all
 * @throws FrazilError `corrupt` naming column and offset; `unsupported` for codecs and encodings that are not read
 */
export function readChunk(
  type: PrimitiveType,
  leaf: FileLeaf,
  metadata: ColumnMetaData,
  bytes: Uint8Array,
  entries: number,
  rows: Uint32Array | null = null,
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
    const levels =
      rows === null
        ? appendPages(builder, append, format, reader, bytes, entries)
        : appendRows(builder, append, format, reader, bytes, entries, rows);
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
    const { header, body, end } = nextPage(reader, bytes);
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

/** Appends the entries at `rows`, which no list makes more of. */
function appendRows(
  builder: ColumnBuilder,
  append: AppendPhysical,
  format: PageFormat,
  reader: { readonly view: DataView; offset: number },
  bytes: Uint8Array,
  entries: number,
  rows: Uint32Array,
): Levels {
  let dictionary: DecodedArray | null = null;
  let start = 0;
  while (builder.length < rows.length) {
    const { header, body, end } = nextPage(reader, bytes);
    const count = (header.data_page_header ?? header.data_page_header_v2)?.num_values;
    if (header.type === "DICTIONARY_PAGE") {
      dictionary = readDictionary(body, header, format);
    } else if (count !== undefined) {
      if (!(count >= 0 && count <= entries - start)) throw new Error(`expected ${entries} entries, found more`);
      if ((rows[builder.length] as number) < start + count) {
        const page = decodePage(header, body, format);
        appendPageRows(builder, append, page, format.leaf.definition, page.coded ? dictionary : null, rows, start);
      }
      start += count;
    }
    reader.offset = end;
  }
  return { definitions: null, repetitions: null };
}

interface Page {
  readonly header: PageHeader;
  readonly body: Uint8Array;
  readonly end: number;
}

function nextPage(reader: { readonly view: DataView; offset: number }, bytes: Uint8Array): Page {
  const header = parquetHeader(reader);
  const end = reader.offset + header.compressed_page_size;
  if (!(header.compressed_page_size >= 0 && end <= bytes.length)) {
    throw new Error(`expected a page within the chunk of ${bytes.length} bytes, found one that ends at ${end}`);
  }
  const body = bytes.subarray(reader.offset, end);
  checkPage(header, body);
  return { header, body, end };
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
  page: DecodedPage,
  most: number,
  dictionary: DecodedArray | null,
): void {
  const { count, definitions, values } = page;
  checkDictionary(page, dictionary);
  let next = 0;
  for (let entry = 0; entry < count; entry++) {
    if (definitions !== null && definitions[entry] !== most) {
      builder.appendNull();
    } else if (dictionary === null) {
      append(builder, values, next++);
    } else {
      append(builder, dictionary, checkedCode(values[next++] as number, dictionary));
    }
  }
}

/** As `appendPage`, of the next of `rows` that lie in the page, whose first entry is `start`. */
function appendPageRows(
  builder: ColumnBuilder,
  append: AppendPhysical,
  page: DecodedPage,
  most: number,
  dictionary: DecodedArray | null,
  rows: Uint32Array,
  start: number,
): void {
  const { count, definitions, values } = page;
  checkDictionary(page, dictionary);
  let entry = 0;
  let next = 0;
  for (let k = builder.length; k < rows.length && (rows[k] as number) < start + count; k++) {
    const wanted = (rows[k] as number) - start;
    if (definitions === null) next = wanted;
    else for (; entry < wanted; entry++) if (definitions[entry] === most) next++;
    if (definitions !== null && definitions[wanted] !== most) builder.appendNull();
    else if (dictionary === null) append(builder, values, next);
    else append(builder, dictionary, checkedCode(values[next] as number, dictionary));
  }
}

function checkDictionary({ coded, values }: DecodedPage, dictionary: DecodedArray | null): void {
  if (coded && dictionary === null && values.length > 0)
    throw new Error("expected a dictionary page before, found none");
}

function checkedCode(code: number, dictionary: DecodedArray): number {
  if (code >= 0 && code < dictionary.length) return code;
  throw new Error(`code ${code} is not in a dictionary of ${dictionary.length}`);
}
