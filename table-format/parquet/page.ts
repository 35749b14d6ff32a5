import type { DecodedArray, PageHeader, ParquetType } from "hyparquet";
import { decompressPage } from "hyparquet/src/datapage.js";
import { readPlain } from "hyparquet/src/plain.js";
import { crc32 } from "../codec/crc32.ts";
import { FrazilError } from "../errors.ts";
import { MAX_PARQUET_PAGE_BYTES, MAX_PARQUET_PAGE_VALUES } from "../limits.ts";
import { decompressors } from "./compression.ts";
import { readDeltaLengths, readDeltaLongs, readDeltaStrings } from "./delta.ts";
import type { FileLeaf } from "./file-columns.ts";
import { readHybrid } from "./rle.ts";

/** What a data page holds (Parquet format, "Data Pages"). */
export interface DecodedPage {
  /** Entries: a value, a null or an empty list each. */
  readonly count: number;
  /** How much of the path to the leaf is there, one an entry; null when the path is required throughout. */
  readonly definitions: Int32Array | null;
  /** At which list of the path an entry goes on; null when there is none on the path. */
  readonly repetitions: Int32Array | null;
  /** Values of the entries that have one; places in the chunk's dictionary when `coded`. */
  readonly values: DecodedArray;
  readonly coded: boolean;
}

/** The leaf's physical type and codec. */
export interface PageFormat {
  readonly leaf: FileLeaf;
  readonly type: ParquetType;
  readonly codec: string;
}

/** Checks the sizes that a page's header states before anything is allocated, and its checksum where it has one. */
export function checkPage(header: PageHeader, body: Uint8Array): void {
  const { uncompressed_page_size: size, crc } = header;
  if (!(size >= 0 && size <= MAX_PARQUET_PAGE_BYTES)) {
    throw corrupt(`a page of at most ${MAX_PARQUET_PAGE_BYTES} bytes`, String(size));
  }
  if (crc !== undefined && crc >>> 0 !== crc32(body)) throw corrupt(`checksum ${crc32(body)}`, String(crc >>> 0));
}

/**
 * Decodes a data page of version 1 or 2.
 * @throws FrazilError kind `corrupt`
 */
export function decodePage(header: PageHeader, body: Uint8Array, format: PageFormat): DecodedPage {
  if (header.data_page_header !== undefined) return decodeV1(header, body, format);
  return decodeV2(header, body, format);
}

function decodeV1(header: PageHeader, body: Uint8Array, format: PageFormat): DecodedPage {
  const v1 = header.data_page_header as NonNullable<PageHeader["data_page_header"]>;
  const { num_values, encoding } = v1;
  const count = checkedCount(num_values);
  const bytes = inflatedPage(body, header.uncompressed_page_size, format.codec);
  const { leaf } = format;
  let at = 0;
  const levels = (most: number, levelEncoding: string): Int32Array | null => {
    if (most === 0) return null;
    if (levelEncoding !== "RLE") {
      throw new FrazilError(
        "unsupported",
        "PARQUET_ENCODING",
        `page: levels in encoding ${levelEncoding} are not read`,
      );
    }
    if (at + 4 > bytes.length) throw corrupt("levels", "the end of the page");
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
    const start = at + 4;
    if (length > bytes.length - start) throw corrupt("levels within the page", `${length} bytes`);
    at = start + length;
    return checkedLevels(readHybrid(bytes, start, at, bitsFor(most), count), most);
  };
  const repetitions = levels(leaf.repetition, v1.repetition_level_encoding);
  const definitions = levels(leaf.definition, v1.definition_level_encoding);
  return entries(count, definitions, repetitions, encoding, bytes.subarray(at), format);
}

function decodeV2(header: PageHeader, body: Uint8Array, format: PageFormat): DecodedPage {
  const v2 = header.data_page_header_v2 as NonNullable<PageHeader["data_page_header_v2"]>;
  const count = checkedCount(v2.num_values);
  const { leaf } = format;
  const repetitionsEnd = v2.repetition_levels_byte_length;
  const definitionsEnd = repetitionsEnd + v2.definition_levels_byte_length;
  if (!(repetitionsEnd >= 0 && definitionsEnd >= repetitionsEnd && definitionsEnd <= body.length)) {
    throw corrupt("levels within the page", `${repetitionsEnd} and ${definitionsEnd} of ${body.length} bytes`);
  }
  const levels = (start: number, end: number, most: number): Int32Array | null =>
    most === 0 ? null : checkedLevels(readHybrid(body, start, end, bitsFor(most), count), most);
  const repetitions = levels(0, repetitionsEnd, leaf.repetition);
  const definitions = levels(repetitionsEnd, definitionsEnd, leaf.definition);
  const rest = body.subarray(definitionsEnd);
  const size = header.uncompressed_page_size - definitionsEnd;
  // A page of nulls may have no body at all, which no decompressor takes.
  const compressed = v2.is_compressed !== false && rest.length > 0 && size > 0;
  const bytes = compressed ? inflatedPage(rest, size, format.codec) : rest;
  const page = entries(count, definitions, repetitions, v2.encoding, bytes, format);
  const nulls = definitions === null ? 0 : count - page.values.length;
  if (v2.num_nulls !== nulls) throw corrupt(`${nulls} nulls`, String(v2.num_nulls));
  return page;
}

function entries(
  count: number,
  definitions: Int32Array | null,
  repetitions: Int32Array | null,
  encoding: string,
  bytes: Uint8Array,
  format: PageFormat,
): DecodedPage {
  let present = count;
  if (definitions !== null) {
    const most = format.leaf.definition;
    present = 0;
    for (let i = 0; i < count; i++) if (definitions[i] === most) present++;
  }
  const coded = encoding === "RLE_DICTIONARY" || encoding === "PLAIN_DICTIONARY";
  const values = present === 0 ? [] : decodeValues(bytes, present, encoding, format);
  return { count, definitions, repetitions, values, coded };
}

