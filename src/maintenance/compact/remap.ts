import { RoaringBitmap } from "../../../table-format/index.ts";

/** A file whose live rows were rewritten. */
export interface RemapInput {
  readonly rows: number;
  /** The rows that were left out. */
  readonly deleted: RoaringBitmap;
  /** The rows that are deleted by now: at least those that were left out. */
  readonly dead: RoaringBitmap;
}

/**
 * Where rows lie now that died after they were read for a rewrite. A row's number among the live rows of all inputs, laid end to end, is
 * base + old - rank(old), where rank counts the rows that were left out before it; the permutation, or nothing when the rows stand as
 * they stood, gives its number among the rows of the outputs, laid end to end.
 *
 * @param outputRows rows of each output. @returns the dead rows of each output.
 */
export function remapDeaths(
  inputs: readonly RemapInput[],
  permutation: Uint32Array | null,
  outputRows: readonly number[],
): RoaringBitmap[] {
  const ends: number[] = [];
  let end = 0;
  for (const rows of outputRows) ends.push((end += rows));
  const dead = outputRows.map(() => new RoaringBitmap());
  let base = 0;
  for (const { rows, deleted, dead: now } of inputs) {
    const leftOut = deleted.toArray();
    let rank = 0;
    for (const old of now.difference(deleted).toArray()) {
      while (rank < leftOut.length && (leftOut[rank] as number) < old) rank++;
      const number = base + old - rank;
      const row = permutation === null ? number : (permutation[number] as number);
      const output = fileOf(ends, row);
      (dead[output] as RoaringBitmap).add(row - (ends[output] as number) + (outputRows[output] as number));
    }
    base += rows - leftOut.length;
  }
  return dead;
}

/** The file in which a row lies, by where files end. */
function fileOf(ends: readonly number[], row: number): number {
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle] as number) > row) high = middle;
    else low = middle + 1;
  }
  return low;
}
