import type { PrimitiveType } from "../../table-format/index.ts";
import type { MessageSlab } from "./message-slab.ts";

/** What a job says of messages that cannot be decoded. */
export interface DeadLetterSettings {
  /** `namespace.table`: where they are kept. */
  readonly table: string;
  /** More of them in one run end the job. */
  readonly maxRows: number;
  /** A higher share of a run's messages ends the job, once `DEAD_LETTER_SHARE_FROM` were read or the run has come to its end. */
  readonly maxShare: number;
}

/** The stream that a job's dead letters are routed by: no topic and no table has such a name. */
export const DEAD_LETTER_STREAM = "(dead letters)";

/** The split that a replay reads; its point is the number of the letter to replay next. */
export const DEAD_LETTER_SPLIT = `${DEAD_LETTER_STREAM}/0`;

/**
 * Columns of a dead-letter table. Topic, partition, offset, timestamp, key, value and headers are the message, byte for byte; the rest says
 * why it is here. Nothing depends on when or how often the message was read, so that a crash gives no letter twice.
 */
export const DEAD_LETTER_COLUMNS = {
  /** Rises by at least one from letter to letter of a pipeline; replays go by it. */
  letter: { kind: "long" },
  topic: { kind: "string" },
  /** Null where the split of the source is no numbered part of its stream. */
  partition: { kind: "int" },
  offset: { kind: "long" },
  timestamp: { kind: "timestamptz" },
  /** Null and empty are told apart, as in the message. */
  key: { kind: "binary" },
  value: { kind: "binary" },
  /** A JSON array of `[name, value in base64 or null]`, in the message's order. */
  headers: { kind: "string" },
  /** The error's code, such as VALUE_MISMATCH. */
  code: { kind: "string" },
  reason: { kind: "string" },
  /** The column that the error is about, where one is. */
  column: { kind: "string" },
  /** The table that the message was for, where that was known. */
  target: { kind: "string" },
  pipeline: { kind: "string" },
} as const satisfies Record<string, PrimitiveType>;

/** Where a message stood when it was first read. */
export interface LetterOrigin {
  readonly partition: number | null;
  readonly offset: bigint;
}

/** Letters as messages again: `offsets` are the letters' numbers, and `origins` tells where each message came from. */
export interface ReplayedSlab extends MessageSlab {
  readonly origins: readonly LetterOrigin[];
}

/** Where a message of a slab comes from, also when it is replayed. */
export function originOf(slab: MessageSlab | ReplayedSlab, message: number): LetterOrigin {
  const replayed = "origins" in slab ? slab.origins[message] : undefined;
  if (replayed !== undefined) return replayed;
  const partition = /\/(\d{1,9})$/.exec(slab.split)?.[1];
  return { partition: partition === undefined ? null : Number(partition), offset: slab.offsets[message] as bigint };
}
