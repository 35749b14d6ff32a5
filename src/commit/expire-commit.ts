import { type CommitOutcome, type LoadedTable, type TableRequirement } from "../../table-format/index.ts";
import { gaveUp, sameTable } from "./commit-errors.ts";
import { inTurn } from "./commit-queue.ts";
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

type ExpiryContext = Pick<CommitContext, "catalog" | "runtime" | "queue" | "giveUp">;

const GIVE_UP_AFTER_MS = 120_000;

/**
 * Takes snapshots out of a table. Every ref is asserted as it is in the base, `main` also where it is not there yet: without that, a request
 * that arrives late could remove what `main` or a tag has been moved to since. When an answer is lost, the metadata tells whether the
 * snapshots are gone.
 *
 * @param choose what goes, asked of the base of every attempt
 * @returns null when nothing is left to do. @throws FrazilError `conflict`, `unavailable`, `data` when the table was replaced.
 */
export async function commitExpiry(
  context: ExpiryContext,
  planned: LoadedTable,
  choose: (base: LoadedTable) => Promise<Expiry>,
): Promise<ExpiryDone | null> {
  const pauses = growingPauses(context.runtime, GIVE_UP_AFTER_MS, context.giveUp);
  let sent: LoadedTable | null = null;
  for (;;) {
    const { base, outcome } = await inTurn(context.queue, [planned], () => attemptOnce(context, planned, choose));
    // Gone although no answer said so: an earlier request of ours took effect, or somebody else expired the same.
    if (outcome === null) return sent === null ? null : { before: sent, after: base };
    sent = base;
    if (outcome.outcome === "committed") {
      // Read again: what a request that was sent before may have changed since counts too.
      return { before: base, after: sameTable(await context.catalog.loadTable(base.ident), base) };
    }
    await pauses.next(() =>
      gaveUp(planned.ident, outcome, {
        conflict: "another writer commits to this table all the time; run it again when it is quieter",
        unknown: "no file has been deleted; run it again",
      }),
    );
  }
}

/** Loads the table and sends the expiry once; no outcome where nothing is left to do. */
async function attemptOnce(
  context: ExpiryContext,
  planned: LoadedTable,
  choose: (base: LoadedTable) => Promise<Expiry>,
): Promise<{ readonly base: LoadedTable; readonly outcome: CommitOutcome | null }> {
  const base = sameTable(await context.catalog.loadTable(planned.ident), planned);
  const { snapshotIds, refs } = await choose(base);
  if (snapshotIds.length === 0 && refs.length === 0) return { base, outcome: null };
  context.runtime.step("expire.commit");
  const outcome = await context.catalog.commit([
    {
      ident: base.ident,
      requirements: [
        { type: "assert-table-uuid", uuid: base.metadata.tableUuid },
        ...[...new Set(["main", ...base.metadata.refs.keys()])].map((ref): TableRequirement => ({
          type: "assert-ref-snapshot-id",
          ref,
          snapshotId: base.metadata.refs.get(ref)?.snapshotId ?? null,
        })),
      ],
      updates: [
        ...refs.map((ref) => ({ action: "remove-snapshot-ref" as const, name: ref })),
        { action: "remove-snapshots", snapshotIds },
      ],
    },
  ]);
  return { base, outcome };
}
