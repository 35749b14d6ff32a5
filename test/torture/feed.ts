import { BankFeed, type BankTable } from "../it/job/bank-feed.ts";
import type { CanonicalRow } from "../readers/canonical.ts";
import { SendLoop } from "../support/send-loop.ts";
import { choices, type SeededRandom } from "./choice.ts";
import { TransferFeed, type TransferTable } from "./transfers.ts";

export type FedTable = BankTable | TransferTable;

const BANK_TABLES: readonly BankTable[] = ["accounts", "stock", "entries"];
export const FED_TABLES: readonly FedTable[] = [...BANK_TABLES, "checking", "saving", "registers"];

/** One batch in so many is a large one, and that much larger. */
const [LARGE_EVERY, LARGE_TIMES] = [30, 25];

/** Everything that goes on writing to the broker, as one. */
export class Feed extends SendLoop {
  readonly #bank: BankFeed;
  readonly #transfers: TransferFeed;
  readonly #random: SeededRandom;

  private constructor(bank: BankFeed, transfers: TransferFeed, seed: number) {
    super();
    this.#bank = bank;
    this.#transfers = transfers;
    this.#random = choices(seed);
  }

  static async open(brokers: readonly string[], prefix: string, seed: number): Promise<Feed> {
    const bank = await BankFeed.open(brokers, prefix, seed);
    return new Feed(bank, await TransferFeed.open(brokers, prefix, seed), seed);
  }

  get topics(): readonly string[] {
    return [...BANK_TABLES.map((table) => this.#bank.topic(table)), this.#transfers.topic];
  }

  get sent(): number {
    return this.#bank.sent + this.#transfers.count;
  }

  /** Sends up to `count` messages of the bank, now and then many more, and some transfers: not every checkpoint has rows of each table. */
  async send(count: number): Promise<void> {
    const times = this.#random.below(LARGE_EVERY) === 0 ? LARGE_TIMES : 1;
    const bank = this.#bank.send((1 + this.#random.below(count)) * times);
    await Promise.all([bank, this.#random.below(3) === 0 ? this.#transfers.send() : null]);
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
