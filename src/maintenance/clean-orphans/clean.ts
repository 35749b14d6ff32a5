import { FrazilError, mapConcurrently } from "../../../table-format/index.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { growingPauses, isOutage } from "../../commit/pauses.ts";
import { EXPIRE_REQUESTS_IN_FLIGHT, ORPHANS_PER_BATCH } from "../../core/limits.ts";
import { checkClock } from "./store-clock.ts";
import { NeededFiles } from "./needed-files.ts";
import { dropNeeded, dropNeededEarlier, type Orphan, type OrphanPlan, reloaded } from "./plan.ts";

export interface CleanReport {
  readonly deleted: readonly Orphan[];
  /** Files that somebody needs again since the plan was made. */
  readonly kept: number;
  /** Files that the store refuses to delete. */
  readonly notDeleted: readonly string[];
}

const GIVE_UP_AFTER_MS = 120_000;

/**
 * Deletes the planned orphans in batches. The plan is not trusted: what the table has come to reach since is kept. A file that is gone
 * already is no error, an outage is waited for, and a crash leaves the rest to the next run.
 *
 * @throws FrazilError `unavailable` when the store stays away, `data` when the table was replaced; and as `checkClock`.
 */
export async function runCleaning(
  context: Pick<MaintenanceContext, "catalog" | "io" | "runtime">,
  plan: OrphanPlan,
): Promise<CleanReport> {
  const { io, runtime } = context;
  const now = await reloaded(context, plan.table);
  const left = new Map(plan.orphans.map((orphan) => [orphan.place, orphan]));
  if (now.metadataLocation !== plan.metadataLocation) {
    const needed = plan.metadataLocation === null ? new NeededFiles(io, plan.sinceMs) : plan.needed;
    await dropNeeded(needed, now, left);
    await dropNeededEarlier(needed, now, left);
  }
  const orphans = [...left.values()];
  if (orphans.length > 0) await checkClock(context, now.metadata.location);
  const deleted: Orphan[] = [];
  const notDeleted: string[] = [];
  for (let first = 0; first < orphans.length; first += ORPHANS_PER_BATCH) {
    const batch = orphans.slice(first, first + ORPHANS_PER_BATCH);
    runtime.step("orphans.delete");
    await mapConcurrently(batch, EXPIRE_REQUESTS_IN_FLIGHT, async (orphan) => {
      if (await deletePatiently(context, orphan.location)) deleted.push(orphan);
      else notDeleted.push(orphan.location);
    });
  }
  return { deleted, kept: plan.orphans.length - orphans.length, notDeleted };
}

/** False when the store refuses. @throws FrazilError `unavailable` when it cannot be reached for long. */
async function deletePatiently(
  { io, runtime }: Pick<MaintenanceContext, "io" | "runtime">,
  location: string,
): Promise<boolean> {
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS);
  for (;;) {
    try {
      await io.delete(location);
      return true;
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      if (!isOutage(error)) return false;
      await pauses.next(() => error);
    }
  }
}
