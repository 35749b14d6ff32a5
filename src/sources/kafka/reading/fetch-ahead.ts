import { FrazilError } from "../../../core/errors.ts";
import { KAFKA_FETCH_WAIT_MS, KAFKA_IDLE_MS } from "../../../core/limits.ts";
import type { Runtime } from "../../../core/runtime.ts";
import { answerError } from "../broker-error.ts";
import type { FetchedPartition, KafkaLog } from "../log.ts";
import { isCutShort, readBatchHeaders } from "../record-batch.ts";
import type { ReadSizes } from "../read-sizes.ts";
import type { RecordSet } from "../record-slab.ts";
import { heldRanges, isHeld, jumpTarget, lostOffsets, splitName } from "../split.ts";
import { Bell } from "./bell.ts";
import { cutShort, epochWentBack } from "./fetch-errors.ts";
import { type ReadingSplit, readingSplit, type SplitStart } from "./reading-split.ts";
import { SplitTroubles } from "./split-troubles.ts";
import { TopicWatch, type TopicWatchOptions } from "./topic-watch.ts";

/** What comes next in reading, in the order in which it is to be taken. */
export type FetchEvent =
  | { readonly kind: "records"; readonly broker: number; readonly sets: readonly RecordSet[] }
  /** The split reads on at an offset that does not follow from its records: it or its topic is new, or it jumped over a gap. */
  | { readonly kind: "moved"; readonly split: string; readonly offset: bigint; readonly generation: number }
  | { readonly kind: "failed"; readonly error: unknown };

export interface FetchAheadOptions extends TopicWatchOptions {
  readonly outageLimitMs: number;
  readonly sizes: Pick<ReadSizes, "answerBytes" | "partitionBytes">;
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
  readonly #splits = new Map<string, ReadingSplit>();
  readonly #lanes = new Map<number, Lane>();
  readonly #events: FetchEvent[] = [];
  readonly #arrived = new Bell();
  readonly #stopped = new AbortController();
  readonly #troubles: SplitTroubles;
  readonly #topics: TopicWatch;
  #answers = 0;

  constructor(log: KafkaLog, runtime: Runtime, options: FetchAheadOptions, starts: readonly SplitStart[]) {
    this.#log = log;
    this.#runtime = runtime;
    this.#options = options;
    this.#troubles = new SplitTroubles(runtime, options.outageLimitMs, (error) =>
      this.#push({ kind: "failed", error }),
    );
    this.#topics = new TopicWatch(log, runtime, options, {
      splits: this.#splits,
      troubles: this.#troubles,
      stopped: this.#stopped.signal,
      moved: (split) => this.#moved(split),
      looked: () => this.#openLanes(),
    });
    for (const split of starts.map(readingSplit)) this.#splits.set(split.name, split);
    this.#openLanes();
    this.#guard(this.#topics.run());
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
    this.#stopped.abort();
    this.#topics.ring();
    this.#arrived.ring();
    for (const lane of this.#lanes.values()) lane.bell.ring();
  }

  #push(event: FetchEvent): void {
    this.#events.push(event);
    this.#arrived.ring();
  }

  #moved({ name, offset, generation }: ReadingSplit): void {
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
    while (!this.#stopped.signal.aborted) {
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

  async #fetch(lane: Lane, splits: readonly ReadingSplit[]): Promise<void> {
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
      this.#topics.ring();
      return;
    } finally {
      for (const split of splits) split.busy = false;
    }
    if (this.#stopped.signal.aborted) return;
    this.#answers++;
    const sets: RecordSet[] = [];
    const well: ReadingSplit[] = [];
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
        this.#topics.ring();
      }
    }
    this.#troubles.over(well);
    if (sets.length === 0) return;
    lane.waiting++;
    this.#push({ kind: "records", broker: lane.broker, sets });
  }

  /** Moves the split behind an answer's complete batches; null when there is none. */
  #take(split: ReadingSplit, { records, aborted }: FetchedPartition): RecordSet | null {
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

  #doubt(split: ReadingSplit, error: FrazilError): void {
    split.doubt = { error };
    this.#topics.ring();
  }

  /**
   * Asks what the broker holds, and stops or jumps. A first refusal is only asked again: right after an election a broker may not
   * yet know how far its log goes.
   */
  async #outOfRange(split: ReadingSplit): Promise<void> {
    const refused = new FrazilError(
      "unavailable",
      "KAFKA_UNAVAILABLE",
      `${split.name} offset ${split.offset}: OFFSET_OUT_OF_RANGE`,
    );
    if (++split.outOfRange < 2) {
      this.#inTrouble([split], refused);
      this.#topics.ring();
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

  /** An answer that comes behind the end tells nothing. */
  #inTrouble(splits: readonly ReadingSplit[], error: unknown): void {
    if (!this.#stopped.signal.aborted) this.#troubles.note(splits, error);
  }
}
