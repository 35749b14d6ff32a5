import { planManifests, runManifestRewrite } from "../rewrite-manifests/rewrite-manifests.ts";
import { type DueRun, type MaintenancePlace, nothingDone, type RunEnd } from "./due-run.ts";

/** Joins a table's small manifests. */
export async function runRewriteManifests(place: MaintenancePlace, run: DueRun<"rewrite_manifests">): Promise<RunEnd> {
  const plan = await planManifests(place, run.table);
  if (plan.groups.length === 0) return nothingDone("no manifest is worth a rewrite");
  await run.begin();
  const { snapshotId, manifestsBefore, manifestsAfter, bytesBefore, bytesAfter } = await runManifestRewrite(
    place,
    plan,
  );
  if (snapshotId === null) return nothingDone("other commits left nothing to do");
  const effect = { filesBefore: manifestsBefore, filesAfter: manifestsAfter, bytesBefore, bytesAfter };
  return { ...effect, snapshotId, outcome: "done", reason: null };
}
