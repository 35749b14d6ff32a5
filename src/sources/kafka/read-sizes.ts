import {
  KAFKA_FETCH_BYTES,
  KAFKA_FETCH_SHARE,
  KAFKA_PARTITION_FETCH_BYTES,
  KAFKA_SLAB_BYTES,
} from "../../core/limits.ts";

/** How much is read at a time. A larger record batch comes whole all the same. */
export interface ReadSizes {
  /** Of an answer, split among the brokers. */
  readonly answerBytes: number;
  /** Of one topic partition in it. */
  readonly partitionBytes: number;
  /** Decompressed, handed to the decoder at a time. */
  readonly slabBytes: number;
}

/** What suits a memory budget: of an ample one the limits themselves. */
export function readSizes(memoryBytes: number): ReadSizes {
  const answerBytes = Math.min(KAFKA_FETCH_BYTES, Math.floor(memoryBytes * KAFKA_FETCH_SHARE));
  return {
    answerBytes,
    partitionBytes: Math.min(KAFKA_PARTITION_FETCH_BYTES, answerBytes),
    slabBytes: Math.min(KAFKA_SLAB_BYTES, Math.floor(answerBytes / 2)),
  };
}
