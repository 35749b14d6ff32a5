import { type Draw } from "./scheduler.ts";
import type { CrashPlan } from "./process.ts";

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
  "before acknowledge",
  "after acknowledge",
  ...REQUESTS.flatMap((request) => ["before", "sent", "after"].map((when) => `${when} ${request}`)),
  ...STEPS.map((step) => `step ${step}`),
];

export function drawCrash(draw: Draw): CrashPlan {
  return { point: draw.pick(CRASH_POINTS), nth: draw.below(5) };
}
