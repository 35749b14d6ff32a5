import type { SeedResult } from "./run-seed.ts";

/** What all runs have added up to. Counts by name. */
export interface Totals {
  seeds: number;
  violations: number;
  /** Simulated. */
  hours: number;
  snapshots: number;
  commits: number;
  /** Of processor time of one core. */
  seconds: number;
  faults: Record<string, number>;
  crashPoints: Record<string, number>;
  /** Processes suspended and woken, services run, and so on. */
  events: Record<string, number>;
}

export function noTotals(): Totals {
  return {
    seeds: 0,
    violations: 0,
    hours: 0,
    snapshots: 0,
    commits: 0,
    seconds: 0,
    faults: {},
    crashPoints: {},
    events: {},
  };
}

/** Adds one to the other. */
export function addTotals(into: Totals, other: Totals): void {
  for (const name of ["seeds", "violations", "hours", "snapshots", "commits", "seconds"] as const) {
    into[name] += other[name];
  }
  for (const name of ["faults", "crashPoints", "events"] as const) {
    for (const [what, count] of Object.entries(other[name])) into[name][what] = (into[name][what] ?? 0) + count;
  }
}

/** What one seed adds. */
export function totalsOf(result: SeedResult, faults: readonly string[], seconds: number): Totals {
  const counts = [...result.counts].filter(([name]) => name !== "commits");
  return {
    seeds: 1,
    violations: result.failure === null ? 0 : 1,
    hours: result.hours,
    snapshots: result.snapshots,
    commits: result.counts.get("commits") ?? 0,
    seconds,
    faults: Object.fromEntries(counts.filter(([name]) => faults.includes(name))),
    crashPoints: Object.fromEntries(result.crashes),
    events: Object.fromEntries(counts.filter(([name]) => !faults.includes(name))),
  };
}

/** With the names in order, so that two reports can be compared line by line. */
export function sortedTotals(totals: Totals): Totals {
  const sorted = (counts: Record<string, number>) =>
    Object.fromEntries(Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return {
    ...totals,
    hours: Math.round(totals.hours),
    seconds: Math.round(totals.seconds),
    faults: sorted(totals.faults),
    crashPoints: sorted(totals.crashPoints),
    events: sorted(totals.events),
  };
}
