import { FrazilError } from "../../core/errors.ts";
import { KAFKA_FETCH_WAIT_MS, KAFKA_IDLE_MS, KAFKA_METADATA_MS } from "../../core/limits.ts";
import type { Runtime } from "../../core/runtime.ts";
import { Bell } from "./bell.ts";
import { answerError } from "./broker-error.ts";
import type { KafkaSettings } from "./config.ts";
import { cameBack, cutShort, epochWentBack, gone } from "./fetch-errors.ts";
import type { FetchedPartition, KafkaLog, TopicDescription, TopicPartition } from "./log.ts";
import { isCutShort, readBatchHeaders } from "./record-batch.ts";
import type { ReadSizes } from "./read-sizes.ts";
import type { RecordSet } from "./record-slab.ts";
import { gaveUp, pauseMs } from "./retry.ts";
import {
  askOffsets,
  END_OF,
  heldRanges,
  isHeld,
  jumpTarget,
  type LedPartition,
  lostOffsets,
  madeAnew,
  noLeader,
  splitName,
} from "./split.ts";
import type { Subscription } from "./subscription.ts";
import type { TopicIds } from "./topic-ids.ts";
import { describeSubscribed } from "./topics.ts";

/** What comes next in reading, in the order in which it is to be taken. */
export type FetchEvent =
  | { readonly kind: "records"; readonly broker: number; readonly sets: readonly RecordSet[] }
  /** The split reads on at an offset that does not follow from its records: it or its topic is new, or it jumped over a gap. */
  | { readonly kind: "moved"; readonly split: string; readonly offset: bigint; readonly generation: number }
  | { readonly kind: "failed"; readonly error: unknown };

/** Where a split starts. */
export interface SplitStart extends LedPartition {
  readonly offset: bigint;
  /** Which topic of the name it is: see `CountedPoint`. */
  readonly generation: number;
}

export interface FetchAheadOptions {
  readonly subscription: Subscription;
  readonly topicIds: TopicIds;
  readonly onLostOffsets: KafkaSettings["onLostOffsets"];
  readonly outageLimitMs: number;
  readonly topicGoneMs: number;
  readonly sizes: Pick<ReadSizes, "answerBytes" | "partitionBytes">;
}

/** How a split cannot be read at the moment. */
interface Trouble {
  readonly sinceMs: number;
  readonly failures: number;
  /** Not asked for again before. */
  readonly untilMs: number;
}

interface Split extends TopicPartition {
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
interface Doubt {
  readonly error: FrazilError | null;
}

/** A broker's fetches: one under way, at most one answer waiting. */
interface Lane {
  readonly broker: number;
  readonly bell: Bell;
  waiting: number;
}

/**
 * Fetches from all brokers at once, each one answer ahead of the reader, and follows leaders, new topics and new partitions.
 * An answer's headers are looked at when it arrives, so that the next fetch can leave before its records are decoded.
 */
export class FetchAhead {
  readonly #log: KafkaLog;
  readonly #runtime: Runtime;
  readonly #options: FetchAheadOptions;
  readonly #splits = new Map<string, Split>();
  readonly #lanes = new Map<number, Lane>();
  readonly #events: FetchEvent[] = [];
  readonly #arrived = new Bell();
  readonly #topicsBell = new Bell();
  /** Where splits stood that went away with their topic. */
  readonly #gone = new Map<string, bigint>();
  #answers = 0;
  #stopped = false;

  constructor(log: KafkaLog, runtime: Runtime, options: FetchAheadOptions, starts: readonly SplitStart[]) {
    this.#log = log;
    this.#runtime = runtime;
    this.#options = options;
    for (const start of starts) this.#add(start);
    this.#openLanes();
    this.#guard(this.#watchTopics());
  }

  /** The next event, or null when none arrives within `timeoutMs` or `wake` is called. */
  async next(timeoutMs: number): Promise<FetchEvent | null> {
    if (this.#events.length === 0) await this.#arrived.wait(this.#runtime.clock, timeoutMs);
    const event = this.#events.shift() ?? null;
    if (event?.kind === "records") {
      const lane = this.#lanes.get(event.broker);
      if (lane !== undefined) {
        lane.waiting--;
        lane.bell.ring();
      }
    }
    return event;
  }

  /** Ends the wait of `next`. */
  wake(): void {
    this.#arrived.ring();
  }

  /** Starts no more requests; answers to those under way are dropped. */
  stop(): void {
    this.#stopped = true;
    this.#topicsBell.ring();
    this.#arrived.ring();
    for (const lane of this.#lanes.values()) lane.bell.ring();
  }

  #add({ topic, partition, leader, offset, generation }: SplitStart): Split {
    const split: Split = {
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
    this.#splits.set(split.name, split);
    return split;
  }

  #push(event: FetchEvent): void {
    this.#events.push(event);
    this.#arrived.ring();
  }

  #moved({ name, offset, generation }: Split): void {
    this.#push({ kind: "moved", split: name, offset, generation });
  }

