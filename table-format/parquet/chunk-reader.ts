import type { ColumnMetaData, DecodedArray, SchemaElement } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { decompressPage, readDataPage, readDataPageV2 } from "hyparquet/src/datapage.js";
import { readPlain } from "hyparquet/src/plain.js";
import type { ColumnDecoder } from "hyparquet/src/types.js";
import { createBuilder } from "../arrow/builder.ts";
import type { Column } from "../arrow/column.ts";
import type { ColumnBuilder } from "../arrow/column-builder.ts";
import { FrazilError } from "../errors.ts";
import type { PrimitiveType } from "../schema/types.ts";
import { decompressors } from "./compression.ts";
import { type AppendPhysical, physicalAppender } from "./physical-reader.ts";

const CODECS: ReadonlySet<string> = new Set(["UNCOMPRESSED", "SNAPPY", "ZSTD", "GZIP", "BROTLI"]);

/**
 * Decodes a column chunk of a top-level column. hyparquet decodes pages to physical values, which go straight into a builder.
 *
 * @param bytes the chunk: from its dictionary page, or its first data page, to its end
 * @throws FrazilError `corrupt`; `unsupported` for codecs that are not read
 */
export function readChunk(
  type: PrimitiveType,
  element: SchemaElement,
  metadata: ColumnMetaData,
  bytes: Uint8Array,
  rows: number,
): Column {
  if (!CODECS.has(metadata.codec)) {
    throw new FrazilError(
      "unsupported",
      "UNSUPPORTED_CODEC",
      `column ${element.name}: data files compressed with ${[...CODECS].join(", ")} are read, found ${metadata.codec}`,
    );
  }
  const builder = createBuilder(type);
  const append = physicalAppender(type, element);
  try {
    appendPages(builder, append, pageDecoder(element, metadata), bytes, rows);
  } catch (error) {
    if (error instanceof FrazilError) throw error;
    throw new FrazilError("corrupt", "CORRUPT_COLUMN", `column ${element.name} cannot be decoded: ${String(error)}`, {
      cause: error,
    });
  }
  return builder.finish();
}

/** What hyparquet's page functions need; a flat column's path is its root and itself. */
function pageDecoder(element: SchemaElement, metadata: ColumnMetaData): ColumnDecoder {
  const node = (of: SchemaElement, path: string[]) => ({ element: of, children: [], count: 1, path });
  return {
    pathInSchema: [element.name],
    type: metadata.type,
    element,
    schemaPath: [node({ name: "root" }, []), node(element, [element.name])],
    codec: metadata.codec,
    compressors: decompressors,
    // Only used where hyparquet converts values, which page functions do not.
    parsers: {} as ColumnDecoder["parsers"],
  };
}

function appendPages(
  builder: ColumnBuilder,
  append: AppendPhysical,
  decoder: ColumnDecoder,
  bytes: Uint8Array,
  rows: number,
): void {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  let dictionary: DecodedArray | null = null;
  while (builder.length < rows) {
    const header = parquetHeader(reader);
    const end = reader.offset + header.compressed_page_size;
    const body = bytes.subarray(reader.offset, end);
    if (body.length !== header.compressed_page_size) throw new Error("a page runs past the end of its chunk");
    reader.offset = end;
    if (header.type === "DICTIONARY_PAGE") {
      dictionary = readDictionary(body, header, decoder);
    } else if (header.type === "DATA_PAGE" && header.data_page_header !== undefined) {
      const page = decompressPage(body, header.uncompressed_page_size, decoder.codec, decoder.compressors);
      const { definitionLevels, dataPage } = readDataPage(page, header.data_page_header, decoder);
      const { num_values, encoding } = header.data_page_header;
      appendPage(builder, append, num_values, definitionLevels, dataPage, isCoded(encoding) ? dictionary : null);
    } else if (header.type === "DATA_PAGE_V2" && header.data_page_header_v2 !== undefined) {
      const { num_values, num_nulls, encoding } = header.data_page_header_v2;
      if (num_nulls === num_values) {
        // Such a page may have no body at all, which no decoder takes.
        for (let row = 0; row < num_values; row++) builder.appendNull();
        continue;
      }
      const { definitionLevels, dataPage } = readDataPageV2(body, header, decoder);
      appendPage(builder, append, num_values, definitionLevels, dataPage, isCoded(encoding) ? dictionary : null);
    }
  }
  if (builder.length !== rows) throw new Error(`expected ${rows} rows, found ${builder.length}`);
}

function readDictionary(
  body: Uint8Array,
  header: ReturnType<typeof parquetHeader>,
  decoder: ColumnDecoder,
): DecodedArray {
  const page = decompressPage(body, header.uncompressed_page_size, decoder.codec, decoder.compressors);
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const count = header.dictionary_page_header?.num_values ?? 0;
  return readPlain({ view, offset: 0 }, decoder.type, count, decoder.element.type_length);
}

function isCoded(encoding: string): boolean {
  return encoding === "RLE_DICTIONARY" || encoding === "PLAIN_DICTIONARY";
}

/** `levels` is empty when no row is null; `values` hold only the rows that are not, as indexes where there is a dictionary. */
function appendPage(
  builder: ColumnBuilder,
  append: AppendPhysical,
  rows: number,
  levels: readonly number[] | undefined,
  values: DecodedArray,
  dictionary: DecodedArray | null,
): void {
  const hasNulls = levels !== undefined && levels.length > 0;
  let next = 0;
  for (let row = 0; row < rows; row++) {
    if (hasNulls && levels[row] === 0) {
      builder.appendNull();
    } else if (dictionary === null) {
      append(builder, values, next++);
    } else {
      const code = values[next++] as number;
      if (code >= dictionary.length) throw new Error(`code ${code} is not in a dictionary of ${dictionary.length}`);
      append(builder, dictionary, code);
    }
  }
}
