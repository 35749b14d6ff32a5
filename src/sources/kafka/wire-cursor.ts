/** Reads Kafka's primitive types. @throws RangeError past the end. */
export class WireCursor {
  readonly #payload: Buffer;
  #at = 0;

  constructor(payload: Buffer) {
    this.#payload = payload;
  }

  boolean(): boolean {
    return this.#take(1)[0] !== 0;
  }

  int16(): number {
    this.#at += 2;
    return this.#payload.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#payload.readInt32BE(this.#at - 4);
  }

  int64(): bigint {
    this.#at += 8;
    return this.#payload.readBigInt64BE(this.#at - 8);
  }

  /** Sixteen bytes. */
  uuid(): Buffer {
    return this.#take(16);
  }

  string(): string {
    return this.#take(this.int16()).toString("utf8");
  }

  bytes(): Buffer {
    return this.#take(Math.max(0, this.int32()));
  }

  /** A null array counts as empty. */
  array<T>(item: () => T): T[] {
    return this.#items(this.int32(), item);
  }

  /** Of the flexible versions (KIP-482); null: there is none. */
  compactString(): string | null {
    const length = this.#unsigned() - 1;
    return length < 0 ? null : this.#take(length).toString("utf8");
  }

  /** Of the flexible versions. A null array counts as empty. */
  compactArray<T>(item: () => T): T[] {
    return this.#items(this.#unsigned() - 1, item);
  }

  /** Passes over tagged fields, which end every structure of the flexible versions. */
  skipTags(): void {
    for (let left = this.#unsigned(); left > 0; left--) {
      this.#unsigned();
      this.#take(this.#unsigned());
    }
  }

  #items<T>(count: number, item: () => T): T[] {
    const items: T[] = [];
    for (let left = count; left > 0; left--) items.push(item());
    return items;
  }

  /** Seven bits a byte, lowest first, at most 32 in all. */
  #unsigned(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#take(1)[0] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError(`a number of more than 32 bits before ${this.#at}`);
  }

  #take(length: number): Buffer {
    const start = this.#at;
    if (length < 0 || start + length > this.#payload.length) throw new RangeError(`${length} bytes at ${start}`);
    this.#at += length;
    return this.#payload.subarray(start, this.#at);
  }
}
