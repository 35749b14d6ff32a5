/** The parts of a search that threads take one after the other: what they share of it, and how many keys there are. */
export interface SearchParts {
  /** The next part; and whether the file is read from end to end. */
  readonly shared: Int32Array<SharedArrayBuffer>;
  readonly keys: number;
}

/** Keys of a part: some milliseconds' work, so that threads that begin at different times end at about the same. */
const PART_KEYS = 2_048;

const NEXT = 0;
const STREAMED = 1;

export function searchParts(keys: number): SearchParts {
  return { shared: new Int32Array(new SharedArrayBuffer(8)), keys };
}

/** Wanted keys by number, `end` exclusive, which nobody else looks up; null when all have been taken. */
export function nextPart({ shared, keys }: SearchParts): { readonly from: number; readonly end: number } | null {
  const from = Atomics.add(shared, NEXT, 1) * PART_KEYS;
  return from < keys ? { from, end: Math.min(keys, from + PART_KEYS) } : null;
}

/** One thread has found that the file does not come from memory: the others need not find it out. */
export function setStreamed({ shared }: SearchParts): void {
  Atomics.store(shared, STREAMED, 1);
}

export function isStreamed({ shared }: SearchParts): boolean {
  return Atomics.load(shared, STREAMED) === 1;
}
