import type { AbortedTransaction } from "./committed.ts";

/** One partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A topic as the cluster describes it. */
export interface TopicDescription {
  readonly topic: string;
  /** Tells it from others of its name, before and after it (Kafka 2.8 and later); null where the cluster does not tell. */
  readonly id: string | null;
  /** Kafka's name of what is wrong (`UNKNOWN_TOPIC_OR_PARTITION`, `TOPIC_AUTHORIZATION_FAILED`, ...), or null. */
  readonly error: string | null;
  /** The cluster's own, such as `__consumer_offsets`. */
  readonly internal: boolean;
  /** `leader` is the broker that serves the partition; null while there is none. */
  readonly partitions: readonly { readonly partition: number; readonly leader: number | null }[];
}

/**
 * Which offset is asked for. `end` is the next offset to be written; `committed-end` stops before the first open transaction, which
 * is as far as one can read; a time (milliseconds since 1970) is the first offset whose timestamp is at or after it.
 */
export type OffsetQuery = "earliest" | "end" | "committed-end" | { readonly atMs: number };

/** An answer to `OffsetQuery`: `offset` is null when no record is as young as the time asked for, or on an error. */
export interface OffsetAnswer extends TopicPartition {
  readonly error: string | null;
  readonly offset: bigint | null;
}

/** Where to read on. */
export interface FetchPosition extends TopicPartition {
  readonly offset: bigint;
}

/** A fetch answer's part for one topic partition. */
export interface FetchedPartition extends TopicPartition {
  readonly error: string | null;
  /** The oldest offset that the broker holds; null where the broker does not say. */
  readonly logStartOffset: bigint | null;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches, the last one maybe cut off. */
  readonly records: Buffer;
}

/** Bounds of one fetch. */
export interface FetchBounds {
  readonly maxBytes: number;
  readonly maxPartitionBytes: number;
  /** How long the broker waits for the first byte. */
  readonly maxWaitMs: number;
}

/**
 * A Kafka cluster as we use it: no groups, read-committed. Every call is one attempt, made at once: who calls decides about trying
 * again. Errors of single topic partitions are in the answers.
 * @throws FrazilError, of all calls: `unavailable` when the broker cannot be reached or does not answer, which may pass;
 * `permission`, `config`, `unsupported`, which will not.
 */
export interface KafkaLog {
  /** Topics by name, or all that we may see; the leaders are those of now. Asks any broker. */
  describe(topics: readonly string[] | null): Promise<readonly TopicDescription[]>;
  /** Offsets of topic partitions that `broker` leads. */
  offsets(broker: number, partitions: readonly TopicPartition[], query: OffsetQuery): Promise<readonly OffsetAnswer[]>;
  /** Reads from topic partitions that `broker` leads. One at a time for each broker; not held up by other calls. */
  fetch(broker: number, positions: readonly FetchPosition[], bounds: FetchBounds): Promise<readonly FetchedPartition[]>;
  /** Commits a group's offsets without being its member. */
  commitOffsets(group: string, positions: readonly FetchPosition[]): Promise<void>;
  /** Ends all connections; calls under way fail. */
  close(): Promise<void>;
}
