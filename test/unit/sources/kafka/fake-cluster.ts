import { FrazilError } from "../../../../src/core/errors.ts";
import type { Clock, Log, Runtime } from "../../../../src/core/runtime.ts";
import { readBatchHeaders } from "../../../../src/sources/kafka/record-batch.ts";
import type {
  FetchBounds,
  FetchedPartition,
  FetchPosition,
  KafkaLog,
  OffsetAnswer,
  OffsetQuery,
  TopicDescription,
  TopicPartition,
} from "../../../../src/sources/kafka/log.ts";
import { type BatchInput, encodeBatch } from "./batch-bytes.ts";

/** Time that jumps to the next sleeper whenever all code waits. */
export class VirtualClock implements Clock {
  #nowMs = 1_700_000_000_000;
  readonly #sleepers = new Set<{ atMs: number; wake: () => void }>();
  #turning = false;

  nowMs = (): number => this.#nowMs;
  monotonicMs = (): number => this.#nowMs;

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = {
        atMs: this.#nowMs + Math.max(0, durationMs),
        wake: () => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", sleeper.wake, { once: true });
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => {
      this.#turning = false;
      const [first] = [...this.#sleepers].sort((a, b) => a.atMs - b.atMs);
      if (first === undefined) return;
      this.#nowMs = Math.max(this.#nowMs, first.atMs);
      first.wake();
      if (this.#sleepers.size > 0) this.#turn();
    });
  }
}

/** A log line as `level message`. */
export function recordingRuntime(clock: Clock): Runtime & { readonly lines: string[] } {
  const lines: string[] = [];
  const line = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const log: Log = { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
  let seed = 1;
  const random = { uint32: () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) };
  return { clock, random, step: () => {}, log, lines };
}

interface FakePartition {
  leader: number | null;
  first: bigint;
  batches: { last: bigint; bytes: Buffer }[];
}

/** A cluster of brokers 1, 2, ... in memory, with the faults that tests ask for. */
export class FakeCluster implements KafkaLog {
  readonly topics = new Map<string, FakePartition[]>();
  /** Of topics that tell theirs. */
  readonly ids = new Map<string, string>();
  /** Brokers that cannot be reached. */
  readonly down = new Set<number>();
  /** Whether nobody can be asked about topics and groups. */
  unreachable = false;
  /** Called with each fetch before it is answered. */
  onFetch: (broker: number, positions: readonly FetchPosition[]) => void = () => {};
  readonly committed: { group: string; positions: readonly FetchPosition[] }[] = [];
  readonly #clock: Clock;
  readonly #asked = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Leaders by partition. */
  create(topic: string, leaders: readonly number[]): void {
    this.topics.set(
      topic,
      leaders.map((leader) => ({ leader, first: 0n, batches: [] })),
    );
  }

  partition(topic: string, partition: number): FakePartition {
    const found = this.topics.get(topic)?.[partition];
    if (found === undefined) throw new Error(`no ${topic}/${partition}`);
    return found;
  }

  /** Appends a batch of values, or one that is given, behind the end. */
  append(topic: string, partition: number, batch: readonly string[] | Omit<BatchInput, "baseOffset">): void {
    const log = this.partition(topic, partition);
    const baseOffset = this.end(log);
    const input = Array.isArray(batch)
      ? { records: (batch as string[]).map((value) => ({ value })) }
      : (batch as BatchInput);
    const bytes = encodeBatch({ ...input, baseOffset });
    log.batches.push({ last: readBatchHeaders(bytes, { split: "" })[0]?.lastOffset ?? 0n, bytes });
  }

  /** Retention: everything before the batch that holds `offset` goes. */
  deleteBefore(topic: string, partition: number, offset: bigint): void {
    const log = this.partition(topic, partition);
    log.batches = log.batches.filter(({ last }) => last >= offset);
    log.first = offset;
  }

  end(log: FakePartition): bigint {
    const last = log.batches.at(-1);
    return last === undefined ? log.first : last.last + 1n;
  }

  async describe(names: readonly string[] | null): Promise<readonly TopicDescription[]> {
    this.#answerable(null);
    return (names ?? [...this.topics.keys()]).map((topic) => {
      const partitions = this.topics.get(topic);
      return {
        topic,
        internal: topic.startsWith("__"),
        id: this.ids.get(topic) ?? null,
        error: partitions === undefined ? "UNKNOWN_TOPIC_OR_PARTITION" : null,
        partitions: (partitions ?? []).map(({ leader }, partition) => ({ partition, leader })),
      };
    });
  }

  async offsets(
    broker: number,
    partitions: readonly TopicPartition[],
    query: OffsetQuery,
  ): Promise<readonly OffsetAnswer[]> {
    this.#answerable(broker);
    return partitions.map((asked) => {
      const log = this.topics.get(asked.topic)?.[asked.partition];
      if (log === undefined) return { ...asked, error: "UNKNOWN_TOPIC_OR_PARTITION", offset: null };
      if (log.leader !== broker) return { ...asked, error: "NOT_LEADER_FOR_PARTITION", offset: null };
      if (typeof query === "object") return { ...asked, error: null, offset: null };
      return { ...asked, error: null, offset: query === "earliest" ? log.first : this.end(log) };
    });
  }

  async fetch(
    broker: number,
    positions: readonly FetchPosition[],
    bounds: FetchBounds,
  ): Promise<readonly FetchedPartition[]> {
    // What is asked for is read when the request is sent, as a real one is encoded then.
    const asked = positions.map(({ topic, partition, offset }) => ({ topic, partition, offset }));
    const names = asked.map(({ topic, partition }) => `${topic}/${partition}`);
    // Two answers for one split would give its records twice.
    for (const name of names) if (this.#asked.has(name)) throw new Error(`${name} is asked for twice at a time`);
    for (const name of names) this.#asked.add(name);
    try {
      this.onFetch(broker, asked);
      this.#answerable(broker);
      await this.#clock.sleep(1);
      const answer = (): FetchedPartition[] => asked.map((position) => this.#read(broker, position));
      const now = answer();
      if (now.some(({ records, error }) => records.length > 0 || error !== null)) return now;
      await this.#clock.sleep(bounds.maxWaitMs);
      this.#answerable(broker);
      return answer();
    } finally {
      for (const name of names) this.#asked.delete(name);
    }
  }

  async commitOffsets(group: string, positions: readonly FetchPosition[]): Promise<void> {
    this.#answerable(null);
    this.committed.push({ group, positions });
  }

  /** Fetches under way are nobody's any more. */
  async close(): Promise<void> {
    this.#asked.clear();
  }

  #read(broker: number, { topic, partition, offset }: FetchPosition): FetchedPartition {
    const part = { topic, partition, error: null, logStartOffset: null, aborted: [], records: Buffer.alloc(0) };
    const log = this.topics.get(topic)?.[partition];
    if (log === undefined) return { ...part, error: "UNKNOWN_TOPIC_OR_PARTITION" };
    if (log.leader !== broker) return { ...part, error: "NOT_LEADER_FOR_PARTITION" };
    if (offset < log.first || offset > this.end(log)) return { ...part, error: "OFFSET_OUT_OF_RANGE" };
    const batches = log.batches.filter(({ last }) => last >= offset).slice(0, 2);
    return { ...part, records: Buffer.concat(batches.map(({ bytes }) => bytes)) };
  }

  #answerable(broker: number | null): void {
    if (broker === null ? this.unreachable : this.down.has(broker)) {
      throw new FrazilError("unavailable", "KAFKA_UNAVAILABLE", `broker ${broker ?? "any"} does not answer`);
    }
  }
}
