import { FrazilError } from "../../../core/errors.ts";
import { KAFKA_METADATA_MS } from "../../../core/limits.ts";
import type { Runtime } from "../../../core/runtime.ts";
import type { KafkaSettings } from "../config.ts";
import type { KafkaLog, TopicDescription } from "../log.ts";
import { pauseMs } from "../retry.ts";
import { askOffsets, END_OF, type LedPartition, madeAnew, noLeader, partitionsOf, splitName } from "../split.ts";
import type { Subscription } from "../subscription.ts";
import type { TopicIds } from "../topic-ids.ts";
import { describeSubscribed } from "../topics.ts";
import { Bell } from "./bell.ts";
import { cameBack, gone } from "./fetch-errors.ts";
import { type ReadingSplit, readingSplit, type SplitStart } from "./reading-split.ts";
import type { SplitTroubles } from "./split-troubles.ts";

export interface TopicWatchOptions {
  readonly subscription: Subscription;
  readonly topicIds: TopicIds;
  readonly onLostOffsets: KafkaSettings["onLostOffsets"];
  readonly topicGoneMs: number;
}

/** The reading whose splits are watched. */
export interface WatchedReading {
  /** By name; splits come and go here. */
  readonly splits: Map<string, ReadingSplit>;
  readonly troubles: SplitTroubles;
  readonly stopped: AbortSignal;
  /** A split begins at an offset that does not follow from what was read. */
  moved(split: ReadingSplit): void;
  /** Topics have been looked up: leaders may be others. */
  looked(): void;
}

/** Follows leaders, new topics and partitions, topics that are made anew and those that go away. */
export class TopicWatch {
  readonly #log: KafkaLog;
  readonly #runtime: Runtime;
  readonly #options: TopicWatchOptions;
  readonly #reading: WatchedReading;
  readonly #bell = new Bell();
  /** Where splits stood that went away with their topic. */
  readonly #gone = new Map<string, bigint>();

  constructor(log: KafkaLog, runtime: Runtime, options: TopicWatchOptions, reading: WatchedReading) {
    this.#log = log;
    this.#runtime = runtime;
    this.#options = options;
    this.#reading = reading;
  }

  /** Something is wrong, or it is to end. */
  ring(): void {
    this.#bell.ring();
  }

  /** Looks the topics up from time to time, and when it is rung: at once, then with growing pauses. */
  async run(): Promise<void> {
    const { clock, random, log } = this.#runtime;
    for (let unsettled = 0; ;) {
      await this.#bell.wait(clock, unsettled === 0 ? KAFKA_METADATA_MS : pauseMs(unsettled, random));
      if (this.#reading.stopped.aborted) return;
      try {
        unsettled = (await this.#lookUp()) ? 0 : unsettled + 1;
      } catch (error) {
        if (!(error instanceof FrazilError) || error.kind !== "unavailable") throw error;
        unsettled++;
        log.warn("Kafka topics cannot be looked up, trying again", { error: error.message });
      }
      this.#reading.looked();
    }
  }

  /** Takes in leaders, newcomers and what is gone. False when something is not as it should be. */
  async #lookUp(): Promise<boolean> {
    const { subscription, topicIds } = this.#options;
    const topics = await describeSubscribed(this.#log, subscription);
    if (this.#reading.stopped.aborted) return true;
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
      const split = this.#reading.splits.get(name);
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
      for (const split of this.#reading.splits.values()) {
        if (split.topic !== topic) continue;
        known.add(split.name);
        split.leader = null;
      }
    }
    const leaderless = [...this.#reading.splits.values()].filter(
      ({ name, leader }) => known.has(name) && leader === null,
    );
    if (leaderless[0] !== undefined) this.#reading.troubles.note(leaderless, noLeader(leaderless[0]));
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
    const old = [...this.#reading.splits.values()].filter((split) => split.topic === topic);
    for (const split of old) split.doubt ??= { error: null };
    const changed = topicIds.changed(topic);
    if (onLostOffsets === "stop") throw madeAnew(topic, changed, null);
    const partitions = partitionsOf([description]);
    if (partitions.length === 0 || partitions.some(({ leader }) => leader === null)) return;
    const offsets = await askOffsets(this.#log, partitions, END_OF[onLostOffsets]);
    if (this.#reading.stopped.aborted) return;
    topicIds.begin(topic);
    const generation = topicIds.generation(topic);
    for (const { name } of old) this.#reading.splits.delete(name);
    this.#runtime.log.warn("A topic was made anew, going on with the new one", {
      topic,
      ...changed,
      at: onLostOffsets,
    });
    for (const partition of partitions) {
      this.#gone.delete(splitName(partition));
      this.#add({ ...partition, offset: offsets.get(splitName(partition)) ?? 0n, generation });
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
    }
  }

  /** Whether splits are unknown to the cluster. After a while that is final: an error for a topic that the job names. */
  #missing(known: ReadonlySet<string>): boolean {
    const nowMs = this.#runtime.clock.monotonicMs();
    let missing = false;
    for (const split of this.#reading.splits.values()) {
      if (known.has(split.name)) continue;
      missing = true;
      split.missingSinceMs ??= nowMs;
      if (nowMs - split.missingSinceMs < this.#options.topicGoneMs) continue;
      if (this.#options.subscription.names.includes(split.topic)) throw gone(split);
      this.#reading.splits.delete(split.name);
      this.#gone.set(split.name, split.offset);
      this.#runtime.log.warn("A topic partition is gone and no longer read", { split: split.name });
    }
    return missing;
  }

  #add(start: SplitStart): ReadingSplit {
    const split = readingSplit(start);
    this.#reading.splits.set(split.name, split);
    this.#reading.moved(split);
    return split;
  }
}
