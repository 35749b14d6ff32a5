/** Bits sorted by in one pass, at most: as many counters fit a CPU's first cache. */
const DIGIT_BITS = 12;

/**
 * Sorts entries (`storedEntries`) by their first word: a radix sort from the low bits up, which moves each entry once per twelve bits.
 *
 * @param bits low bits of the first word that differ; the others are the same in all entries.
 * @param scratch of the same length, overwritten. @returns the sorted entries, in one of the two arrays.
 */
export function sortEntries(
  entries: Uint32Array,
  count: number,
  stride: 3 | 5,
  bits: number,
  scratch: Uint32Array,
): Uint32Array {
  const passes = Math.ceil(bits / DIGIT_BITS);
  const digit = Math.ceil(bits / passes);
  let from = entries;
  let to = scratch;
  for (let pass = 0; pass < passes; pass++) {
    if (stride === 3) moveThrees(from, to, count, pass * digit, (1 << digit) - 1);
    else moveFives(from, to, count, pass * digit, (1 << digit) - 1);
    [from, to] = [to, from];
  }
  return from;
}

/** Where the first entry of each digit goes, in words. */
function places(from: Uint32Array, count: number, stride: number, shift: number, mask: number): Uint32Array {
  const next = new Uint32Array(mask + 1);
  for (let i = 0, at = 0; i < count; i++, at += stride) (next[((from[at] as number) >>> shift) & mask] as number)++;
  let start = 0;
  for (let i = 0; i <= mask; i++) {
    const size = next[i] as number;
    next[i] = start;
    start += size * stride;
  }
  return next;
}

function moveThrees(from: Uint32Array, to: Uint32Array, count: number, shift: number, mask: number): void {
  const next = places(from, count, 3, shift, mask);
  for (let i = 0, at = 0; i < count; i++, at += 3) {
    const first = from[at] as number;
    const digit = (first >>> shift) & mask;
    const put = next[digit] as number;
    next[digit] = put + 3;
    to[put] = first;
    to[put + 1] = from[at + 1] as number;
    to[put + 2] = from[at + 2] as number;
  }
}

function moveFives(from: Uint32Array, to: Uint32Array, count: number, shift: number, mask: number): void {
  const next = places(from, count, 5, shift, mask);
  for (let i = 0, at = 0; i < count; i++, at += 5) {
    const first = from[at] as number;
    const digit = (first >>> shift) & mask;
    const put = next[digit] as number;
    next[digit] = put + 5;
    to[put] = first;
    to[put + 1] = from[at + 1] as number;
    to[put + 2] = from[at + 2] as number;
    to[put + 3] = from[at + 3] as number;
    to[put + 4] = from[at + 4] as number;
  }
}
