import { FrazilError } from "../../core/errors.ts";
import type { AbortedTransaction } from "./committed.ts";
import { WireCursor } from "./wire-cursor.ts";

/** A fetch answer as it stands on the wire, record sets left as raw bytes in the answer's own buffer. */
export interface FetchAnswer {
  /** What kafkajs wants to know: how long to keep still (KIP-219). */
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly errorCode: number;
    readonly highWatermark: bigint;
    readonly lastStableOffset: bigint;
    readonly logStartOffset: bigint | null;
    readonly aborted: readonly AbortedTransaction[];
    readonly records: Buffer;
  }[];
}

/** Version 4 (Kafka 0.11) is the first that knows isolation levels, 11 the last before a compact encoding. */
const OLDEST_VERSION = 4;
const NEWEST_VERSION = 11;

/**
 * Decodes the answer to a fetch request of the version given.
 * @throws FrazilError `unsupported` for a broker before Kafka 0.11, `unavailable` for an answer that ends early.
 */
export function decodeFetchAnswer(payload: Buffer, version: number): FetchAnswer {
  if (version < OLDEST_VERSION || version > NEWEST_VERSION) {
    throw new FrazilError(
      "unsupported",
      "KAFKA_VERSION",
      `expected a broker of Kafka 0.11 or later, found fetch version ${version}`,
    );
  }
  try {
    return decode(new WireCursor(payload), version);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new FrazilError("unavailable", "KAFKA_ANSWER", `a fetch answer of ${payload.length} bytes ends early`, {
      cause,
    });
  }
}

function decode(cursor: WireCursor, version: number): FetchAnswer {
  const clientSideThrottleTime = cursor.int32();
  const errorCode = version >= 7 ? cursor.int16() : 0;
  if (version >= 7) cursor.int32(); // the session's id: we ask without a session
  const partitions = cursor.array(() => {
    const topic = cursor.string();
    return cursor.array(() => ({ topic, ...decodePartition(cursor, version) }));
  });
  return { clientSideThrottleTime, errorCode, partitions: partitions.flat() };
}

function decodePartition(cursor: WireCursor, version: number): Omit<FetchAnswer["partitions"][number], "topic"> {
  const partition = cursor.int32();
  const errorCode = cursor.int16();
  const highWatermark = cursor.int64();
  const lastStableOffset = cursor.int64();
  const logStart = version >= 5 ? cursor.int64() : -1n;
  const aborted = cursor.array(() => ({ producerId: cursor.int64(), firstOffset: cursor.int64() }));
  if (version >= 11) cursor.int32(); // the replica to read from: we name no rack, so none is preferred
  const records = cursor.bytes();
  const logStartOffset = logStart < 0n ? null : logStart;
  return { partition, errorCode, highWatermark, lastStableOffset, logStartOffset, aborted, records };
}
