import { tlsOptions } from "../../config/tls-schema.ts";
import type { ChangeBatch } from "../../core/change-batch.ts";
import { compareCounted, type CountedPoint, countedText } from "../../core/counted-point.ts";
import { FrazilError } from "../../core/errors.ts";
import type { Decoder } from "../../core/format.ts";
import {
  KAFKA_ACKNOWLEDGE_MS,
  KAFKA_IDLE_MS,
  KAFKA_OUTAGE_LIMIT_MS,
  KAFKA_START_LIMIT_MS,
  KAFKA_TOPIC_GONE_MS,
} from "../../core/limits.ts";
import type { Position } from "../../core/position.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { Source, SourceBatch } from "../../core/source.ts";
import type { StreamIds } from "../../core/stream-id.ts";
import { KafkajsLog } from "./cluster.ts";
import { type KafkaSettings, parseAddress } from "./config.ts";
import { FetchAhead } from "./reading/fetch-ahead.ts";
import type { SplitStart } from "./reading/reading-split.ts";
import type { KafkaLog, OffsetQuery } from "./log.ts";
import { readSizes } from "./read-sizes.ts";
import { readSlabs, type RecordSet } from "./record-slab.ts";
import { patiently } from "./retry.ts";
import {
  askOffsets,
  type HeldRange,
  heldRanges,
  isHeld,
  jumpTarget,
  type LedPartition,
  lostOffsets,
  madeAnew,
  partitionsOf,
  splitName,
  splitPoint,
} from "./split.ts";
import { subscription } from "./subscription.ts";
import { TopicIds } from "./topic-ids.ts";
import { checkTopics, describeSubscribed } from "./topics.ts";

export interface KafkaDeps {
  readonly decoder: Decoder;
  readonly runtime: Runtime;
  /** The cluster; by default the one that the settings name. */
  readonly log?: KafkaLog;
  /** How long splits may stay unreadable while reading; default `KAFKA_OUTAGE_LIMIT_MS`. */
  readonly outageLimitMs?: number;
  /** How long the brokers may stay away before reading; default `KAFKA_START_LIMIT_MS`. */
  readonly startLimitMs?: number;
  /** How long a topic may be unknown before it counts as deleted; default `KAFKA_TOPIC_GONE_MS`. */
  readonly topicGoneMs?: number;
  /** The budget of the process, of which reading ahead takes its share; by default an ample one. */
  readonly memoryBytes?: number | undefined;
}

/** How long the answer of a broker about a lost offset is doubted, which may just have been elected. */
const SECOND_LOOK_MS = 1_000;

/**
 * Reads Kafka topics without a consumer group: a split is a topic partition (`topic/partition`), its point the next offset. Records
 * of aborted transactions are never seen, and none beyond the first open one.
 * @throws FrazilError `config` for settings that cannot be meant.
 */
export function createKafkaSource(settings: KafkaSettings, deps: KafkaDeps): Source {
  return new KafkaSource(settings, deps);
}

class KafkaSource implements Source {
  readonly #settings: KafkaSettings;
  readonly #decoder: Decoder;
  readonly #runtime: Runtime;
  readonly #outageLimitMs: number;
  readonly #startLimitMs: number;
  readonly #topicGoneMs: number;
  readonly #sizes;
  readonly #subscription;
  readonly #seeds;
  readonly #topicIds = new TopicIds();
  #log: KafkaLog | null;
  #reading: FetchAhead | null = null;
  #acknowledged: Position = new Map();
  #toAcknowledge: Position | null = null;
  #acknowledging: Promise<void> | null = null;

  constructor(settings: KafkaSettings, deps: KafkaDeps) {
    this.#settings = settings;
    this.#decoder = deps.decoder;
    this.#runtime = deps.runtime;
    this.#outageLimitMs = deps.outageLimitMs ?? KAFKA_OUTAGE_LIMIT_MS;
    this.#startLimitMs = deps.startLimitMs ?? KAFKA_START_LIMIT_MS;
    this.#topicGoneMs = deps.topicGoneMs ?? KAFKA_TOPIC_GONE_MS;
    this.#sizes = readSizes(deps.memoryBytes ?? Infinity);
    this.#subscription = subscription(settings.topics);
    this.#seeds = settings.brokers.map(parseAddress);
    this.#log = deps.log ?? null;
  }

