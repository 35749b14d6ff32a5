import { setTimeout as sleep } from "node:timers/promises";
import { BankFeed, type BankTable } from "../it/job/bank-feed.ts";
import type { CanonicalRow } from "../readers/canonical.ts";
import { TransferFeed, type TransferTable } from "./transfers.ts";

export type FedTable = BankTable | TransferTable;

const BANK_TABLES: readonly BankTable[] = ["accounts", "stock", "entries"];
export const FED_TABLES: readonly FedTable[] = [...BANK_TABLES, "checking", "saving", "registers"];

/** Everything that goes on writing to the broker, as one. */
export class Feed {
  readonly #bank: BankFeed;
  readonly #transfers: TransferFeed;
  #resumed: PromiseWithResolvers<void> | null = null;
  #sending: Promise<unknown> = Promise.resolve();
  #stopped = false;

  private constructor(bank: BankFeed, transfers: TransferFeed) {
    this.#bank = bank;
    this.#transfers = transfers;
  }

  static async open(brokers: readonly string[], prefix: string, seed: number): Promise<Feed> {
    const bank = await BankFeed.open(brokers, prefix, seed);
    return new Feed(bank, await TransferFeed.open(brokers, prefix, seed));
  }

  get topics(): readonly string[] {
    return [...BANK_TABLES.map((table) => this.#bank.topic(table)), this.#transfers.topic];
  }

  get sent(): number {
    return this.#bank.sent + this.#transfers.count;
  }

  /** Sends batches with a pause between them until `stop`. */
  async run(batch: number, pauseMs: number): Promise<void> {
    while (!this.#stopped) {
      await this.#resumed?.promise;
      this.#sending = Promise.all([this.#bank.send(batch), this.#transfers.send()]);
      await this.#sending;
      await sleep(pauseMs);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.resume();
  }

  /** Resolves when nothing is on its way to the broker; `run` waits for `resume`. */
  async pause(): Promise<void> {
    this.#resumed ??= Promise.withResolvers();
    await this.#sending;
  }

  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = null;
  }

  async close(): Promise<void> {
    await Promise.all([this.#bank.close(), this.#transfers.close()]);
  }

  /** What the accounts of both tables hold together at a position; null while some are still to be opened. */
  sumAt(position: ReadonlyMap<string, string>): number | null {
    return this.#transfers.sumAt(position);
  }

  /** The rows of a table when each split has been read up to its next offset; without a position, all that was sent. */
  rowsAt(table: FedTable, position: ReadonlyMap<string, string> | null): CanonicalRow[] {
    if (table === "accounts" || table === "stock" || table === "entries") return this.#bank.rowsAt(table, position);
    return this.#transfers.rowsAt(table, position);
  }
}
