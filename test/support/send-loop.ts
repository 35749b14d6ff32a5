import { setTimeout as sleep } from "node:timers/promises";

/** Something that goes on sending until it is stopped, and that can be held meanwhile. */
export abstract class SendLoop {
  #resumed: PromiseWithResolvers<void> | null = null;
  #sending: Promise<unknown> = Promise.resolve();
  #stopped = false;

  /** Sends once; `count` says how much. */
  abstract send(count: number): Promise<unknown>;

  /** Sends again and again with a pause between, until `stop`. */
  async run(count: number, pauseMs: number): Promise<void> {
    while (!this.#stopped) {
      await this.#resumed?.promise;
      this.#sending = this.send(count);
      await this.#sending;
      await sleep(pauseMs);
    }
  }

  stop(): void {
    this.#stopped = true;
    this.resume();
  }

  /** Resolves when nothing is being sent; `run` waits for `resume`. */
  async pause(): Promise<void> {
    this.#resumed ??= Promise.withResolvers();
    await this.#sending;
  }

  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = null;
  }
}
