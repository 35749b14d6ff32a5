import { counted, grouped } from "../../core/count-text.ts";
import {
  createManifestCache,
  FrazilError,
  type LoadedTable,
  type UnreachableFiles,
} from "../../../table-format/index.ts";
import { MANIFEST_CACHE_ENTRIES } from "../../core/limits.ts";
import { type ExpirePlan, planExpiry, runExpiry } from "../../maintenance/expire/expire.ts";
import { type Expired, type RetentionPolicy, retentionPolicy } from "../../maintenance/expire/retention.ts";
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
  readonly maxSnapshots?: number;
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
function policyOf({ metadata }: LoadedTable, options: ExpireOptions): RetentionPolicy {
  const { keepLast, keepFor, maxSnapshots, consumersHold } = options;
  return retentionPolicy(metadata, {
    keepMs: keepFor,
    minSnapshots: keepLast,
    maxSnapshots,
    consumerHoldsMs: consumersHold === undefined ? undefined : BigInt(consumersHold),
  });
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
  const { age, number, unreached } = expired.reasons;
  const because = { age, maxSnapshots: number, onNoBranch: unreached };
  return { event: "plan", table: name, snapshots, because, refs: expired.refs, snapshotsLeft, ...counts(files) };
}

function planText(name: string, { table, policy, expired, files }: ExpirePlan): string {
  const total = table.metadata.snapshots.length;
  const count = expired.snapshotIds.length;
  if (count === 0 && expired.refs.length === 0) return `${name}: none of ${counted(total, "snapshot")} is to expire\n`;
  const refs = expired.refs.length === 0 ? "" : `; refs removed: ${expired.refs.join(", ")}`;
  const why = count === 0 ? "" : ` (${reasonsText(policy, expired)})`;
  return `${name}: ${grouped(count)} of ${counted(total, "snapshot")} ${count === 1 ? "expires" : "expire"}${why}, with ${filesText(files)}${refs}\n`;
}

/** Why the snapshots go, as it was asked for. */
function reasonsText({ maxSnapshots }: RetentionPolicy, { reasons }: Expired): string {
  const { age, number, unreached } = reasons;
  return [
    age === 0 ? "" : `${grouped(age)} for their age`,
    number === 0 ? "" : `${grouped(number)} behind the newest ${grouped(maxSnapshots ?? 0)}`,
    unreached === 0 ? "" : `${grouped(unreached)} that no branch leads to`,
  ]
    .filter(Boolean)
    .join(", ");
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
