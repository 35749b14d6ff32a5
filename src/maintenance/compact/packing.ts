import { COMPACT_GROWTH_SHARE } from "../../core/limits.ts";
import type { CompactInput } from "./compact-input.ts";

/** Neighbours in groups of at most so many bytes and rows, or one file; the order stays. */
export function pack(inputs: readonly CompactInput[], mostBytes: number, mostRows: number): CompactInput[][] {
  const groups: CompactInput[][] = [];
  let size = 0;
  let rows = 0;
  for (const input of inputs) {
    const recordCount = Number(input.live.file.recordCount);
    size += sizeOf(input);
    rows += recordCount;
    const group = groups.at(-1);
    if (group !== undefined && size <= mostBytes && rows <= mostRows) {
      group.push(input);
      continue;
    }
    groups.push([input]);
    size = sizeOf(input);
    rows = recordCount;
  }
  return groups;
}

/** What is left of a group, in its order, and the files that outgrow it. */
export interface Tiers {
  readonly groups: readonly CompactInput[][];
  readonly outgrown: readonly CompactInput[];
}

/**
 * Leaves out each file that the others of its group would hardly let grow, so that a row is rewritten as often as its file can grow by half
 * (`COMPACT_GROWTH_SHARE`), and not each time that some small files have come. Files on either side of one that is left out are groups of
 * their own.
 */
export function tiersOf(group: CompactInput[], mustTake: (input: CompactInput) => boolean): Tiers {
  const total = group.reduce((sum, input) => sum + sizeOf(input), 0);
  const largest = group.reduce((at, input, i) => (sizeOf(input) > sizeOf(group[at] ?? input) ? i : at), 0);
  const input = group[largest];
  if (input === undefined || group.length === 1) return { groups: [group], outgrown: [] };
  if (mustTake(input) || total - sizeOf(input) >= sizeOf(input) * COMPACT_GROWTH_SHARE) {
    return { groups: [group], outgrown: [] };
  }
  const sides = [group.slice(0, largest), group.slice(largest + 1)].filter((side) => side.length > 0);
  const tiers = sides.map((side) => tiersOf(side, mustTake));
  return {
    groups: tiers.flatMap(({ groups }) => groups),
    outgrown: [input, ...tiers.flatMap(({ outgrown }) => outgrown)],
  };
}

function sizeOf({ live }: CompactInput): number {
  return Number(live.file.fileSizeBytes);
}
