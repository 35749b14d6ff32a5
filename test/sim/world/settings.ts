import { needsOf } from "./crash-points.ts";
import { FAULTS, type FaultRates } from "./faults.ts";
import { type Draw, drawFrom, nameSeed } from "./scheduler.ts";

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
  /** Keys that do not fit in memory, in sidecars on a disk. */
  "key-cache",
  /** The job writes to a branch, and what is whole is published. */
  "branch",
  /** Tables are put back to a backup in the end. */
  "put-back",
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
  /** The source goes on until so many checkpoints are committed; null: for so many transactions. */
  readonly checkpoints: number | null;
  /** Between two transactions, on average. */
  readonly paceMs: number;
  readonly intervalMs: number;
  readonly maxRows: number;
  /** Budget of the job. */
  readonly memoryBytes: number;
  readonly parts: ReadonlySet<Part>;
  readonly rates: FaultRates;
}

export interface Given {
  readonly without?: readonly Part[];
  /** Overrules how many transactions the seed draws. */
  readonly transactions?: number | undefined;
  /** Goes on until so many checkpoints are committed, however many transactions that takes. */
  readonly checkpoints?: number | undefined;
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
export function settingsOf(seed: number, { without = [], transactions, checkpoints: wanted }: Given = {}): Settings {
  const draw = drawFrom(nameSeed(seed, "settings"));
  const needs = needsOf(seed);
  const drawn = new Set(
    PARTS.filter((part) => isDrawn(part === "put-back" ? drawFrom(nameSeed(seed, part)) : draw, part)),
  );
  for (const part of needs.parts) drawn.add(part);
  // Rows that come to `main` by other hands make a branch of its own of it, which nobody can publish then.
  if (drawn.has("branch")) for (const part of BESIDE_BRANCHES) drawn.delete(part);
  const left = new Set([...drawn].filter((part) => !without.includes(part)));
  const rates: FaultRates = {};
  for (const fault of FAULTS) {
    const every = draw.between(...RARE[fault]);
    if (left.has(fault)) rates[fault] = every;
  }
  // Mostly few: many seeds find more than long ones do.
  const checkpoints = 20 + Math.floor((draw.below(41) * draw.below(41) * draw.below(41)) / 1_600);
  const perCheckpoint = draw.oneIn(4) ? draw.between(2, 4) : 1;
  const intervalMs = draw.between(2_000, 10_000);
  const catalog = draw.below(5) < 3 ? "object-store" : "server";
  const formatVersion = draw.oneIn(4) ? 2 : 3;
  return {
    seed,
    catalog: needs.catalog ?? catalog,
    formatVersion: needs.formatVersion ?? formatVersion,
    partitioned: draw.oneIn(3),
    transactions: transactions ?? wanted ?? checkpoints * perCheckpoint,
    checkpoints: wanted ?? null,
    paceMs: intervalMs / perCheckpoint,
    intervalMs,
    maxRows: draw.oneIn(3) ? draw.between(2, 8) : 1_000,
    memoryBytes: left.has("key-cache") ? draw.between(60, 300) << 10 : 64 << 20,
    parts: left,
    rates,
  };
}

const BESIDE_BRANCHES: readonly Part[] = ["foreign", "set-back"];

/** Parts that come once in so many seeds; the others are left out once in so many. */
const SELDOM: Partial<Record<Part, number>> = { maintenance: 4, "key-cache": 4, branch: 5, "put-back": 4 };
const LEFT_OUT: Partial<Record<Part, number>> = {
  "maintenance-beside": 2,
  unnoticed: 2,
  rollback: 2,
  "set-back": 2,
  jumps: 2,
  crashes: 8,
};

function isDrawn(draw: Draw, part: Part): boolean {
  const every = SELDOM[part];
  return every === undefined ? !draw.oneIn(LEFT_OUT[part] ?? 3) : draw.oneIn(every);
}
