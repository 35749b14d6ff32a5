import { counted, grouped } from "../../core/count-text.ts";
import type { MaintenanceContext } from "../../commit/maintenance-commit.ts";
import { planManifests, runManifestRewrite } from "../../maintenance/rewrite-manifests/rewrite-manifests.ts";
import type { LoadedTable } from "../../../table-format/index.ts";
import type { CliContext } from "../context.ts";
import { jsonLine, sizeText } from "../output.ts";
import type { SparkEngine } from "../spark-engine.ts";
import { rewriteManifestsBySpark } from "./compact-spark.ts";

interface ManifestsPlace {
  readonly context: Pick<CliContext, "output" | "runtime">;
  readonly place: MaintenanceContext;
  /** Null: our own engine does it. */
  readonly spark: SparkEngine | null;
}

/** `frazil compact <table> --manifests [--yes]`: prints which manifests would be merged, and acts with `--yes`. */
export async function compactManifests(
  { context: { output, runtime }, place, spark }: ManifestsPlace,
  name: string,
  table: LoadedTable,
  yes: boolean,
): Promise<void> {
  const plan = await planManifests(place, table);
  const chosen = plan.groups.flatMap(({ manifests }) => manifests);
  const bytes = chosen.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0n);
  const skipped = plan.manifests - chosen.length;
  const record = { event: "plan", table: name, manifests: chosen.length, bytes, skippedManifests: skipped };
  await output.write(
    output.json
      ? jsonLine(record)
      : `${name}: merges ${counted(chosen.length, "manifest")} (${sizeText(bytes)}); leaves ${grouped(skipped)} as they are\n`,
  );
  if (chosen.length === 0) return;
  if (!yes) {
    output.note("nothing is changed yet: --yes does it");
    return;
  }
  const startedMs = runtime.clock.monotonicMs();
  const done =
    spark === null ? await runManifestRewrite(place, plan) : await rewriteManifestsBySpark({ place, spark }, plan);
  const ms = Math.round(runtime.clock.monotonicMs() - startedMs);
  const text =
    done.snapshotId === null
      ? "another commit merged them meanwhile\n"
      : `snapshot ${done.snapshotId}: ${counted(done.manifestsBefore, "manifest")} (${sizeText(done.bytesBefore)}) -> ${grouped(done.manifestsAfter)} (${sizeText(done.bytesAfter)})\n`;
  await output.write(output.json ? jsonLine({ event: "manifests", table: name, ...done, ms }) : text);
}
