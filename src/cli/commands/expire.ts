import { counted } from "../../core/count-text.ts";
import {
  createManifestCache,
  FrazilError,
  type LoadedTable,
  tableRetention,
  type UnreachableFiles,
} from "../../../table-format/index.ts";
import { MANIFEST_CACHE_ENTRIES } from "../../core/limits.ts";
import { type ExpirePlan, planExpiry, runExpiry } from "../../maintenance/expire/expire.ts";
import type { RetentionPolicy } from "../../maintenance/expire/retention.ts";
import { namedTable } from "../../query/table-names.ts";
import type { CliContext } from "../context.ts";
import type { EngineOptions } from "../engine-options.ts";
import { jsonLine, sizeText } from "../output.ts";
import { sparkEngine } from "../spark-engine.ts";
import { expireBySpark } from "./expire-spark.ts";
import { withWarehouse } from "../warehouse-option.ts";

export interface ExpireOptions extends EngineOptions {
  readonly keepLast?: number;
  readonly keepFor?: number;
  readonly consumersHold?: number;
  readonly yes?: boolean;
}

/** `frazil expire <table> [--yes]`: prints which snapshots and files would go, and removes them with `--yes`. */
export async function expire(context: CliContext, name: string, options: ExpireOptions): Promise<void> {
  const { output, runtime } = context;
  const spark = sparkEngine(context, options);
  await withWarehouse(context, async (warehouse) => {
    const { catalog, io, location } = warehouse;
    const manifests = createManifestCache(MANIFEST_CACHE_ENTRIES);
    const place = { catalog, io, runtime, manifests, warehouseLocation: location };
    const table = await namedTable(warehouse, name);
    const plan = await planExpiry(place, table, policyOf(table, options));
    await output.write(output.json ? jsonLine(planRecord(name, plan)) : planText(name, plan));
    if (plan.expired.snapshotIds.length === 0 && plan.expired.refs.length === 0) return;
    if (options.yes !== true) {
      output.note("nothing is changed yet: --yes does it");
      return;
    }
    const startedMs = runtime.clock.monotonicMs();
    const done = spark === null ? await runExpiry(place, plan) : await expireBySpark({ place, spark }, plan);
    if (done === null) {
      output.note("somebody else expired them meanwhile");
      return;
    }
    const ms = Math.round(runtime.clock.monotonicMs() - startedMs);
    const { snapshots, refs, snapshotsLeft, files, notDeleted } = done;
    const record = { event: "expired", table: name, snapshots, refs, snapshotsLeft, ...counts(files), ms };
    await output.write(
      output.json
        ? jsonLine({ ...record, notDeleted: notDeleted.length })
        : `${name}: ${counted(snapshots, "snapshot")} expired, ${snapshotsLeft} left; deleted ${filesText(files)} in ${ms} ms\n`,
    );
    if (notDeleted.length > 0) throw notAll(notDeleted);
  });
}

/** The table's own policy unless the command says otherwise. */
function policyOf({ metadata }: LoadedTable, { keepLast, keepFor, consumersHold }: ExpireOptions): RetentionPolicy {
  const own = tableRetention(metadata);
  return {
    minSnapshotsToKeep: keepLast ?? own.minSnapshotsToKeep,
    maxSnapshotAgeMs: keepFor === undefined ? own.maxSnapshotAgeMs : BigInt(keepFor),
    consumerHoldsMs: consumersHold === undefined ? undefined : BigInt(consumersHold),
  };
}

function counts({ dataFiles, deleteFiles, manifests, manifestLists, statistics, bytes }: UnreachableFiles) {
  return {
    dataFiles: dataFiles.length,
    deleteFiles: deleteFiles.length,
    manifests: manifests.length,
    manifestLists: manifestLists.length,
    statistics: statistics.length,
    bytes,
  };
}

function planRecord(name: string, { table, expired, files }: ExpirePlan) {
  const snapshots = expired.snapshotIds.length;
  const snapshotsLeft = table.metadata.snapshots.length - snapshots;
  return { event: "plan", table: name, snapshots, refs: expired.refs, snapshotsLeft, ...counts(files) };
}

function planText(name: string, { table, expired, files }: ExpirePlan): string {
  const total = table.metadata.snapshots.length;
  const count = expired.snapshotIds.length;
  if (count === 0 && expired.refs.length === 0) return `${name}: none of ${counted(total, "snapshot")} is to expire\n`;
  const refs = expired.refs.length === 0 ? "" : `; refs removed: ${expired.refs.join(", ")}`;
  return `${name}: ${count} of ${counted(total, "snapshot")} ${count === 1 ? "expires" : "expire"}, with ${filesText(files)}${refs}\n`;
}

function filesText(files: UnreachableFiles): string {
  const { dataFiles, deleteFiles, manifests, manifestLists, bytes } = counts(files);
  const of = [counted(dataFiles, "data file"), counted(deleteFiles, "delete file"), counted(manifests, "manifest")];
  return `${of.join(", ")} and ${counted(manifestLists, "manifest list")} (${sizeText(bytes)})`;
}

function notAll(paths: readonly string[]): FrazilError {
  return new FrazilError(
    "io",
    "NOT_DELETED",
    `${counted(paths.length, "file")} could not be deleted, the first of them ${paths[0] ?? ""}; no snapshot needs them`,
    { hint: "remove them by hand, or leave them: they only take space" },
  );
}
