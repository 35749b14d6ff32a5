import { identText, type LoadedTable, type TableRequirement } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import type { CommitContext } from "./context.ts";
import { growingPauses } from "./pauses.ts";

export interface Expiry {
  readonly snapshotIds: readonly bigint[];
  /** Tags and branches to remove. */
  readonly refs: readonly string[];
}

export interface ExpiryDone {
  /** The metadata that still held the snapshots. */
  readonly before: LoadedTable;
  /** The metadata without them, read again: what it does not reach is garbage. */
  readonly after: LoadedTable;
}

const GIVE_UP_AFTER_MS = 120_000;

/**
 * Takes snapshots out of a table. Every ref is asserted as it is in the base: without that, a request that arrives late could remove what
 * `main` or a tag has been moved to since. When an answer is lost, the metadata tells whether the snapshots are gone.
 *
 * @param choose what goes, asked of the base of every attempt
 * @returns null when nothing is left to do. @throws FrazilError `conflict`, `unavailable`, `data` when the table was replaced.
 */
export async function commitExpiry(
  { catalog, runtime }: Pick<CommitContext, "catalog" | "runtime">,
  planned: LoadedTable,
  choose: (base: LoadedTable) => Promise<Expiry>,
): Promise<ExpiryDone | null> {
  const { ident } = planned;
  const name = identText(ident);
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS);
  let sent: LoadedTable | null = null;
  for (;;) {
    const base = await catalog.loadTable(ident);
    if (base === null || base.metadata.tableUuid !== planned.metadata.tableUuid) {
      throw new FrazilError("data", "TABLE_REPLACED", `table ${name} was dropped or replaced meanwhile`);
    }
    const { snapshotIds, refs } = await choose(base);
    // Gone although no answer said so: an earlier request of ours took effect, or somebody else expired the same.
    if (snapshotIds.length === 0 && refs.length === 0) return sent === null ? null : { before: sent, after: base };
    sent = base;
    runtime.step("expire.commit");
    const outcome = await catalog.commit([
      {
        ident,
        requirements: [
          { type: "assert-table-uuid", uuid: base.metadata.tableUuid },
          ...[...base.metadata.refs].map(([ref, { snapshotId }]): TableRequirement => ({
            type: "assert-ref-snapshot-id",
            ref,
            snapshotId,
          })),
        ],
        updates: [
          ...refs.map((ref) => ({ action: "remove-snapshot-ref" as const, name: ref })),
          { action: "remove-snapshots", snapshotIds },
        ],
      },
    ]);
    if (outcome.outcome === "committed") {
      // Read again: what a request that was sent before may have changed since counts too.
      const after = await catalog.loadTable(ident);
      if (after?.metadata.tableUuid === base.metadata.tableUuid) return { before: base, after };
      throw new FrazilError("data", "TABLE_REPLACED", `table ${name} was dropped or replaced meanwhile`);
    }
    await pauses.next(() =>
      outcome.outcome === "conflict"
        ? new FrazilError("conflict", "COMMIT_CONFLICT", `table ${name}: ${outcome.message}`, {
            hint: "another writer commits to this table all the time; run it again when it is quieter",
          })
        : new FrazilError("unavailable", "COMMIT_UNKNOWN", `table ${name}: a commit got no answer`, {
            cause: outcome.cause,
            hint: "no file has been deleted; run it again",
          }),
    );
  }
}
