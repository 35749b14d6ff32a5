import { type CountedPoint, parseCounted } from "../../core/counted-point.ts";
import { FrazilError } from "../../core/errors.ts";
import type { KafkaLog, OffsetAnswer, OffsetQuery, TopicDescription, TopicPartition } from "./log.ts";
import { answerError } from "./broker-error.ts";
import type { ChangedId } from "./topic-ids.ts";

/** `topic/partition`: a split's name in positions. */
export function splitName({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}

/** A point of a split: the next offset, in one of the topics of that name. @throws FrazilError `data`. */
export function splitPoint(split: string, point: string): CountedPoint {
  const parsed = parseCounted(point);
  if (parsed !== null) return parsed;
  throw new FrazilError("data", "BAD_POSITION", `expected an offset as the point of ${split}, found "${point}"`);
}

/** A topic partition and the broker that serves it. */
export interface LedPartition extends TopicPartition {
  readonly leader: number | null;
}

/** All partitions of all topics that have no error. */
export function partitionsOf(topics: readonly TopicDescription[]): LedPartition[] {
  return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, ...partition })));
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

/** What `on_lost_offsets` stands for. */
export const END_OF = { earliest: "earliest", latest: "committed-end" } as const;

/** Where a split goes on whose offset is lost. */
export async function jumpTarget(log: KafkaLog, partition: LedPartition, to: "earliest" | "latest"): Promise<bigint> {
  return (await askOffsets(log, [partition], END_OF[to])).get(splitName(partition)) ?? 0n;
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

/** The error for a topic that is known to be another one than the position is of. */
export function madeAnew(topic: string, changed: ChangedId | null, wanted: string | null): FrazilError {
  const ids = changed === null ? "" : ` (the id ${changed.was} was read, ${changed.now} is there)`;
  const position = wanted === null ? "" : `; ${wanted} is of the one before`;
  return new FrazilError("data", "LOST_OFFSETS", `${topic}: the topic was deleted and made anew${ids}${position}`, {
    hint: "to go on with the new topic, in the same tables, set `on_lost_offsets: earliest` for one run, or `latest` to leave out what it holds; what the old topic held and nobody had read is lost",
  });
}

/** The way out when a topic's offsets start again below what the tables hold; `on_lost_offsets` is about gaps and does not help. */
export const HINT_ANEW =
  "go on under another job `name:`, which reads the new topic from its start into the same tables (set `start:` to leave out what they hold of other topics); or send the records to a topic with another name";