  #guard(loop: Promise<void>): void {
    loop.catch((error: unknown) => this.#push({ kind: "failed", error }));
  }

  /** One lane for each broker that leads a split; a lane ends by itself when it has none left. */
  #openLanes(): void {
    for (const { leader } of this.#splits.values()) {
      const lane = leader === null ? undefined : this.#lanes.get(leader);
      if (lane !== undefined) lane.bell.ring();
      if (leader === null || lane !== undefined) continue;
      const opened: Lane = { broker: leader, bell: new Bell(), waiting: 0 };
      this.#lanes.set(leader, opened);
      this.#guard(this.#serve(opened));
    }
  }

  async #serve(lane: Lane): Promise<void> {
    const { clock } = this.#runtime;
    while (!this.#stopped) {
      const led = [...this.#splits.values()].filter(({ leader }) => leader === lane.broker);
      if (led.length === 0 && lane.waiting === 0) break;
      const nowMs = clock.monotonicMs();
      const ready = led.filter(
        ({ busy, doubt, trouble }) => !busy && doubt === null && (trouble?.untilMs ?? 0) <= nowMs,
      );
      if (lane.waiting > 0 || ready.length === 0) {
        const soonestMs = Math.min(
          KAFKA_IDLE_MS,
          ...led.map(({ trouble }) => (trouble?.untilMs ?? nowMs + KAFKA_IDLE_MS) - nowMs),
        );
        await lane.bell.wait(clock, Math.max(1, soonestMs));
      } else {
        await this.#fetch(
          lane,
          ready.sort((a, b) => a.turn - b.turn),
        );
      }
    }
    this.#lanes.delete(lane.broker);
  }

  async #fetch(lane: Lane, splits: readonly Split[]): Promise<void> {
    for (const split of splits) split.busy = true;
    let answers: readonly FetchedPartition[] = [];
    const { answerBytes, partitionBytes } = this.#options.sizes;
    try {
      answers = await this.#log.fetch(lane.broker, splits, {
        maxBytes: Math.max(partitionBytes, Math.floor(answerBytes / this.#lanes.size)),
        maxPartitionBytes: partitionBytes,
        maxWaitMs: KAFKA_FETCH_WAIT_MS,
      });
    } catch (error) {
      this.#inTrouble(splits, error);
      this.#topicsBell.ring();
      return;
    } finally {
      for (const split of splits) split.busy = false;
    }
    if (this.#stopped) return;
    this.#answers++;
    const sets: RecordSet[] = [];
    const well: Split[] = [];
    for (const answer of answers) {
      const split = this.#splits.get(splitName(answer));
      // Topics that are made anew get splits of their own.
      if (split === undefined || split.doubt !== null || !splits.includes(split)) continue;
      if (answer.error === null) {
        split.outOfRange = 0;
        if (isCutShort(answer.records)) {
          this.#inTrouble([split], cutShort(split));
          continue;
        }
        well.push(split);
        const set = this.#take(split, answer);
        if (set !== null) sets.push(set);
      } else if (answer.error === "OFFSET_OUT_OF_RANGE") {
        this.#guard(this.#outOfRange(split));
      } else {
        if (answer.error === "UNKNOWN_TOPIC_OR_PARTITION") split.doubt = { error: null };
        this.#inTrouble([split], answerError(answer.error, split.name));
        this.#topicsBell.ring();
      }
    }
    this.#outOfTrouble(well);
    if (sets.length === 0) return;
    lane.waiting++;
    this.#push({ kind: "records", broker: lane.broker, sets });
  }

  /** Moves the split behind an answer's complete batches; null when there is none. */
  #take(split: Split, { records, aborted }: FetchedPartition): RecordSet | null {
    const headers = readBatchHeaders(records, { split: split.name });
    const last = headers.at(-1);
    if (last === undefined || last.lastOffset < split.offset) return null;
    for (const { leaderEpoch, baseOffset } of headers) {
      if (leaderEpoch < split.leaderEpoch) {
        this.#doubt(split, epochWentBack(split, baseOffset));
        return null;
      }
      split.leaderEpoch = leaderEpoch;
    }
    split.offset = last.lastOffset + 1n;
    split.turn = this.#answers;
    const { topic, name, generation } = split;
    return { topic, split: name, generation, records, headers, aborted };
  }

  #doubt(split: Split, error: FrazilError): void {
    split.doubt = { error };
    this.#topicsBell.ring();
  }

  /**
   * Asks what the broker holds, and stops or jumps. A first refusal is only asked again: right after an election a broker may not
   * yet know how far its log goes.
   */
  async #outOfRange(split: Split): Promise<void> {
    const refused = new FrazilError(
      "unavailable",
      "KAFKA_UNAVAILABLE",
      `${split.name} offset ${split.offset}: OFFSET_OUT_OF_RANGE`,
    );
    if (++split.outOfRange < 2) {
      this.#inTrouble([split], refused);
      this.#topicsBell.ring();
      return;
    }
    split.busy = true;
    try {
      const range = (await heldRanges(this.#log, [split])).get(split.name);
      if (split.doubt !== null || this.#splits.get(split.name) !== split) return;
      if (range === undefined || isHeld(split.offset, range)) throw refused;
      if (split.offset > range.end) {
        this.#doubt(split, lostOffsets(split.name, split.offset, range));
        return;
      }
      if (this.#options.onLostOffsets === "stop") throw lostOffsets(split.name, split.offset, range);
      const offset = await jumpTarget(this.#log, split, this.#options.onLostOffsets);
      this.#runtime.log.warn("Offsets are lost, going on behind the gap", {
        split: split.name,
        wanted: String(split.offset),
        heldFrom: String(range.first),
        heldTo: String(range.end),
        goingOnAt: String(offset),
      });
      split.offset = offset;
      split.outOfRange = 0;
      split.leaderEpoch = -1;
      this.#moved(split);
    } catch (error) {
      this.#inTrouble([split], error);
    } finally {
      split.busy = false;
    }
  }

  /** Notes that splits cannot be read, and gives up where that lasts too long or is not going to pass. */
  #inTrouble(splits: readonly Split[], error: unknown): void {
    const [first] = splits;
    if (this.#stopped || first === undefined) return;
    if (!(error instanceof FrazilError) || error.kind !== "unavailable") {
      this.#push({ kind: "failed", error });
      return;
    }
    const nowMs = this.#runtime.clock.monotonicMs();
    for (const split of splits) {
      const failures = (split.trouble?.failures ?? 0) + 1;
      const untilMs = nowMs + pauseMs(failures, this.#runtime.random);
      split.trouble = { sinceMs: split.trouble?.sinceMs ?? nowMs, failures, untilMs };
    }
    const sinceMs = Math.min(...splits.map(({ trouble }) => trouble?.sinceMs ?? nowMs));
    this.#runtime.log.warn("Kafka topic partitions cannot be read, trying again", {
      splits: splits.length === 1 ? first.name : `${first.name} and ${splits.length - 1} more`,
      error: error.message,
      hint: error.hint,
      forMs: Math.round(nowMs - sinceMs),
      retryInMs: Math.round((first.trouble?.untilMs ?? nowMs) - nowMs),
    });
    if (nowMs - sinceMs >= this.#options.outageLimitMs) {
      this.#push({ kind: "failed", error: gaveUp(error, nowMs - sinceMs) });
    }
  }

  #outOfTrouble(splits: readonly Split[]): void {
    const healed = splits.filter(({ trouble }) => trouble !== null);
    if (healed.length === 0) return;
    const nowMs = this.#runtime.clock.monotonicMs();
    const sinceMs = Math.min(...healed.map(({ trouble }) => trouble?.sinceMs ?? nowMs));
    for (const split of healed) split.trouble = null;
    this.#runtime.log.info("Kafka topic partitions can be read again", {
      splits: healed.length,
      afterMs: Math.round(nowMs - sinceMs),
    });
  }

  /** Looks the topics up from time to time, and when something is wrong: at once, then with growing pauses. */
  async #watchTopics(): Promise<void> {
    const { clock, random, log } = this.#runtime;
    for (let unsettled = 0; ;) {
      await this.#topicsBell.wait(clock, unsettled === 0 ? KAFKA_METADATA_MS : pauseMs(unsettled, random));
      if (this.#stopped) return;
      try {
        unsettled = (await this.#lookUp()) ? 0 : unsettled + 1;
      } catch (error) {
        if (!(error instanceof FrazilError) || error.kind !== "unavailable") throw error;
        unsettled++;
        log.warn("Kafka topics cannot be looked up, trying again", { error: error.message });
      }
      this.#openLanes();
    }
  }

  /** Takes in leaders, newcomers and what is gone. False when something is not as it should be. */
  async #lookUp(): Promise<boolean> {
    const { subscription, topicIds } = this.#options;
    const topics = await describeSubscribed(this.#log, subscription);
    if (this.#stopped) return true;
    topicIds.see(topics);
    const anew = topics.filter(({ topic }) => topicIds.changed(topic) !== null);
    for (const topic of anew) await this.#beginAnew(topic);
    const newcomers: LedPartition[] = [];
    const known = new Set<string>();
    for (const partition of partitionsOf(topics)) {
      const name = splitName(partition);
      known.add(name);
      // One that was made anew and cannot be begun yet.
      if (topicIds.changed(partition.topic) !== null) continue;
      const split = this.#splits.get(name);
      if (split === undefined) newcomers.push(partition);
      else {
        if (split.doubt?.error != null) throw split.doubt.error;
        split.doubt = null;
        split.leader = partition.leader;
        split.missingSinceMs = null;
      }
    }
    for (const { topic, error } of topics) {
      if (error !== "LEADER_NOT_AVAILABLE") continue;
      // The topic is there, only nobody can say yet what of it: its splits are not gone.
      for (const split of this.#splits.values()) {
        if (split.topic !== topic) continue;
        known.add(split.name);
        split.leader = null;
      }
    }
    const leaderless = [...this.#splits.values()].filter(({ name, leader }) => known.has(name) && leader === null);
    if (leaderless[0] !== undefined) this.#inTrouble(leaderless, noLeader(leaderless[0]));
    const missing = this.#missing(known);
    const ready = newcomers.filter(({ leader }) => leader !== null);
    if (ready.length > 0) this.#welcome(ready, await askOffsets(this.#log, ready, "earliest"));
    const unbegun = anew.some(({ topic }) => topicIds.changed(topic) !== null);
    return leaderless.length === 0 && !missing && !unbegun && ready.length === newcomers.length;
  }

  /**
   * Goes on with a topic that was made anew, at the end that the job names, once all its partitions have leaders.
   * @throws FrazilError `data`, where the job is to stop.
   */
  async #beginAnew(description: TopicDescription): Promise<void> {
    const { topicIds, onLostOffsets } = this.#options;
    const { topic } = description;
    const old = [...this.#splits.values()].filter((split) => split.topic === topic);
    for (const split of old) split.doubt ??= { error: null };
    const changed = topicIds.changed(topic);
    if (onLostOffsets === "stop") throw madeAnew(topic, changed, null);
    const partitions = partitionsOf([description]);
    if (partitions.length === 0 || partitions.some(({ leader }) => leader === null)) return;
    const offsets = await askOffsets(this.#log, partitions, END_OF[onLostOffsets]);
    if (this.#stopped) return;
    topicIds.begin(topic);
    const generation = topicIds.generation(topic);
    for (const { name } of old) this.#splits.delete(name);
    this.#runtime.log.warn("A topic was made anew, going on with the new one", {
      topic,
      ...changed,
      at: onLostOffsets,
    });
    for (const partition of partitions) {
      this.#gone.delete(splitName(partition));
      this.#moved(this.#add({ ...partition, offset: offsets.get(splitName(partition)) ?? 0n, generation }));
    }
  }

  #welcome(newcomers: readonly LedPartition[], firsts: ReadonlyMap<string, bigint | null>): void {
    for (const newcomer of newcomers) {
      const offset = firsts.get(splitName(newcomer)) ?? 0n;
      const before = this.#gone.get(splitName(newcomer));
      if (before !== undefined && offset < before) throw cameBack(splitName(newcomer), before, offset);
      this.#options.topicIds.begin(newcomer.topic);
      const generation = this.#options.topicIds.generation(newcomer.topic);
      const split = this.#add({ ...newcomer, offset, generation });
      this.#runtime.log.info("Reading a new topic partition", { split: split.name, offset: String(split.offset) });
      this.#moved(split);
    }
  }

  /** Whether splits are unknown to the cluster. After a while that is final: an error for a topic that the job names. */
  #missing(known: ReadonlySet<string>): boolean {
    const nowMs = this.#runtime.clock.monotonicMs();
    let missing = false;
    for (const split of this.#splits.values()) {
      if (known.has(split.name)) continue;
      missing = true;
      split.missingSinceMs ??= nowMs;
      if (nowMs - split.missingSinceMs < this.#options.topicGoneMs) continue;
      if (this.#options.subscription.names.includes(split.topic)) throw gone(split);
      this.#splits.delete(split.name);
      this.#gone.set(split.name, split.offset);
      this.#runtime.log.warn("A topic partition is gone and no longer read", { split: split.name });
    }
    return missing;
  }
}

/** All partitions of all topics that have no error. */
export function partitionsOf(topics: readonly TopicDescription[]): LedPartition[] {
  return topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, ...partition })));
}
