import type { Draw } from "./scheduler.ts";
import type { Part, Settings } from "./settings.ts";

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
  "refs.sent",
  "refs.answered",
  "statistics.read",
  "statistics.write",
  "statistics.sent",
  "statistics.answered",
] as const;

/** What a process does to its disk, where keys are cached. */
export const DISK_ACTS = ["open", "read", "write", "rename", "remove"] as const;

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
  ...DISK_ACTS.map((act) => `cache ${act}`),
];

const KNOWN = new Set(CRASH_POINTS);

/** Once in so many visits a process dies: at a point that hardly any run comes to, at one that the engine names, around any other request. */
const RARE =
  /^(unknown|commit\.refused|drain|\w+ (acknowledge|delete|(create|swap) lease|put (vector|position))|step (evolve|create|rollback|refs|statistics|expire|orphans|compact|manifests|maintenance))/;
const RARE_EVERY = 12;
const STEP_EVERY = 25;
const REQUEST_EVERY = 100;
/** Once in so many visits at the point that the seed is about, and how often. */
const FEATURED_EVERY = 2;
const FEATURED_DEATHS = 3;

/** The point that a seed is about: its processes die there again and again. */
function featuredPoint(seed: number): string {
  return CRASH_POINTS[seed % CRASH_POINTS.length] as string;
}

/** What a run has to be like for any process to come to a point. */
interface Needs extends Partial<Pick<Settings, "catalog" | "formatVersion">> {
  readonly parts: readonly Part[];
}

const NEEDS: readonly (readonly [RegExp, Needs])[] = [
  [/hint|ledger|metadata|list folder/, { parts: [], catalog: "object-store" }],
  [/catalog/, { parts: [], catalog: "server" }],
  [/lease|account/, { parts: ["maintenance"] }],
  [/position-deletes|put\.pd/, { parts: [], formatVersion: 2 }],
  [/vector|put\.dv/, { parts: [], formatVersion: 3 }],
  [/ delete |expire/, { parts: ["expiry", "compaction"] }],
  [/delete (manifest|metadata)|orphans/, { parts: ["cleaning", "jumps"] }],
  [/compact|maintenance\.(sent|answered)/, { parts: ["compaction"] }],
  [/manifests/, { parts: ["manifests"] }],
  [/maintenance\.begun/, { parts: ["maintenance-beside"] }],
  [/rollback/, { parts: ["rollback"] }],
  [/evolve/, { parts: ["schema"] }],
  [/refs/, { parts: ["branch"] }],
  [/statistics/, { parts: ["maintenance-beside"] }],
  [/^cache/, { parts: ["key-cache"] }],
  [/drain/, { parts: ["stops"] }],
  [/unknown/, { parts: ["error-after", "lost"] }],
  [/refused/, { parts: ["rivals", "compaction"] }],
];

/** What the run of a seed has to be like so that processes come to the point that the seed is about. */
export function needsOf(seed: number): Needs {
  const point = featuredPoint(seed);
  const needs = NEEDS.filter(([pattern]) => pattern.test(point)).map(([, each]) => each);
  return Object.assign({}, ...needs, { parts: ["crashes", ...needs.flatMap(({ parts }) => parts)] }) as Needs;
}

/**
 * Draws where processes die. A point that is passed often counts only the first time, the second, the fourth and so on: the rare ones would
 * hardly be drawn otherwise. Each seed is about one of the points, so that no point is left out in the long run.
 */
export class CrashDraws {
  readonly #featured: string;
  #left = FEATURED_DEATHS;

  constructor(seed: number) {
    this.#featured = featuredPoint(seed);
  }

  /**
   * @param nth how often the process has been there before
   * @param isMortal whether the process may die at any point; where the seed is about it any may
   */
  dies(draw: Draw, point: string, nth: number, isMortal: boolean): boolean {
    if (point === this.#featured && this.#left > 0 && draw.oneIn(FEATURED_EVERY)) {
      this.#left--;
      return true;
    }
    if (!isMortal || (((nth + 1) & nth) !== 0 && nth > 2)) return false;
    if (!KNOWN.has(point)) return false;
    return draw.oneIn(RARE.test(point) ? RARE_EVERY : point.startsWith("step ") ? STEP_EVERY : REQUEST_EVERY);
  }
}
