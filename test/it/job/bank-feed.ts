import kafkajs, { type Producer } from "kafkajs";
import type { CanonicalRow } from "../../readers/canonical.ts";
import { createTopic, kafkaClient } from "../../services/kafka-admin.ts";
import { SendLoop } from "../../support/send-loop.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";

/** Topic partitions of each topic. */
const PARTITIONS = 3;
const ACCOUNTS = 400;
const START_US = 1_767_225_600_000_000n;

/** A message as it was sent, with what it does to its table. */
interface Sent {
  readonly key: string;
  /** Null deletes the key. */
  readonly row: CanonicalRow | null;
}

export type BankTable = "accounts" | "stock" | "entries";

/**
 * Sends a bank's changelog to Kafka as Debezium would (JSON without schema): `accounts` by a long key, `stock` by a composite one of text,
 * `entries` append-only. It keeps every message by topic partition and offset, so that the rows of any position can be told without
 * any code of the product.
 */
export class BankFeed extends SendLoop {
  readonly #producer: Producer;
  readonly #prefix: string;
  readonly #random;
  readonly #log = new Map<string, Sent[]>();
  #sequence = 0n;

  private constructor(producer: Producer, prefix: string, seed: number) {
    super();
    this.#producer = producer;
    this.#prefix = prefix;
    this.#random = seededRandom(seed);
  }

  static async open(brokers: readonly string[], prefix: string, seed: number): Promise<BankFeed> {
    for (const table of ["accounts", "stock", "entries"])
      await createTopic(brokers, `${prefix}.${table}`, { partitions: PARTITIONS });
    const producer = kafkaClient(brokers).producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      // What is sent again after a lost answer stands in the log once.
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    return new BankFeed(producer, prefix, seed);
  }

  topic(table: BankTable): string {
    return `${this.#prefix}.${table}`;
  }

  get sent(): number {
    return [...this.#log.values()].reduce((sum, messages) => sum + messages.length, 0);
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }

  async send(count: number): Promise<void> {
    const waiting = new Map<string, { key: string; value: string | null; partition: number }[]>();
    for (let i = 0; i < count; i++) {
      const table = (["accounts", "accounts", "stock", "entries"] as const)[this.#below(4)] as BankTable;
      for (const { key, value, row } of this.#messages(table)) {
        const partition = hash(key) % PARTITIONS;
        const split = `${this.topic(table)}/${partition}`;
        this.#sentOn(split).push({ key, row });
        const messages = waiting.get(this.topic(table)) ?? [];
        messages.push({ key, value, partition });
        waiting.set(this.topic(table), messages);
      }
    }
    await this.#producer.sendBatch({
      acks: -1,
      topicMessages: [...waiting].map(([topic, messages]) => ({ topic, messages })),
    });
  }

  /** The rows of a table when each split has been read up to its next offset; without a position, all that was sent. */
  rowsAt(table: BankTable, position: ReadonlyMap<string, string> | null): CanonicalRow[] {
    const rows = new Map<string, CanonicalRow>();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const split = `${this.topic(table)}/${partition}`;
      const messages = this.#sentOn(split);
      const end = position === null ? messages.length : Number(position.get(split) ?? 0);
      for (const { key, row } of messages.slice(0, end)) {
        if (row === null) rows.delete(key);
        else rows.set(key, row);
      }
    }
    return [...rows.values()];
  }

  #sentOn(split: string): Sent[] {
    const messages = this.#log.get(split) ?? [];
    this.#log.set(split, messages);
    return messages;
  }

  #messages(table: BankTable): { key: string; value: string | null; row: CanonicalRow | null }[] {
    const sequence = ++this.#sequence;
    const cents = BigInt(this.#random.uint32()) * 1000003n;
    const amount = `${cents / 100n}.${String(cents % 100n).padStart(2, "0")}`;
    if (table === "entries") {
      const row = { entry: String(sequence), amount };
      return [message(table, { entry: sequence }, "c", { entry: sequence, amount }, row)];
    }
    const number = this.#below(ACCOUNTS);
    if (table === "stock") {
      const key = { sku: `sku-${number % 40} "é🧊"`, site: `site/${number % 7}` };
      if (this.#below(6) === 0) return deletion(table, key);
      const quantity = this.#below(100);
      return [message(table, key, "u", { ...key, quantity }, { ...key, quantity })];
    }
    // Keys beyond 2^53: a double would merge neighbours.
    const id = 9_007_199_254_740_993n + BigInt(number);
    if (this.#below(8) === 0) return deletion(table, { id });
    const moved = START_US + sequence;
    const owner = this.#below(5) === 0 ? null : `owner ${this.#below(1000)}`;
    const at = new Date(Number(moved / 1000n)).toISOString().slice(0, 23) + String(moved % 1000n).padStart(3, "0");
    const row = { id: String(id), owner, balance: amount, moved_at: `${at}+00:00` };
    return [
      message(table, { id }, this.#below(3) === 0 ? "c" : "u", { id, owner, balance: amount, moved_at: moved }, row),
    ];
  }

  #below(limit: number): number {
    return this.#random.uint32() % limit;
  }
}

type Plain = Readonly<Record<string, bigint | string | number | null>>;

function message(table: BankTable, key: Plain, op: string, after: Plain, row: CanonicalRow) {
  const source = `{"connector":"postgresql","db":"bank","schema":"bank","table":"${table}"}`;
  return {
    key: json(key),
    value: `{"before":null,"after":${json(after)},"source":${source},"op":"${op}","ts_ms":1}`,
    row,
  };
}

/** Debezium follows a delete with a tombstone, so that compacted topics forget the key. */
function deletion(table: BankTable, key: Plain) {
  const source = `{"connector":"postgresql","db":"bank","schema":"bank","table":"${table}"}`;
  const value = `{"before":${json(key)},"after":null,"source":${source},"op":"d","ts_ms":1}`;
  return [
    { key: json(key), value, row: null },
    { key: json(key), value: null, row: null },
  ];
}

/** Node has it, the compiler's library does not know it yet. */
const rawJson = JSON as unknown as { rawJSON(text: string): unknown };

function json(values: Plain): string {
  return JSON.stringify(values, (_name, value: unknown) =>
    typeof value === "bigint" ? rawJson.rawJSON(String(value)) : value,
  );
}

function hash(text: string): number {
  let sum = 7;
  for (const character of text) sum = (Math.imul(sum, 31) + (character.codePointAt(0) as number)) >>> 0;
  return sum;
}
