import type { FrazilError } from "../../../core/errors.ts";
import type { TopicPartition } from "../log.ts";
import { type LedPartition, splitName } from "../split.ts";

/** Where a split starts. */
export interface SplitStart extends LedPartition {
  readonly offset: bigint;
  /** Which topic of the name it is: see `CountedPoint`. */
  readonly generation: number;
}

/** How a split cannot be read at the moment. */
export interface Trouble {
  readonly sinceMs: number;
  readonly failures: number;
  /** Not asked for again before. */
  readonly untilMs: number;
}

/** A topic partition that is read, and how far the reading has come. */
export interface ReadingSplit extends TopicPartition {
  readonly name: string;
  leader: number | null;
  /** What the next fetch asks for. */
  offset: bigint;
  /** Asked for, or being looked after: in no other request meanwhile, so that its batches stay in order. */
  busy: boolean;
  /** When it last had records, in answers: who waited longest comes first in the next fetch. */
  turn: number;
  /** Never goes down in a topic's life. */
  leaderEpoch: number;
  /** Answers in a row that call the offset out of range. */
  outOfRange: number;
  /** Since when the cluster does not know it. */
  missingSinceMs: number | null;
  trouble: Trouble | null;
  /** The topic may be another one by now: nothing is read or taken until it has been looked up. */
  doubt: Doubt | null;
  readonly generation: number;
}

/** `error`: what it is if the topic has stayed the same. */
export interface Doubt {
  readonly error: FrazilError | null;
}

/** A split as it is before anything is asked for. */
export function readingSplit({ topic, partition, leader, offset, generation }: SplitStart): ReadingSplit {
  return {
    topic,
    partition,
    name: splitName({ topic, partition }),
    leader,
    offset,
    busy: false,
    turn: 0,
    leaderEpoch: -1,
    outOfRange: 0,
    missingSinceMs: null,
    trouble: null,
    doubt: null,
    generation,
  };
}
