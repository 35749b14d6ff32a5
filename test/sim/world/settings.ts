import { FAULTS, type FaultRates } from "./faults.ts";
import { drawFrom, nameSeed } from "./scheduler.ts";

/** What a simulation consists of beside a job and its source. Each can be left out, which is how a failure is made smaller. */
export const PARTS = [
  "crashes",
  "zombies",
  "rivals",
  "stops",
  "bounded",
  "compaction",
  "compaction-beside",
  "maintenance-beside",
  "maintenance",
  "manifests",
  "expiry",
  "cleaning",
  "foreign",
  "rollback",
  "set-back",
  "schema",
  "growth",
  "late",
  "skew",
  "jumps",
  "sleeper",
  "source-errors",
  "follower",
  ...FAULTS,
] as const;

export type Part = (typeof PARTS)[number];

export interface Settings {
  readonly seed: number;
  readonly catalog: "object-store" | "server";
  readonly formatVersion: 2 | 3;
  readonly partitioned: boolean;
  /** Transactions of the source in all. */
  readonly transactions: number;
  /** Between two transactions, on average. */
  readonly paceMs: number;
  readonly intervalMs: number;
  readonly maxRows: number;
  readonly parts: ReadonlySet<Part>;
  readonly rates: FaultRates;
}

export interface Given {
  readonly without?: readonly Part[];
  /** Overrules how many transactions the seed draws. */
  readonly transactions?: number | undefined;
}

/** How rare each fault is where it happens at all. */
const RARE: Readonly<Record<(typeof FAULTS)[number], readonly [number, number]>> = {
  "error-before": [15, 200],
  "error-after": [15, 200],
  lost: [40, 400],
  delayed: [25, 300],
  duplicated: [25, 300],
  repeated: [10, 60],
  full: [40, 400],
  truncated: [30, 300],
  garbled: [30, 300],
  unnoticed: [10, 60],
  outage: [400, 4_000],
};

/** What a seed simulates. Each seed leaves out some of the parts: faults that come together hide one another. */
export function settingsOf(seed: number, { without = [], transactions }: Given = {}): Settings {
  const draw = drawFrom(nameSeed(seed, "settings"));
  const drawn = PARTS.filter((part) => !draw.oneIn(rarity(part)));
  const left = new Set(drawn.filter((part) => !without.includes(part)));
  const rates: FaultRates = {};
  for (const fault of FAULTS) {
    const every = draw.between(...RARE[fault]);
    if (left.has(fault)) rates[fault] = every;
  }
  // Mostly few: many seeds find more than long ones do.
  const checkpoints = 20 + Math.floor((draw.below(41) * draw.below(41)) / 40);
  const perCheckpoint = draw.oneIn(4) ? draw.between(2, 4) : 1;
  const intervalMs = draw.between(2_000, 10_000);
  return {
    seed,
    catalog: draw.below(5) < 3 ? "object-store" : "server",
    formatVersion: draw.oneIn(4) ? 2 : 3,
    partitioned: draw.oneIn(3),
    transactions: transactions ?? checkpoints * perCheckpoint,
    paceMs: intervalMs / perCheckpoint,
    intervalMs,
    maxRows: draw.oneIn(3) ? draw.between(2, 8) : 1_000,
    parts: left,
    rates,
  };
}

function rarity(part: Part): number {
  if (
    part.startsWith("maintenance") ||
    part === "unnoticed" ||
    part === "rollback" ||
    part === "set-back" ||
    part === "jumps"
  )
    return 2;
  return part === "crashes" ? 8 : 3;
}
