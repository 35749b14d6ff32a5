import { FrazilError } from "../../core/errors.ts";

/** The memory that the windows of all tables of a process share. */
export class WindowBudget {
  readonly #limitBytes: number;
  readonly #taken = new Map<object, number>();

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /**
   * Takes note of how much a table's window takes now.
   * @param owner stands for the table. @param target the table's name in messages.
   * @throws FrazilError `config` when all windows together take more than the limit.
   */
  take(owner: object, target: string, bytes: number): void {
    this.#taken.set(owner, bytes);
    const all = [...this.#taken.values()].reduce((sum, one) => sum + one, 0);
    if (all <= this.#limitBytes) return;
    throw new FrazilError(
      "config",
      "DEDUPE_MEMORY",
      `table ${target}: the keys of dedupe's windows take more than ${Math.floor(this.#limitBytes / 2 ** 20)} MiB, a quarter of the job's memory; ${Math.ceil(bytes / 2 ** 20)} MiB are this table's`,
      { hint: "make the windows shorter, or memory: larger; a key takes some 40 bytes" },
    );
  }
}
