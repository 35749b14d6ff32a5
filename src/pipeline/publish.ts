import { identText } from "../../table-format/index.ts";
import type { MetadataContext } from "../commit/metadata-commit.ts";
import { checkForward, fastForward } from "../commit/ref-commit.ts";
import type { Publication } from "../commit/publish-cut.ts";
import { type FailedCheck, failedChecks } from "../query/checks.ts";
import type { QueryWarehouse } from "../query/query-warehouse.ts";

/** Where it is published; its catalog shows `main` as `main`. */
export type PublishPlace = MetadataContext & QueryWarehouse;

export interface Published {
  /** Checks that do not hold; none: `main` of every table names what was to be published. */
  readonly failed: readonly FailedCheck[];
}

/**
 * Checks what is to be published, and makes it `main`: the very snapshots that were checked, whatever has come to the branch meanwhile,
 * in one commit where the catalog can. Doing it again is safe.
 *
 * @throws FrazilError as `checkForward`, before a check is run; `openQuery`; `fastForward`.
 */
export async function publish(
  place: PublishPlace,
  branch: string,
  publications: readonly Publication[],
  checks: readonly string[],
): Promise<Published> {
  for (const { table, snapshot } of publications) checkForward(table, "main", branch, snapshot.snapshotId);
  const failed = await failedChecks(place, checks, publications);
  if (failed.length > 0) return { failed };
  const advances = publications
    .toSorted((a, b) => (identText(a.table.ident) < identText(b.table.ident) ? -1 : 1))
    .map(({ table, snapshot }) => ({ table, snapshotId: snapshot.snapshotId }));
  await fastForward(place, advances, "main", branch);
  return { failed };
}
