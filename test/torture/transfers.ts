import kafkajs, { type Producer } from "kafkajs";
import type { CanonicalRow } from "../readers/canonical.ts";
import { createTopic, kafkaClient } from "../services/kafka-admin.ts";
import { choices, type SeededRandom } from "./choice.ts";

/** Topic partitions; each has accounts and registers of its own, so that a transfer's two halves follow one another. */
const PARTITIONS = 3;
const ACCOUNTS = 12;
const REGISTERS = 20;
const BALANCE = 1_000;

export type TransferTable = "checking" | "saving" | "registers";

/** A message as it was sent. */
interface Sent {
  readonly table: TransferTable;
  readonly key: string;
  readonly after: Readonly<Record<string, number | string>>;
  /** As the readers give it: whole numbers as text. */
  readonly row: CanonicalRow;
  /** What is taken from one account and not yet given to the other once this message has been read. */
  readonly onTheWay: number;
}

/**
 * Two workloads whose outcome can be told without the messages, on one topic of three tables. Transfers between accounts of `checking` and
 * `saving`, each in two messages: together the accounts always hold the same, but for the transfer that a position cuts in two. And registers:
 * every row of one is the next number, so that a gap is a loss and a repeat a double.
 */
export class TransferFeed {
  readonly topic: string;
  readonly #producer: Producer;
  readonly #random: SeededRandom;
  readonly #sent = Array.from({ length: PARTITIONS }, (): Sent[] => []);
  readonly #balances = new Map<string, number>();
  readonly #registers = new Map<string, number>();

  private constructor(producer: Producer, topic: string, seed: number) {
    this.#producer = producer;
    this.topic = topic;
    this.#random = choices(seed);
  }

  /** Opens the accounts. */
  static async open(brokers: readonly string[], prefix: string, seed: number): Promise<TransferFeed> {
    const topic = `${prefix}.transfers`;
    await createTopic(brokers, topic, { partitions: PARTITIONS });
    const producer = kafkaClient(brokers).producer({
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    const feed = new TransferFeed(producer, topic, seed);
    await feed.#send((partition) => {
      for (const table of ["checking", "saving"] as const)
        for (let account = 0; account < ACCOUNTS; account++) feed.#move(partition, table, account, BALANCE, 0);
    });
    return feed;
  }

  get count(): number {
    return this.#sent.reduce((sum, { length }) => sum + length, 0);
  }

  /** Sends some transfers and some numbers of registers. */
  async send(): Promise<void> {
    await this.#send((partition) => {
      for (let i = this.#random.below(4); i > 0; i--) this.#transfer(partition);
      for (let i = this.#random.below(4); i > 0; i--) this.#count(partition);
    });
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }

  /** What all accounts hold together at a position; null while some are still to be opened. */
  sumAt(position: ReadonlyMap<string, string>): number | null {
    let sum = PARTITIONS * 2 * ACCOUNTS * BALANCE;
    for (const [partition, sent] of this.#sent.entries()) {
      const end = Number(position.get(`${this.topic}/${partition}`) ?? 0);
      if (end < 2 * ACCOUNTS) return null;
      sum -= sent[end - 1]?.onTheWay ?? 0;
    }
    return sum;
  }

  /** The rows of a table at a position; without one, all that was sent. */
  rowsAt(table: TransferTable, position: ReadonlyMap<string, string> | null): CanonicalRow[] {
    const rows = new Map<string, CanonicalRow>();
    for (const [partition, sent] of this.#sent.entries()) {
      const end = position === null ? sent.length : Number(position.get(`${this.topic}/${partition}`) ?? 0);
      for (const message of sent.slice(0, end)) if (message.table === table) rows.set(message.key, message.row);
    }
    return [...rows.values()];
  }

  #transfer(partition: number): void {
    const amount = 1 + this.#random.below(50);
    const [from, to] = [this.#random.below(ACCOUNTS), this.#random.below(ACCOUNTS)];
    const [source, target] = this.#random.pick([
      ["checking", "saving"],
      ["saving", "checking"],
    ] as const);
    this.#move(partition, source, from, -amount, amount);
    this.#move(partition, target, to, amount, 0);
  }

  #move(partition: number, table: "checking" | "saving", number: number, amount: number, onTheWay: number): void {
    const id = partition * ACCOUNTS + number;
    const balance = (this.#balances.get(`${table} ${id}`) ?? 0) + amount;
    this.#balances.set(`${table} ${id}`, balance);
    this.#log(partition, table, { id }, { id, balance }, onTheWay);
  }

  #count(partition: number): void {
    const register = `r${partition}-${this.#random.below(REGISTERS)}`;
    const next = (this.#registers.get(register) ?? 0) + 1;
    this.#registers.set(register, next);
    this.#log(partition, "registers", { register, next }, { register, next }, 0);
  }

  #log(partition: number, table: TransferTable, key: object, after: Sent["after"], onTheWay: number): void {
    const row = Object.fromEntries(Object.entries(after).map(([name, value]) => [name, String(value)]));
    this.#sent[partition]?.push({ table, key: JSON.stringify(key), after, row, onTheWay });
  }

  /** Logs what `make` makes of each partition, and sends it, a batch a partition. */
  async #send(make: (partition: number) => void): Promise<void> {
    const messages = this.#sent.flatMap((sent, partition) => {
      const before = sent.length;
      make(partition);
      return sent.slice(before).map((message) => ({ partition, key: message.key, value: debezium(message) }));
    });
    if (messages.length > 0) {
      await this.#producer.sendBatch({ acks: -1, topicMessages: [{ topic: this.topic, messages }] });
    }
  }
}

function debezium({ table, after }: Sent): string {
  const op = table === "registers" ? "c" : "u";
  const source = { connector: "postgresql", db: "bank", schema: "bank", table };
  return JSON.stringify({ before: null, after, source, op, ts_ms: 1 });
}