  async open(): Promise<void> {
    const { clientId, sasl, tls } = this.#settings;
    const log = this.#runtime.log;
    this.#log ??= new KafkajsLog(this.#seeds, { clientId, sasl, tls: await tlsOptions(tls, "KAFKA_TLS"), log });
    const topics = await this.#patiently("connecting", () => describeSubscribed(this.#opened(), this.#subscription));
    await this.#patiently("looking up topics", () => checkTopics(this.#opened(), topics));
    if (topics.length === 0) log.warn("No topic matches yet", { topics: this.#settings.topics });
  }

  recall(known: StreamIds): void {
    this.#topicIds.recall(known);
  }

  streamIds(): StreamIds {
    return this.#topicIds.read;
  }

  async startPosition(): Promise<Position> {
    const { start } = this.#settings;
    return await this.#offsets(start === "latest" ? "committed-end" : start);
  }

  async endPosition(): Promise<Position> {
    return await this.#offsets("committed-end");
  }

  async *read(from: Position, signal: AbortSignal): AsyncGenerator<SourceBatch> {
    const starts = await this.#startsUnlessAborted(from, signal);
    if (starts === null) return;
    const next = new Map(starts.map((start) => [splitName(start), start.offset]));
    const fetched = new FetchAhead(
      this.#opened(),
      this.#runtime,
      {
        subscription: this.#subscription,
        topicIds: this.#topicIds,
        onLostOffsets: this.#settings.onLostOffsets,
        outageLimitMs: this.#outageLimitMs,
        topicGoneMs: this.#topicGoneMs,
        sizes: this.#sizes,
      },
      starts,
    );
    this.#reading = fetched;
    const wake = (): void => fetched.wake();
    signal.addEventListener("abort", wake);
    try {
      // Splits that jumped a gap, or that the caller does not know of yet.
      const points = starts.map((start) => [splitName(start), countedText(start.offset, start.generation)] as const);
      const moved = points.filter(([split, point]) => from.get(split) !== point);
      if (moved.length > 0) yield progress(moved);
      while (!signal.aborted) {
        const event = await fetched.next(KAFKA_IDLE_MS);
        if (event === null) {
          if (!signal.aborted) yield progress([]);
        } else if (event.kind === "failed") {
          throw event.error;
        } else if (event.kind === "moved") {
          next.set(event.split, event.offset);
          yield progress([[event.split, countedText(event.offset, event.generation)]]);
        } else {
          yield* this.#decode(event.sets, next);
        }
      }
    } finally {
      signal.removeEventListener("abort", wake);
      fetched.stop();
    }
  }

  comparePoints(a: string, b: string): number {
    return compareCounted(a, b);
  }

  async acknowledge(position: Position): Promise<void> {
    if (this.#log === null) return;
    const { clock } = this.#runtime;
    // One request at a time; positions that come meanwhile are left out but for the last.
    this.#toAcknowledge = position;
    this.#acknowledging ??= this.#acknowledgeAll(this.#log).finally(() => (this.#acknowledging = null));
    const done = new AbortController();
    await Promise.race([
      this.#acknowledging.finally(() => done.abort()),
      clock.sleep(KAFKA_ACKNOWLEDGE_MS, done.signal),
    ]);
  }

  async close(): Promise<void> {
    this.#reading?.stop();
    await this.#log?.close();
    this.#log = null;
  }

  /** Decodes an answer: what its topic partitions hold goes together, up to about a slab's bytes. */
  *#decode(sets: readonly RecordSet[], next: Map<string, bigint>): Generator<SourceBatch> {
    let changes: ChangeBatch[] = [];
    let ends = new Map<string, string>();
    let times = new Map<string, number>();
    let records = 0;
    let bytes = 0;
    const { slabBytes } = this.#sizes;
    for (const set of sets) {
      for (const { slab, nextOffset } of readSlabs(set, next.get(set.split) ?? 0n, slabBytes)) {
        if (slab !== null) {
          for (const batch of this.#decoder.decode(slab)) changes.push(batch);
          if (slab.count > 0) times.set(set.split, slab.timestampsMs[slab.count - 1] as number);
          records += slab.count;
          bytes += slab.bytes.length;
        }
        next.set(set.split, nextOffset);
        ends.set(set.split, countedText(nextOffset, set.generation));
        if (bytes < slabBytes) continue;
        yield { changes, ends, records, bytes, times };
        changes = [];
        ends = new Map();
        times = new Map();
        records = 0;
        bytes = 0;
      }
    }
    if (ends.size > 0) yield { changes, ends, records, bytes, times };
  }

  async #startsUnlessAborted(from: Position, signal: AbortSignal): Promise<SplitStart[] | null> {
    try {
      return await this.#starts(from, signal);
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
  }

  /** Where each split starts: at its point, or, without one, at its very beginning; checked against what the brokers hold. */
  async #starts(from: Position, signal: AbortSignal): Promise<SplitStart[]> {
    const attempt = async (secondLook: boolean): Promise<SplitStart[]> => {
      const log = this.#opened();
      const partitions = await this.#partitions(log);
      const ranges = await heldRanges(log, partitions);
      const starts: SplitStart[] = [];
      for (const partition of partitions) {
        const split = splitName(partition);
        const range = ranges.get(split) ?? { first: 0n, end: 0n };
        const generation = this.#topicIds.generation(partition.topic);
        const point = from.get(split);
        const wanted = point === undefined ? { offset: range.first, generation } : splitPoint(split, point);
        const { offset } = wanted;
        if (wanted.generation < generation) {
          starts.push({ ...partition, offset: await this.#beginAnew(log, partition, wanted, range), generation });
          continue;
        }
        if (isHeld(offset, range)) {
          starts.push({ ...partition, ...wanted });
          continue;
        }
        if (!secondLook) {
          await this.#runtime.clock.sleep(SECOND_LOOK_MS, signal);
          return attempt(true);
        }
        if (this.#settings.onLostOffsets === "stop" || offset > range.end) throw lostOffsets(split, offset, range);
        const goOnAt = await jumpTarget(log, partition, this.#settings.onLostOffsets);
        this.#warn("Offsets are lost, going on behind the gap", split, offset, range, goOnAt);
        starts.push({ ...partition, ...wanted, offset: goOnAt });
      }
      for (const { topic } of partitions) this.#topicIds.begin(topic);
      return starts;
    };
    return patiently(this.#runtime, this.#outageLimitMs, "starting to read", () => attempt(false), { signal });
  }

  /** Where a split goes on whose topic is another one than its point is of. @throws FrazilError `data`, where the job is to stop. */
  async #beginAnew(log: KafkaLog, partition: LedPartition, wanted: CountedPoint, range: HeldRange): Promise<bigint> {
    const split = splitName(partition);
    const { onLostOffsets } = this.#settings;
    if (onLostOffsets === "stop") {
      const position = `the position ${wanted.offset} of ${split}`;
      throw madeAnew(partition.topic, this.#topicIds.changed(partition.topic), position);
    }
    const goOnAt = await jumpTarget(log, partition, onLostOffsets);
    this.#warn("A topic was made anew, going on with the new one", split, wanted.offset, range, goOnAt);
    return goOnAt;
  }

  #warn(message: string, split: string, wanted: bigint, range: HeldRange, goOnAt: bigint): void {
    const held = { heldFrom: String(range.first), heldTo: String(range.end) };
    this.#runtime.log.warn(message, { split, wanted: String(wanted), ...held, goingOnAt: String(goOnAt) });
  }

  /** The partitions that there are now. */
  async #partitions(log: KafkaLog): Promise<LedPartition[]> {
    const topics = await describeSubscribed(log, this.#subscription);
    this.#topicIds.see(topics);
    return partitionsOf(topics);
  }

  async #offsets(query: OffsetQuery): Promise<Position> {
    return this.#patiently("asking for offsets", async () => {
      const log = this.#opened();
      const partitions = await this.#partitions(log);
      const offsets = await askOffsets(log, partitions, query);
      // No record is as young as the time asked for: the end is the first place where one may come.
      const without = partitions.filter((partition) => offsets.get(splitName(partition)) == null);
      const ends = without.length === 0 ? new Map() : await askOffsets(log, without, "committed-end");
      return new Map(
        partitions.map((partition) => {
          const split = splitName(partition);
          const offset = offsets.get(split) ?? ends.get(split) ?? 0n;
          return [split, countedText(offset, this.#topicIds.generation(partition.topic))];
        }),
      );
    });
  }

  async #acknowledgeAll(log: KafkaLog): Promise<void> {
    while (this.#toAcknowledge !== null) {
      const position = this.#toAcknowledge;
      this.#toAcknowledge = null;
      await this.#commitOffsets(log, position);
    }
  }

  async #commitOffsets(log: KafkaLog, position: Position): Promise<void> {
    const moved = [...position].filter(([split, point]) => this.#acknowledged.get(split) !== point);
    if (moved.length === 0) return;
    const positions = moved.map(([split, point]) => {
      const slash = split.lastIndexOf("/");
      return {
        topic: split.slice(0, slash),
        partition: Number(split.slice(slash + 1)),
        offset: splitPoint(split, point).offset,
      };
    });
    try {
      // A cluster's first group has to wait for the topic of group offsets.
      const commit = (): Promise<void> => log.commitOffsets(this.#settings.groupId, positions);
      await patiently(this.#runtime, KAFKA_ACKNOWLEDGE_MS, "committing the group's offsets", commit, {
        level: "debug",
      });
      this.#acknowledged = new Map([...this.#acknowledged, ...moved]);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#runtime.log.debug("The group's offsets were not committed", {
        group: this.#settings.groupId,
        error: reason,
      });
    }
  }

  #patiently<T>(doing: string, attempt: () => Promise<T>): Promise<T> {
    return patiently(this.#runtime, this.#startLimitMs, doing, attempt);
  }

  #opened(): KafkaLog {
    if (this.#log !== null) return this.#log;
    throw new FrazilError("internal", "SOURCE_CLOSED", "the Kafka source is not open");
  }
}

/** No changes, but splits that moved. */
function progress(ends: readonly (readonly [string, string])[]): SourceBatch {
  return { changes: [], ends: new Map(ends), records: 0 };
}
