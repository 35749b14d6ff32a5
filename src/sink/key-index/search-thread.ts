import { Worker } from "node:worker_threads";
import type { SharedAnswer, SharedSearch } from "./search-worker.ts";

/** Of fewer keys the start of the thread, or waking it, costs more than it saves. */
const LEAST_KEYS = 8_192;

/** What its heap may take: what it works on lies outside of it. */
const HEAP_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 32 };

/** A second thread for the lookups of a process: begun with the first search that is worth it, one search at a time. */
export class SearchThread {
  readonly #leastKeys: number;
  #worker: Worker | null = null;
  #answer: ((answer: SharedAnswer) => void) | null = null;
  #closed = false;

  /** @param leastKeys of a search that is worth it. */
  constructor(leastKeys = LEAST_KEYS) {
    this.#leastKeys = leastKeys;
  }

  /** Whether a search of so many keys is to be shared. */
  helpsWith(keys: number): boolean {
    return keys >= this.#leastKeys && this.#answer === null && !this.#closed;
  }

  /** Looks up parts of a search until none is left. @returns null when the thread cannot tell about the parts that it took. */
  async search(search: SharedSearch): Promise<SharedAnswer> {
    const { promise, resolve } = Promise.withResolvers<SharedAnswer>();
    this.#answer = resolve;
    try {
      this.#worker ??= this.#start();
      this.#worker.ref();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
      this.#worker.postMessage(search);
      return await promise;
    } catch {
      // No thread to be had: one does.
      this.#closed = true;
      return null;
    } finally {
      this.#answer = null;
      this.#worker?.unref();
    }
  }

  close(): void {
    this.#closed = true;
    void this.#worker?.terminate();
  }

  #start(): Worker {
    // Beside this file, as source or built.
    const url = new URL(import.meta.url.endsWith(".ts") ? "search-worker.ts" : "search-worker.js", import.meta.url);
    const worker = new Worker(url, { resourceLimits: HEAP_LIMITS, execArgv: [] });
    worker.on("message", (answer: SharedAnswer) => this.#answer?.(answer));
    worker.on("error", () => (this.#closed = true));
    worker.on("exit", () => {
      this.#closed = true;
      this.#answer?.(null);
    });
    return worker;
  }
}
