import { FrazilError } from "../../core/errors.ts";
import { KAFKA_MAX_BATCH_BYTES } from "../../core/limits.ts";
import { crc32c } from "./crc32c.ts";

/** Bytes before a batch's records (KIP-98): offset, length, leader epoch, magic, checksum, attributes, and so on. */
export const BATCH_HEADER_BYTES = 61;

/** Bytes up to and with the length field, which counts what follows it. */
const LENGTH_END = 12;
const MAGIC_AT = 16;
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;

/** A record batch's header; offsets into the record set it lies in. */
export interface BatchHeader {
  /** First byte of the batch. */
  readonly start: number;
  /** Byte behind the batch. */
  readonly end: number;
  readonly baseOffset: bigint;
  /** Kept over compaction, also when the last record or all records are gone. */
  readonly lastOffset: bigint;
  readonly leaderEpoch: number;
  /** See `CODEC_NAMES`. */
  readonly codec: number;
  /** Holds a marker that ends a transaction, no messages. */
  readonly control: boolean;
  readonly transactional: boolean;
  /** Milliseconds that record timestamps are relative to. */
  readonly baseTimestampMs: number;
  /** The one timestamp of all records where the broker stamps them (`message.timestamp.type=LogAppendTime`), else null. */
  readonly appendTimestampMs: number | null;
  readonly producerId: bigint;
  /** Number of records. */
  readonly count: number;
}

/** Names a place for error messages. */
export interface Place {
  /** `topic/partition`. */
  readonly split: string;
}

/**
 * The headers of the complete batches in a record set, in order. A broker cuts the last batch off where its limit of bytes falls:
 * what is left of it is passed over, the next fetch brings it whole. Checksums are checked later, by `checkBatch`.
 * @throws FrazilError `unsupported` for a message format before Kafka 0.11's, `corrupt` for lengths that cannot be, `data` for a batch
 * beyond `KAFKA_MAX_BATCH_BYTES`.
 */
export function readBatchHeaders(records: Buffer, place: Place): BatchHeader[] {
  const headers: BatchHeader[] = [];
  for (let at = 0; at + MAGIC_AT < records.length;) {
    const baseOffset = records.readBigInt64BE(at);
    const end = at + LENGTH_END + records.readInt32BE(at + 8);
    const magic = records.readInt8(at + MAGIC_AT);
    if (magic < 2) throw oldFormat(place, baseOffset, magic);
    if (magic > 2)
      throw new FrazilError(
        "unsupported",
        "KAFKA_RECORD_FORMAT",
        `${place.split} offset ${baseOffset}: expected record batch format 2, found ${magic}`,
      );
    if (end - at < BATCH_HEADER_BYTES) throw corrupt(place, baseOffset, `a batch of ${end - at} bytes`);
    // Also when it is not here whole: it never would be.
    if (end - at > KAFKA_MAX_BATCH_BYTES) {
      throw tooLarge(place, baseOffset, `a batch of ${end - at} bytes, the limit is ${KAFKA_MAX_BATCH_BYTES}`);
    }
    if (end > records.length) break;
    headers.push(readHeader(records, at, end, baseOffset, place));
    at = end;
  }
  return headers;
}

/** Whether a record set holds something, but no whole batch. */
export function isCutShort(records: Buffer): boolean {
  return records.length > 0 && (records.length <= MAGIC_AT || LENGTH_END + records.readInt32BE(8) > records.length);
}

function readHeader(records: Buffer, start: number, end: number, baseOffset: bigint, place: Place): BatchHeader {
  const attributes = records.readInt16BE(start + ATTRIBUTES_AT);
  const lastOffsetDelta = records.readInt32BE(start + 23);
  const count = records.readInt32BE(start + 57);
  if (lastOffsetDelta < 0 || count < 0) {
    throw corrupt(place, baseOffset, `a batch of ${count} records up to offset delta ${lastOffsetDelta}`);
  }
  return {
    start,
    end,
    baseOffset,
    lastOffset: baseOffset + BigInt(lastOffsetDelta),
    leaderEpoch: records.readInt32BE(start + 12),
    codec: attributes & 0x07,
    transactional: (attributes & 0x10) !== 0,
    control: (attributes & 0x20) !== 0,
    baseTimestampMs: Number(records.readBigInt64BE(start + 27)),
    appendTimestampMs: (attributes & 0x08) === 0 ? null : Number(records.readBigInt64BE(start + 35)),
    producerId: records.readBigInt64BE(start + 43),
    count,
  };
}

/** Checks the batch's checksum. @throws FrazilError `corrupt`. */
export function checkBatch(records: Buffer, header: BatchHeader, place: Place): void {
  const found = crc32c(records, header.start + ATTRIBUTES_AT, header.end);
  const expected = records.readUInt32BE(header.start + CRC_AT);
  if (found !== expected) {
    throw corrupt(place, header.baseOffset, `checksum ${hex(found)}, expected ${hex(expected)}`);
  }
}

/** Whether a control batch ends a transaction by ABORT; one that compaction emptied says nothing. */
export function isAbortMarker(records: Buffer, header: BatchHeader, place: Place): boolean {
  if (header.count === 0) return false;
  // One record: length, attributes and two deltas, none longer than ten bytes, then the key: version and type, two bytes each.
  let at = header.start + BATCH_HEADER_BYTES;
  const skipVarint = (): void => {
    while (((records[at++] ?? 0) & 0x80) !== 0);
  };
  skipVarint();
  at++;
  skipVarint();
  skipVarint();
  const keyBytes = records[at++] ?? 0;
  // Lengths are zigzag numbers, so a key of four bytes shows as 8.
  if (keyBytes < 8 || (keyBytes & 0x81) !== 0 || at + 4 > header.end) {
    throw corrupt(place, header.baseOffset, "a control record without its type");
  }
  return records.readInt16BE(at + 2) === 0;
}

/** A broken batch, by its split and first offset. */
export function corrupt(place: Place, offset: bigint, found: string): FrazilError {
  return new FrazilError("corrupt", "KAFKA_BATCH", `${place.split} offset ${offset}: broken record batch: ${found}`, {
    hint: "check the broker's disk with kafka-dump-log.sh; the batch cannot be read by any client that checks it",
  });
}

/** A batch that is more than a job takes into memory, by its split and first offset. */
export function tooLarge(place: Place, offset: bigint, found: string): FrazilError {
  return new FrazilError("data", "KAFKA_BATCH_TOO_LARGE", `${place.split} offset ${offset}: ${found}`, {
    hint: "have its producer send smaller batches (`batch.size`, `max.request.size`); to leave this one out, remove what lies before the next one with kafka-delete-records.sh, and set `on_lost_offsets: earliest` for one run",
  });
}

function oldFormat(place: Place, offset: bigint, magic: number): FrazilError {
  return new FrazilError(
    "unsupported",
    "KAFKA_RECORD_FORMAT",
    `${place.split} offset ${offset}: expected record batch format 2 (Kafka 0.11 and later), found message format ${magic}`,
    { hint: "copy the topic with a current client: brokers do not rewrite old messages" },
  );
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
