import { FrazilError } from "../../../core/errors.ts";
import { HINT_ANEW } from "../split.ts";

/** What errors tell of a split: its name, and the offset that is asked for. */
interface FetchedSplit {
  readonly name: string;
  readonly offset: bigint;
}

/** The error for a topic that looks made anew, and whose id says nothing else. */
export function epochWentBack(split: FetchedSplit, offset: bigint): FrazilError {
  return new FrazilError(
    "data",
    "LOST_OFFSETS",
    `${split.name} offset ${offset}: the topic was deleted and made anew while it was read (its leader epoch went back)`,
    { hint: HINT_ANEW },
  );
}

/** The error for a topic partition that was gone for a while, and starts below what was read of it. */
export function cameBack(split: string, before: bigint, offset: bigint): FrazilError {
  return new FrazilError(
    "data",
    "LOST_OFFSETS",
    `${split}: the topic was deleted and made anew: it starts at offset ${offset}, it had been read up to ${before}`,
    { hint: HINT_ANEW },
  );
}

/** A first batch comes whole, however long it is (KIP-74): of one that does not, each further answer would hold as little. */
export function cutShort(split: FetchedSplit): FrazilError {
  const message = `${split.name} offset ${split.offset}: the answer holds only the beginning of a record batch`;
  return new FrazilError("unavailable", "KAFKA_UNAVAILABLE", message, {
    hint: "the brokers must be Apache Kafka 0.10.1 or later, or do as it does: `fetch.max.bytes` must not cut a batch",
  });
}

/** The error for a topic that the job names and that does not come back. */
export function gone(split: FetchedSplit): FrazilError {
  return new FrazilError("data", "TOPIC_GONE", `${split.name} is gone: the cluster no longer knows it`, {
    hint: "take the topic out of `source.topics`, or bring it back",
  });
}
