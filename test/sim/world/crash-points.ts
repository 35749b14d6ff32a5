import type { Draw } from "./scheduler.ts";

/** Requests around which a process may die: before it is sent, while it is under way, and when its answer has not been read. */
const REQUESTS = [
  "put data",
  "put vector",
  "put position-deletes",
  "put manifest",
  "put manifest-list",
  "put metadata",
  "create hint",
  "swap hint",
  "create ledger",
  "swap ledger",
  "create lease",
  "swap lease",
  "swap account",
  "read hint",
  "read metadata",
  "read manifest-list",
  "read manifest",
  "read data",
  "read vector",
  "read ledger",
  "list folder",
  "delete data",
  "delete vector",
  "delete position-deletes",
  "delete manifest",
  "delete manifest-list",
  "delete metadata",
  "catalog load",
  "catalog list",
  "catalog commit",
] as const;

/** Points that the engine names itself (`Runtime.step`). */
const STEPS = [
  "put.data",
  "put.dv",
  "put.pd",
  "resolve.start",
  "commit.sent",
  "commit.answered",
  "create.sent",
  "create.answered",
  "fence.sent",
  "fence.answered",
  "ledger.sent",
  "ledger.answered",
  "evolve.sent",
  "evolve.answered",
  "compact.write",
  "manifests.write",
  "maintenance.begun",
  "maintenance.sent",
  "maintenance.answered",
  "expire.commit",
  "expire.delete",
  "orphans.listed",
  "orphans.delete",
  "rollback.sent",
  "rollback.answered",
] as const;

/** Every point at which a process of the simulation may die. */
export const CRASH_POINTS: readonly string[] = [
  "read source",
  "unknown.reload",
  "unknown.resend",
  "commit.refused",
  "drain",
  "before acknowledge",
  "after acknowledge",
  ...REQUESTS.flatMap((request) => ["before", "sent", "after"].map((when) => `${when} ${request}`)),
  ...STEPS.map((step) => `step ${step}`),
];

const KNOWN = new Set(CRASH_POINTS);

/** Once in so many visits a process dies: at a point that hardly any run comes to, at one that the engine names, around any other request. */
const RARE =
  /^(unknown|commit\.refused|drain|\w+ (acknowledge|delete|put (vector|position))|step (evolve|create|rollback|expire|orphans|compact|manifests|maintenance))/;
const RARE_EVERY = 12;
const STEP_EVERY = 25;
const REQUEST_EVERY = 100;
/** Once in so many visits at the point that the seed is about, and how often. */
const FEATURED_EVERY = 2;
const FEATURED_DEATHS = 3;

/**
 * Draws where processes die. A point that is passed often counts only the first time, the second, the fourth and so on: the rare ones would
 * hardly be drawn otherwise. Each seed is about one of the points, so that no point is left out in the long run.
 */
export class CrashDraws {
  readonly #featured: string;
  #left = FEATURED_DEATHS;

  constructor(seed: number) {
    this.#featured = CRASH_POINTS[seed % CRASH_POINTS.length] as string;
  }

  /** @param nth how often the process has been there before */
  dies(draw: Draw, point: string, nth: number): boolean {
    if (((nth + 1) & nth) !== 0 && nth > 2) return false;
    if (!KNOWN.has(point)) return false;
    if (point === this.#featured && this.#left > 0 && draw.oneIn(FEATURED_EVERY)) {
      this.#left--;
      return true;
    }
    return draw.oneIn(RARE.test(point) ? RARE_EVERY : point.startsWith("step ") ? STEP_EVERY : REQUEST_EVERY);
  }
}
