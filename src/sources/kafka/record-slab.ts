import type { MessageSlab } from "../../core/message-slab.ts";
import { KAFKA_MAX_BATCH_BYTES, KAFKA_SLAB_BYTES } from "../../core/limits.ts";
import { BadCompression } from "./codecs/bad-compression.ts";
import { CODEC_NAMES, decompress } from "./codecs/codec.ts";
import { type AbortedTransaction, committedFilter } from "./committed.ts";
import { BATCH_HEADER_BYTES, type BatchHeader, checkBatch, corrupt, tooLarge } from "./record-batch.ts";
import { newSlabArrays, parseRecords, SMALLEST_RECORD_BYTES, type SlabArrays, slabHeaders } from "./record.ts";

/** What a fetch answer holds of one topic partition. */
export interface RecordSet {
  readonly topic: string;
  readonly split: string;
  /** Which topic of the name it is: see `CountedPoint`. */
  readonly generation: number;
  readonly records: Buffer;
  /** Of the complete batches in `records`: `readBatchHeaders`. */
  readonly headers: readonly BatchHeader[];
  readonly aborted: readonly AbortedTransaction[];
}

/** Messages, and how far the split has come with them. */
export interface SlabStep {
  /** Null where there was nothing but control records, aborted transactions and emptied batches. */
  readonly slab: MessageSlab | null;
  /** The offset to read next when the slab has been taken. */
  readonly nextOffset: bigint;
}

/** The records of one batch, uncompressed. */
interface Piece {
  readonly header: BatchHeader;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/**
 * The committed messages of a record set from offset `from` on, in slabs of about `slabBytes`. The slabs of uncompressed
 * batches lie in the answer itself. The last step always stands behind the last batch, whatever that held.
 * @throws FrazilError `corrupt` for bytes that break the format; `data` for a batch beyond `KAFKA_MAX_BATCH_BYTES`.
 */
export function* readSlabs(set: RecordSet, from: bigint, slabBytes: number = KAFKA_SLAB_BYTES): Generator<SlabStep> {
  const filter = committedFilter(set.aborted, set.records, set);
  let nextOffset = from;
  let pieces: Piece[] = [];
  let bytes = 0;
  for (const header of set.headers) {
    checkBatch(set.records, header, set);
    const kept = filter.keeps(header);
    if (header.lastOffset < from) continue;
    if (kept && header.count > 0) {
      // Pieces of one slab share a buffer: all in the answer, or all to be joined.
      if (pieces.length > 0 && (bytes >= slabBytes || (pieces[0]?.bytes === set.records) !== (header.codec === 0))) {
        yield { slab: slabOf(set, pieces, from), nextOffset };
        pieces = [];
        bytes = 0;
      }
      const piece = open(set, header);
      pieces.push(piece);
      bytes += piece.end - piece.start;
    }
    nextOffset = header.lastOffset + 1n;
  }
  if (nextOffset > from) yield { slab: pieces.length === 0 ? null : slabOf(set, pieces, from), nextOffset };
}

function open(set: RecordSet, header: BatchHeader): Piece {
  const start = header.start + BATCH_HEADER_BYTES;
  const piece =
    header.codec === 0
      ? { header, bytes: set.records, start, end: header.end }
      : decompressed(set, header, set.records.subarray(start, header.end));
  if (header.count * SMALLEST_RECORD_BYTES > piece.end - piece.start) {
    throw corrupt(set, header.baseOffset, `${header.count} records in ${piece.end - piece.start} bytes`);
  }
  return piece;
}

function decompressed(set: RecordSet, header: BatchHeader, input: Uint8Array): Piece {
  try {
    const bytes = decompress(header.codec, input, KAFKA_MAX_BATCH_BYTES);
    return { header, bytes, start: 0, end: bytes.length };
  } catch (error) {
    if (!(error instanceof BadCompression)) throw error;
    const codec = CODEC_NAMES[header.codec] ?? `codec ${header.codec}`;
    if (error.reason === "corrupt") throw corrupt(set, header.baseOffset, `${codec}: ${error.message}`);
    throw tooLarge(set, header.baseOffset, `a batch of ${input.length} bytes (${codec}) is ${error.message}`);
  }
}

function slabOf(set: RecordSet, pieces: readonly Piece[], from: bigint): MessageSlab {
  const arrays = newSlabArrays(pieces.reduce((count, piece) => count + piece.header.count, 0));
  const bytes = fill(set, pieces, from, arrays);
  const { count } = arrays;
  return {
    stream: set.topic,
    split: set.split,
    generation: set.generation,
    count,
    bytes,
    keyStarts: arrays.keyStarts.subarray(0, count),
    keyEnds: arrays.keyEnds.subarray(0, count),
    valueStarts: arrays.valueStarts.subarray(0, count),
    valueEnds: arrays.valueEnds.subarray(0, count),
    offsets: arrays.offsets.subarray(0, count),
    timestampsMs: arrays.timestampsMs.subarray(0, count),
    headers: (message) =>
      slabHeaders(bytes, arrays.headerStarts[message] as number, set, arrays.offsets[message] as bigint),
  };
}

/** Parses the pieces in the buffer they share, or in one that is made for them; gives the buffer. */
function fill(set: RecordSet, pieces: readonly Piece[], from: bigint, arrays: SlabArrays): Uint8Array {
  const first = pieces[0] as Piece;
  if (pieces.length === 1 || first.bytes === set.records) {
    for (const { header, bytes, start, end } of pieces) parseRecords(arrays, bytes, start, end, header, from, set);
    return first.bytes;
  }
  const joined = Buffer.allocUnsafe(pieces.reduce((length, piece) => length + piece.end, 0));
  let at = 0;
  for (const { header, bytes } of pieces) {
    joined.set(bytes, at);
    parseRecords(arrays, joined, at, at + bytes.length, header, from, set);
    at += bytes.length;
  }
  return joined;
}
