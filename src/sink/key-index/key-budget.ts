/** Keys in memory that can be moved to disk. */
export interface Spillable {
  readonly sizeBytes: number;
  /** Whether its keys are being read, so that none can be moved. */
  readonly busy: boolean;
  /** What the size will be with so many more keys. */
  sizeWith(keys: number): number;
  spill(): Promise<void>;
}

/** Less than this is not worth a file of its own. */
const SMALLEST_SPILL_BYTES = 32 << 10;

/** Shares that keys take while the disk of the cache is full. */
const OVERDRAFT = 2;

/** Share of it that is used beside keys while they are read from tables, by all of them. */
const READ_AHEAD_SHARE = 0.25;

/** Share of it, for each table, of what leads from keys on disk to where compaction has moved their rows. */
const WAYS_SHARE = 0.25;

/** What they may take in any case: keys are read again for more. */
const WAYS_LEAST_BYTES = 1 << 20;

/** The memory that the keys of all tables of a process share. */
export class KeyBudget {
  readonly #limitBytes: number;
  readonly #members = new Set<Spillable>();

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  join(member: Spillable): void {
    this.#members.add(member);
  }

  /** A table that is indexed anew gives its share back. */
  leave(member: Spillable): void {
    this.#members.delete(member);
  }

  fits(member: Spillable, keys: number): boolean {
    return this.#sizeWith(member, keys) <= this.#limitBytes;
  }

  /** What files of one table that are read ahead may take now: what they hold is gone when the keys are in their place. */
  get readAheadBytes(): number {
    const busy = [...this.#members].filter((member) => member.busy).length;
    return (this.#limitBytes * READ_AHEAD_SHARE) / Math.max(1, busy);
  }

  /** What the ways of moved rows of one table may take. */
  get waysBytes(): number {
    return Math.max(WAYS_LEAST_BYTES, this.#limitBytes * WAYS_SHARE);
  }

  /** Whether so many more keys fit for as long as nothing can be spilled: keys may then take twice their share. */
  fitsForNow(member: Spillable, keys: number): boolean {
    return this.#sizeWith(member, keys) <= this.#limitBytes * OVERDRAFT;
  }

  /** Spills the largest tables until so many more keys of one fit, or nothing is left to spill. */
  async makeRoom(member: Spillable, keys: number): Promise<void> {
    while (!this.fits(member, keys)) {
      const [largest] = [...this.#members].filter(({ busy }) => !busy).toSorted((a, b) => b.sizeBytes - a.sizeBytes);
      if (largest === undefined || largest.sizeBytes < SMALLEST_SPILL_BYTES) return;
      await largest.spill();
    }
  }

  #sizeWith(member: Spillable, keys: number): number {
    let bytes = member.sizeWith(keys);
    for (const other of this.#members) if (other !== member) bytes += other.sizeBytes;
    return bytes;
  }
}
