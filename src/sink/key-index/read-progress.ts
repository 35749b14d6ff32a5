import type { Clock, Log } from "../../core/runtime.ts";

/** How often progress is told. */
const EVERY_MS = 2_000;

/** Tells how far the reading of a table's keys has come; nothing of one that takes no time. */
export class ReadProgress {
  readonly #table: string;
  readonly #files: number;
  readonly #rows: number;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #log: Log;
  #filesRead = 0;
  #rowsRead = 0;
  #toldMs: number;
  #told = false;

  /** @param files that are to be read, and their rows. */
  constructor(table: string, files: number, rows: number, clock: Pick<Clock, "monotonicMs">, log: Log) {
    this.#table = table;
    this.#files = files;
    this.#rows = rows;
    this.#clock = clock;
    this.#log = log;
    this.#toldMs = clock.monotonicMs();
  }

  /** @param last whether they are a file's last rows. */
  add(rows: number, last: boolean): void {
    this.#rowsRead += rows;
    if (last) this.#filesRead++;
    const done = this.#rowsRead === this.#rows;
    if (done ? !this.#told : this.#clock.monotonicMs() - this.#toldMs < EVERY_MS) return;
    this.#toldMs = this.#clock.monotonicMs();
    this.#told = true;
    const of = { files: this.#filesRead, ofFiles: this.#files, rows: this.#rowsRead, ofRows: this.#rows };
    this.#log.info("reading keys of a table", { table: this.#table, ...of });
  }
}
