import { KeyMap } from "./key-map.ts";
import type { KeyResolver, Locations } from "./key-resolver.ts";
import { KEY_WORDS } from "./key-words.ts";
import type { TableState } from "./table-state.ts";

/** Finds the rows of keys, as `KeyResolver.resolve` does. */
export type KeyLookup = Pick<KeyResolver, "resolve">;

/** Keys that were looked up, each once. */
interface Answer {
  readonly locations: Locations;
  /** Further live rows by the key's place among the keys; there should be none. */
  readonly extra: ReadonlyMap<number, Locations["extra"]>;
}

/**
 * The lookups of one checkpoint: `order_by`, changes that leave columns out and the deletion of old rows ask for the same keys, and each is
 * looked up once while the table stays as it is.
 */
export class CheckpointLookups implements KeyLookup {
  readonly #state: Pick<TableState, "resolver" | "snapshotId">;
  /** As of which snapshot the answers are. */
  #snapshotId: bigint | null = null;
  #answers: Answer[] = [];
  /** The keys of the first answer until somebody asks again: most checkpoints ask once, and need no index. */
  #first: Uint32Array | null = null;
  /** Keys to the number of their answer and their place in it. */
  #index = new KeyMap();

  constructor(state: Pick<TableState, "resolver" | "snapshotId">) {
    this.#state = state;
  }

  /** Forgets all answers, as the table has changed. */
  clear(): void {
    this.#snapshotId = this.#state.snapshotId;
    this.#answers = [];
    this.#first = null;
    this.#index = new KeyMap();
  }

  async resolve(keys: Uint32Array): Promise<Locations> {
    if (this.#state.snapshotId !== this.#snapshotId) this.clear();
    if (this.#answers.length === 0) {
      this.#first = keys;
      return this.#ask(keys);
    }
    if (this.#first === keys) return (this.#answers[0] as Answer).locations;
    if (this.#first !== null) this.#remember(this.#first, 0);
    this.#first = null;
    const unknown = this.#unknownOf(keys);
    if (unknown.length > 0) {
      await this.#ask(unknown);
      this.#remember(unknown, this.#answers.length - 1);
    }
    return this.#known(keys);
  }

  async #ask(keys: Uint32Array): Promise<Locations> {
    const locations = await this.#state.resolver.resolve(keys);
    this.#answers.push({ locations, extra: Map.groupBy(locations.extra, ({ key }) => key) });
    return locations;
  }

  #remember(keys: Uint32Array, answer: number): void {
    for (let at = 0; at < keys.length; at += KEY_WORDS) this.#index.put(keys, at, answer, at / KEY_WORDS);
  }

  #unknownOf(keys: Uint32Array): Uint32Array {
    const unknown = new Uint32Array(keys.length);
    let end = 0;
    for (let at = 0; at < keys.length; at += KEY_WORDS) {
      if (this.#index.find(keys, at) >= 0) continue;
      for (let word = 0; word < KEY_WORDS; word++) unknown[end++] = keys[at + word] as number;
    }
    return unknown.subarray(0, end);
  }

  #known(keys: Uint32Array): Locations {
    const count = keys.length / KEY_WORDS;
    const files = new Int32Array(count);
    const positions = new Uint32Array(count);
    const extra: Locations["extra"][number][] = [];
    for (let key = 0; key < count; key++) {
      const slot = this.#index.find(keys, key * KEY_WORDS);
      const answer = this.#answers[this.#index.fileAt(slot)] as Answer;
      const place = this.#index.positionAt(slot);
      files[key] = answer.locations.files[place] as number;
      positions[key] = answer.locations.positions[place] as number;
      if (answer.extra.size === 0) continue;
      for (const row of answer.extra.get(place) ?? []) extra.push({ ...row, key });
    }
    return { files, positions, extra };
  }
}
