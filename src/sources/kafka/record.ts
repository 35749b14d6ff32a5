import { type BatchHeader, corrupt, type Place } from "./record-batch.ts";

/** A record with neither key, value nor headers: length, attributes, two deltas, two lengths and a count. */
export const SMALLEST_RECORD_BYTES = 7;

/** The growing part of a message slab: entries before `count` are set. */
export interface SlabArrays {
  count: number;
  readonly keyStarts: Int32Array;
  readonly keyEnds: Int32Array;
  readonly valueStarts: Int32Array;
  readonly valueEnds: Int32Array;
  /** Where each record's number of headers stands. */
  readonly headerStarts: Int32Array;
  readonly offsets: BigInt64Array;
  readonly timestampsMs: Float64Array;
}

/** Arrays for up to `capacity` messages. */
export function newSlabArrays(capacity: number): SlabArrays {
  return {
    count: 0,
    keyStarts: new Int32Array(capacity),
    keyEnds: new Int32Array(capacity),
    valueStarts: new Int32Array(capacity),
    valueEnds: new Int32Array(capacity),
    headerStarts: new Int32Array(capacity),
    offsets: new BigInt64Array(capacity),
    timestampsMs: new Float64Array(capacity),
  };
}

/** Where the varint functions read; they leave `at` behind the number. One object, so that they need no result object. */
const cursor = { at: 0 };

/**
 * Appends the records of one batch, which lie uncompressed in `bytes[start, end)`, from offset `from` on: a broker answers with
 * whole batches, which may begin before the offset asked for.
 * @throws FrazilError `corrupt`.
 */
export function parseRecords(
  arrays: SlabArrays,
  bytes: Uint8Array,
  start: number,
  end: number,
  header: BatchHeader,
  from: bigint,
  place: Place,
): void {
  const { keyStarts, keyEnds, valueStarts, valueEnds, headerStarts, timestampsMs } = arrays;
  // An offset is written as two halves: a bigint for each record would cost more than all the rest.
  const offsetWords = new Int32Array(arrays.offsets.buffer);
  const baseLow = Number(header.baseOffset & 0xffffffffn);
  const baseHigh = Number(header.baseOffset >> 32n);
  const lastDelta = Number(header.lastOffset - header.baseOffset);
  const firstDelta = from > header.baseOffset ? Number(from - header.baseOffset) : 0;
  let previousDelta = -1;
  let row = arrays.count;
  let at = start;
  for (let i = 0; i < header.count; i++) {
    cursor.at = at;
    const length = varint(bytes, end);
    const recordEnd = cursor.at + length;
    if (length < 0 || recordEnd > end) throw corrupt(place, header.baseOffset, `record ${i} runs past the batch`);
    cursor.at++;
    const timestampDelta = varlong(bytes, end);
    const offsetDelta = varint(bytes, end);
    const keyLength = varint(bytes, end);
    const keyStart = cursor.at;
    if (keyLength > 0) cursor.at += keyLength;
    const valueLength = varint(bytes, end);
    const valueStart = cursor.at;
    if (valueLength > 0) cursor.at += valueLength;
    // The number of headers takes one byte at least.
    if (cursor.at >= recordEnd)
      throw corrupt(place, header.baseOffset, `record ${i} is shorter than its key and value`);
    if (offsetDelta <= previousDelta || offsetDelta > lastDelta) {
      throw corrupt(
        place,
        header.baseOffset,
        `offset delta ${offsetDelta} after ${previousDelta}, the last being ${lastDelta}`,
      );
    }
    previousDelta = offsetDelta;
    at = recordEnd;
    if (offsetDelta < firstDelta) continue;
    keyStarts[row] = keyLength < 0 ? -1 : keyStart;
    keyEnds[row] = keyLength < 0 ? -1 : keyStart + keyLength;
    valueStarts[row] = valueLength < 0 ? -1 : valueStart;
    valueEnds[row] = valueLength < 0 ? -1 : valueStart + valueLength;
    headerStarts[row] = cursor.at;
    const low = baseLow + offsetDelta;
    offsetWords[2 * row] = low;
    offsetWords[2 * row + 1] = low > 0xffffffff ? baseHigh + 1 : baseHigh;
    timestampsMs[row] = header.appendTimestampMs ?? header.baseTimestampMs + timestampDelta;
    row++;
  }
  if (at !== end)
    throw corrupt(place, header.baseOffset, `${end - at} bytes behind the last of ${header.count} records`);
  arrays.count = row;
}

/** The headers of one record, which begin at `start` with their number. */
export function slabHeaders(
  bytes: Uint8Array,
  start: number,
  place: Place,
  offset: bigint,
): readonly (readonly [string, Uint8Array | null])[] {
  const end = bytes.length;
  cursor.at = start;
  const count = varint(bytes, end);
  const headers: [string, Uint8Array | null][] = [];
  for (let i = 0; i < count; i++) {
    const key = slice(bytes, varint(bytes, end));
    const value = slice(bytes, varint(bytes, end));
    if (key === null || cursor.at > end) throw corrupt(place, offset, `header ${i} runs past the record`);
    headers.push([Buffer.from(key.buffer, key.byteOffset, key.length).toString("utf8"), value]);
  }
  return headers;
}

function slice(bytes: Uint8Array, length: number): Uint8Array | null {
  if (length < 0) return null;
  const start = cursor.at;
  cursor.at += length;
  return bytes.subarray(start, cursor.at);
}

/** A zigzag number of up to 32 bits. Past `end` it gives -1, as a length the mark of nothing. */
function varint(bytes: Uint8Array, end: number): number {
  let at = cursor.at;
  let byte = bytes[at++] as number;
  let value = byte & 0x7f;
  for (let shift = 7; byte >= 0x80 && shift < 35; shift += 7) {
    byte = bytes[at++] as number;
    value |= (byte & 0x7f) << shift;
  }
  cursor.at = at;
  return at > end ? -1 : (value >>> 1) ^ -(value & 1);
}

/** A zigzag number of up to 64 bits; exact up to 2^53, which as milliseconds is more than 280,000 years. */
function varlong(bytes: Uint8Array, end: number): number {
  let at = cursor.at;
  let byte = bytes[at++] as number;
  let value = byte & 0x7f;
  for (let scale = 128; byte >= 0x80 && at < end; scale *= 128) {
    byte = bytes[at++] as number;
    value += (byte & 0x7f) * scale;
  }
  cursor.at = at;
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
