import { addTotals, noTotals, sortedTotals, type Totals } from "./totals.ts";

/** Seeds that were run, first and last, and the commit of the engine and the simulation that last ran them. */
export type SeedRange = readonly [first: number, last: number, build: string];

/** A seed that broke a promise. */
export interface NotedViolation {
  readonly seed: number;
  readonly rule: string;
  /** The build that it was seen in last. */
  readonly build: string;
  /** The build in which the seed was run again and held; null: it does not yet. */
  readonly heldBy: string | null;
}

/** What `docs/simulation.json` holds. */
export interface SimulationRecord {
  /** Each seed counts once, by its first run; the violations are those that are open. */
  readonly totals: Totals;
  readonly ranges: readonly SeedRange[];
  readonly violations: readonly NotedViolation[];
  /** Broken builds, and the seed that caught each. */
  readonly broken: Readonly<Record<string, { readonly seed: number; readonly rule: string }>>;
}

/** Some seeds in a row, all of which are in the record, or none of which is. */
export interface RecordPart {
  readonly first: number;
  readonly last: number;
  readonly isNew: boolean;
}

/** One part that has been run. */
export interface RecordedRun extends RecordPart {
  readonly build: string;
  readonly totals: Totals;
  readonly failures: readonly { readonly seed: number; readonly rule: string }[];
}

export function noRecord(): SimulationRecord {
  return { totals: noTotals(), ranges: [], violations: [], broken: {} };
}

/** Divides seeds into those that are recorded and those that are not, in their order. */
export function partsOf({ ranges }: SimulationRecord, from: number, seeds: number): RecordPart[] {
  const end = from + seeds;
  const marks = new Set([from, ...ranges.flatMap(([first, last]) => [first, last + 1])]);
  const starts = [...marks].filter((mark) => mark >= from && mark < end).toSorted((a, b) => a - b);
  const parts: RecordPart[] = [];
  for (const [index, first] of starts.entries()) {
    const last = (starts[index + 1] ?? end) - 1;
    const isNew = !ranges.some((range) => range[0] <= first && first <= range[1]);
    const before = parts.at(-1);
    if (before?.isNew === isNew) parts[parts.length - 1] = { ...before, last };
    else parts.push({ first, last, isNew });
  }
  return parts;
}

/**
 * Adds a run. Seeds that were run before do not count twice: what they showed then is replaced by what they show now, so that a violation is
 * cleared by nothing but a run of its seed that holds, and seen again if it comes back.
 */
export function withRun(record: SimulationRecord, run: RecordedRun): SimulationRecord {
  const { first, last, build, isNew, failures } = run;
  const totals = noTotals();
  addTotals(totals, record.totals);
  if (isNew) addTotals(totals, run.totals);
  const failed = new Map(failures.map(({ seed, rule }) => [seed, rule]));
  const noted = record.violations.map((each) => {
    const isRerun = first <= each.seed && each.seed <= last;
    return isRerun && !failed.has(each.seed) ? { ...each, heldBy: each.heldBy ?? build } : each;
  });
  const others = noted.filter(({ seed }) => !failed.has(seed));
  const seen = [...failed].map(([seed, rule]) => ({ seed, rule, build, heldBy: null }));
  const violations = [...others, ...seen].toSorted((a, b) => a.seed - b.seed);
  totals.violations = violations.filter(({ heldBy }) => heldBy === null).length;
  return {
    ...record,
    totals: sortedTotals(totals),
    ranges: joined([...record.ranges.flatMap((range) => outside(range, first, last)), [first, last, build]]),
    violations,
  };
}

/** What is left of a range. */
function outside([from, to, build]: SeedRange, first: number, last: number): SeedRange[] {
  const left: SeedRange[] = [
    [from, Math.min(to, first - 1), build],
    [Math.max(from, last + 1), to, build],
  ];
  return to < first || last < from ? [[from, to, build]] : left.filter(([start, end]) => start <= end);
}

/** In order, neighbours of one build together. */
function joined(ranges: readonly SeedRange[]): SeedRange[] {
  const all: SeedRange[] = [];
  for (const range of ranges.toSorted((a, b) => a[0] - b[0])) {
    const before = all.at(-1);
    const follows = before !== undefined && before[1] + 1 === range[0] && before[2] === range[2];
    if (follows) all[all.length - 1] = [before[0], range[1], range[2]];
    else all.push(range);
  }
  return all;
}

/** The seeds that are recorded, whatever build ran them, first and last of each stretch. */
export function stretches({ ranges }: SimulationRecord): (readonly [number, number])[] {
  return joined(ranges.map(([first, last]) => [first, last, ""])).map(([first, last]) => [first, last]);
}
