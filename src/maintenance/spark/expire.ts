import { type FileIO, identText, type LoadedTable, mapConcurrently } from "../../../table-format/index.ts";
import { pipelineOfTag } from "../../commit/names.ts";
import { FrazilError } from "../../core/errors.ts";
import { EXPIRE_REQUESTS_IN_FLIGHT } from "../../core/limits.ts";
import type { ExpirePlan, ExpireReport } from "../expire/expire.ts";
import type { SparkCall } from "./application.ts";
import { callText, tableName, WITHOUT_ENGINE } from "./sql.ts";

/** `max-ref-age-ms` of a ref that never expires. */
const FOREVER = 9_223_372_036_854_775_807n;

/**
 * The call that expires exactly the snapshots of a plan: they are named one by one, and Spark's own rule is given a time before all
 * others, so that what a pipeline needs stays.
 *
 * @throws FrazilError `config` where Spark would take more than the plan, or delete files that our own engine leaves.
 */
export function expireCall(catalog: string, plan: ExpirePlan): SparkCall {
  checkRefs(plan.table);
  if (plan.filesElsewhere > 0) {
    throw new FrazilError(
      "config",
      "SPARK_EXPIRE",
      `${plan.filesElsewhere} files that only expired snapshots reach lie outside the folder of table ${identText(plan.table.ident)}: Spark would delete them too`,
      { hint: WITHOUT_ENGINE },
    );
  }
  const { snapshotIds } = plan.expired;
  return {
    sql: callText(catalog, "expire_snapshots", plan.table.ident, {
      older_than: "TIMESTAMP '1970-01-02 00:00:00+00:00'",
      ...(snapshotIds.length === 0 ? {} : { snapshot_ids: `ARRAY(${snapshotIds.map((id) => `${id}L`).join(", ")})` }),
    }),
    table: tableName(catalog, plan.table.ident),
  };
}

/**
 * What became of a plan, by the table as it is after Spark's expiry: the planned snapshots that are gone, and of the planned files those
 * that the store holds no more.
 */
export async function expiredBySpark(io: FileIO, plan: ExpirePlan, now: LoadedTable): Promise<ExpireReport> {
  const left = new Set(now.metadata.snapshots.map(({ snapshotId }) => snapshotId));
  const notDeleted: string[] = [];
  const gone = async (paths: readonly string[]): Promise<string[]> => {
    const deleted: string[] = [];
    await mapConcurrently(paths, EXPIRE_REQUESTS_IN_FLIGHT, async (path) => {
      if ((await io.stat(path)) === null) deleted.push(path);
      else notDeleted.push(path);
    });
    return deleted;
  };
  const { files } = plan;
  return {
    snapshots: plan.expired.snapshotIds.filter((id) => !left.has(id)).length,
    refs: plan.expired.refs.filter((name) => !now.metadata.refs.has(name)).length,
    snapshotsLeft: left.size,
    files: {
      dataFiles: await gone(files.dataFiles),
      deleteFiles: await gone(files.deleteFiles),
      manifests: await gone(files.manifests),
      manifestLists: await gone(files.manifestLists),
      statistics: await gone(files.statistics),
      bytes: files.bytes,
    },
    notDeleted,
  };
}

/** Ages that refs have of their own cannot be overruled: Spark applies them to what we keep, too. */
function checkRefs({ ident, metadata }: LoadedTable): void {
  const ofAll = metadata.properties.get("history.expire.max-ref-age-ms");
  for (const [name, ref] of metadata.refs) {
    const expires = name !== "main" && (ref.maxRefAgeMs ?? (ofAll === undefined ? FOREVER : BigInt(ofAll))) < FOREVER;
    const why =
      ref.type === "branch" && ref.maxSnapshotAgeMs !== undefined
        ? `branch ${name} has a max-snapshot-age-ms of its own, by which Spark expires what a pipeline may need`
        : pipelineOfTag(name) !== null && expires
          ? `tag ${name} has a max-ref-age-ms, by which Spark removes it: it is the position of a pipeline`
          : null;
    if (why === null) continue;
    throw new FrazilError("config", "SPARK_EXPIRE", `table ${identText(ident)}: ${why}`, { hint: WITHOUT_ENGINE });
  }
}