function decodeValues(bytes: Uint8Array, count: number, encoding: string, format: PageFormat): DecodedArray {
  const { type, leaf } = format;
  const cursor = { bytes, at: 0 };
  switch (encoding) {
    case "PLAIN":
      return plainValues(bytes, count, type, leaf);
    case "RLE_DICTIONARY":
    case "PLAIN_DICTIONARY": {
      const width = bytes[0];
      if (width === undefined) throw corrupt("dictionary codes", "the end of the page");
      return readHybrid(bytes, 1, bytes.length, width, count);
    }
    case "RLE": {
      if (type !== "BOOLEAN") break;
      if (bytes.length < 4) throw corrupt("booleans", "the end of the page");
      return Array.from(readHybrid(bytes, 4, bytes.length, 1, count), (bit) => bit === 1);
    }
    case "DELTA_BINARY_PACKED": {
      const longs = readDeltaLongs(cursor, count);
      if (type === "INT64") return longs;
      if (type === "INT32") return Int32Array.from(longs, (value) => Number(BigInt.asIntN(32, value)));
      break;
    }
    case "DELTA_LENGTH_BYTE_ARRAY":
      if (type === "BYTE_ARRAY") return readDeltaLengths(cursor, count);
      break;
    case "DELTA_BYTE_ARRAY":
      if (type === "BYTE_ARRAY" || type === "FIXED_LEN_BYTE_ARRAY") {
        return checkedWidths(readDeltaStrings(cursor, count, MAX_PARQUET_PAGE_BYTES), type, leaf);
      }
      break;
    case "BYTE_STREAM_SPLIT":
      return splitStreams(bytes, count, type, leaf);
    default:
      throw new FrazilError("unsupported", "PARQUET_ENCODING", `page: encoding ${encoding} is not read`);
  }
  throw corrupt(`an encoding of ${type}`, encoding);
}

/** Values in PLAIN encoding; the page's length must allow for them. */
export function plainValues(bytes: Uint8Array, count: number, type: ParquetType, leaf: FileLeaf): DecodedArray {
  const least = type === "BOOLEAN" ? count / 8 : count * widthOf(type, leaf);
  if (least > bytes.length) throw corrupt(`${count} values of ${type}`, `${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === "BYTE_ARRAY") return byteArrays(bytes, view, count);
  return readPlain({ view, offset: 0 }, type, count, leaf.element.type_length);
}

/** Lengths are checked against the page: views must not reach into what lies behind it in memory. */
function byteArrays(bytes: Uint8Array, view: DataView, count: number): Uint8Array[] {
  const values = new Array<Uint8Array>(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) throw corrupt(`${count} values`, `the end after ${i}`);
    const start = at + 4;
    at = start + view.getUint32(at, true);
    if (at > bytes.length) throw corrupt("a value within the page", `${at - start} bytes`);
    values[i] = bytes.subarray(start, at);
  }
  return values;
}

function splitStreams(bytes: Uint8Array, count: number, type: ParquetType, leaf: FileLeaf): DecodedArray {
  const width = widthOf(type, leaf);
  if (type === "BOOLEAN" || type === "BYTE_ARRAY" || type === "INT96") {
    throw corrupt(`an encoding of ${type}`, "BYTE_STREAM_SPLIT");
  }
  if (width * count > bytes.length) throw corrupt(`${count} values of ${width} bytes`, `${bytes.length} bytes`);
  const joined = new Uint8Array(width * count);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < width; k++) joined[i * width + k] = bytes[k * count + i] as number;
  }
  return plainValues(joined, count, type, leaf);
}

function checkedWidths(values: Uint8Array[], type: ParquetType, leaf: FileLeaf): Uint8Array[] {
  const width = leaf.element.type_length;
  if (type === "FIXED_LEN_BYTE_ARRAY" && values.some(({ length }) => length !== width)) {
    throw corrupt(`values of ${width} bytes`, "others");
  }
  return values;
}

/** Bytes of a value in PLAIN encoding; of a byte array the least. */
function widthOf(type: ParquetType, leaf: FileLeaf): number {
  switch (type) {
    case "INT64":
    case "DOUBLE":
      return 8;
    case "INT96":
      return 12;
    case "FIXED_LEN_BYTE_ARRAY": {
      const width = leaf.element.type_length ?? 0;
      if (width <= 0) throw corrupt("a width of a fixed type", String(width));
      return width;
    }
    default:
      return 4;
  }
}

/** A page's bytes, decompressed to exactly the size that its header states. */
export function inflatedPage(body: Uint8Array, size: number, codec: string): Uint8Array {
  if (codec === "UNCOMPRESSED" && body.length !== size) throw corrupt(`a page of ${size} bytes`, String(body.length));
  return decompressPage(body, size, codec as Parameters<typeof decompressPage>[2], decompressors);
}

function checkedCount(count: number): number {
  if (count >= 0 && count <= MAX_PARQUET_PAGE_VALUES) return count;
  throw corrupt(`at most ${MAX_PARQUET_PAGE_VALUES} values in a page`, String(count));
}

function checkedLevels(levels: Int32Array, most: number): Int32Array {
  for (const level of levels) if (level > most) throw corrupt(`levels of at most ${most}`, String(level));
  return levels;
}

function bitsFor(most: number): number {
  return 32 - Math.clz32(most);
}

function corrupt(expected: string, found: string): FrazilError {
  return new FrazilError("corrupt", "PARQUET_PAGE", `page: expected ${expected}, found ${found}`);
}
