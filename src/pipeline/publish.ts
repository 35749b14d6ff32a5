import { identText } from "../../table-format/index.ts";
import type { MetadataContext } from "../commit/metadata-commit.ts";
import { checkForward, fastForward } from "../commit/ref-commit.ts";
import type { Publication } from "../commit/publish-cut.ts";
import { FrazilError } from "../core/errors.ts";
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

/** Rollbacks come one in weeks: a branch that is gone again at the third look is being worked on, and its operator knows better. */
const ATTEMPTS = 3;

/**
 * Publishes what `plan` finds. Where an operator rolls the branch back meanwhile, that is found and checked anew.
 *
 * @returns also what was found last; none: there is nothing to publish, and no check was run.
 * @throws FrazilError of `plan`; as `publish`.
 */
export async function publishPlanned(
  place: PublishPlace,
  branch: string,
  plan: () => Promise<readonly Publication[]>,
  checks: readonly string[],
): Promise<Published & { readonly publications: readonly Publication[] }> {
  for (let attempt = 1; ; attempt++) {
    const publications = await plan();
    if (publications.length === 0) return { publications, failed: [] };
    try {
      return { publications, ...(await publish(place, branch, publications, checks)) };
    } catch (error) {
      const isGone = error instanceof FrazilError && error.code === "NOT_ON_BRANCH";
      if (!isGone || attempt === ATTEMPTS) throw error;
      place.runtime.log.info("the branch was rolled back meanwhile; looking at it again", { branch });
    }
  }
}
