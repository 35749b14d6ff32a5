import { FrazilError } from "../../core/errors.ts";
import type { KafkaLog, OffsetAnswer, OffsetQuery, TopicPartition } from "./log.ts";
import { answerError } from "./broker-error.ts";

/** `topic/partition`: a split's name in positions. */
export function splitName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** A point of a split: the next offset in decimal. @throws FrazilError `data`. */
export function pointOffset(split: string, point: string): bigint {
  if (/^\d{1,19}$/.test(point)) return BigInt(point);
  throw new FrazilError("data", "BAD_POSITION", `expected an offset as the point of ${split}, found "${point}"`);
}

/** A topic partition and the broker that serves it. */
export interface LedPartition extends TopicPartition {
  readonly leader: number | null;
}

/**
 * Offsets of topic partitions by split name, asked of all their leaders at once; null where no record is as young as the time asked for.
 * @throws FrazilError as `KafkaLog` says, also when a single topic partition has no answer.
 */
export async function askOffsets(
  log: KafkaLog,
  partitions: readonly LedPartition[],
  query: OffsetQuery,
): Promise<Map<string, bigint | null>> {
  const leaderless = partitions.find(({ leader }) => leader === null);
  if (leaderless !== undefined) throw noLeader(leaderless);
  const byLeader = Map.groupBy(partitions, ({ leader }) => leader as number);
  const answers = await Promise.all([...byLeader].map(([leader, led]) => log.offsets(leader, led, query)));
  return new Map(answers.flat().map((answer) => [splitName(answer), offsetOf(answer)]));
}

function offsetOf(answer: OffsetAnswer): bigint | null {
  if (answer.error !== null) throw answerError(answer.error, splitName(answer));
  return answer.offset;
}

/** The error while nobody serves a topic partition. */
export function noLeader(partition: TopicPartition): FrazilError {
  return new FrazilError("unavailable", "KAFKA_UNAVAILABLE", `${splitName(partition)} has no leader`, {
    hint: "are all brokers up? `kafka-topics.sh --describe --unavailable-partitions` tells",
  });
}

/** What a broker holds of a topic partition: offsets from `first` up to before `end`. */
export interface HeldRange {
  readonly first: bigint;
  readonly end: bigint;
}

/** The ranges held of topic partitions, by split name. @throws FrazilError as `askOffsets`. */
export async function heldRanges(log: KafkaLog, partitions: readonly LedPartition[]): Promise<Map<string, HeldRange>> {
  const [firsts, ends] = await Promise.all([
    askOffsets(log, partitions, "earliest"),
    askOffsets(log, partitions, "end"),
  ]);
  return new Map(
    partitions.map((partition) => {
      const split = splitName(partition);
      return [split, { first: firsts.get(split) ?? 0n, end: ends.get(split) ?? 0n }];
    }),
  );
}

/** Whether reading on from `offset` loses nothing: `offset` is held, or is the next one to be written. */
export function isHeld(offset: bigint, range: HeldRange): boolean {
  return offset >= range.first && offset <= range.end;
}

/** The error for a position that is no longer held. */
export function lostOffsets(split: string, wanted: bigint, range: HeldRange): FrazilError {
  if (wanted > range.end) return startedAnew(split, wanted, range);
  return new FrazilError(
    "data",
    "LOST_OFFSETS",
    `${split}: expected to read on at offset ${wanted}, the broker holds ${range.first} up to ${range.end}: the records in between were deleted before they were read`,
    {
      hint: "to accept the gap, set `on_lost_offsets: earliest` (or `latest`) for one run; raise the topic's retention",
    },
  );
}

/**
 * The error for a log that ends before the position. Its next records get offsets that the tables count as written, and would be left
 * out there: no jump helps.
 */
function startedAnew(split: string, wanted: bigint, range: HeldRange): FrazilError {
  return new FrazilError(
    "data",
    "LOST_OFFSETS",
    `${split}: expected to read on at offset ${wanted}, the broker holds ${range.first} up to ${range.end}: the topic was deleted and made anew, or lost its end`,
    { hint: HINT_ANEW },
  );
}

/** The way out when a topic's offsets start again below what the tables hold; `on_lost_offsets` is about gaps and does not help. */
export const HINT_ANEW =
  "go on under another job `name:`, which reads the new topic from its start into the same tables (set `start:` to leave out what they hold of other topics); or send the records to a topic with another name";
