import type { MaintenanceKind } from "../../core/maintenance.ts";
import type { DueRun, MaintenancePlace, RunEnd, RunKind } from "./due-run.ts";
import { runAnalyze } from "./run-analyze.ts";
import { runCleanOrphans } from "./run-clean-orphans.ts";
import { runCompact } from "./run-compact.ts";
import { runExpire } from "./run-expire.ts";
import { runRewriteManifests } from "./run-rewrite-manifests.ts";
import { runTag } from "./run-tag.ts";

/** How each kind of maintenance is done. */
const KINDS: { readonly [K in MaintenanceKind]: RunKind<K> } = {
  tag: runTag,
  compact: runCompact,
  rewrite_manifests: runRewriteManifests,
  expire: runExpire,
  analyze: runAnalyze,
  clean_orphans: runCleanOrphans,
};

/** Does what is due. @throws FrazilError as `RunKind`. */
export function runKind(place: MaintenancePlace, run: DueRun): Promise<RunEnd> {
  // The task's kind picks the function that takes it, which the compiler cannot follow.
  return (KINDS[run.task.kind] as RunKind<MaintenanceKind>)(place, run);
}
