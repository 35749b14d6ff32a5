import type { StreamId, StreamIds } from "../../core/stream-id.ts";
import type { TopicDescription } from "./log.ts";

/** A topic that was deleted and made anew: ids. */
export interface ChangedId {
  readonly was: string;
  readonly now: string;
}

/**
 * Which topics there are behind the names: those that positions are of, and those that the cluster has. Brokers before Kafka 2.8 tell no
 * ids; then every topic counts as the one that was read before.
 */
export class TopicIds {
  #read: StreamIds = new Map();
  readonly #seen = new Map<string, string>();

  /** The topics that positions are of: as of the last checkpoint, and those that reading has begun since. */
  get read(): StreamIds {
    return this.#read;
  }

  recall(known: StreamIds): void {
    this.#read = new Map([...known, ...this.#read]);
  }

  /** Notes what the cluster has now. */
  see(topics: readonly TopicDescription[]): void {
    for (const { topic, id } of topics) {
      if (id !== null) this.#seen.set(topic, id);
    }
  }

  /** The ids of a topic that is not the one that positions are of; null when it is, or nobody can tell. */
  changed(topic: string): ChangedId | null {
    const was = this.#read.get(topic)?.id;
    const now = this.#seen.get(topic);
    return was === undefined || now === undefined || was === now ? null : { was, now };
  }

  /** The generation in which the topic's points count, as it is now. */
  generation(topic: string): number {
    const read = this.#read.get(topic)?.generation ?? 1;
    return this.changed(topic) === null ? read : read + 1;
  }

  /** Reading the topic begins or goes on as it is now. */
  begin(topic: string): void {
    const id = this.#seen.get(topic);
    if (id === undefined) return;
    const begun: StreamId = { id, generation: this.generation(topic) };
    this.#read = new Map([...this.#read, [topic, begun]]);
  }
}
