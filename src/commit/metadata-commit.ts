import type { CommitOutcome, LoadedTable, TableChange } from "../../table-format/index.ts";
import { gaveUp, sameTable } from "./commit-errors.ts";
import { inTurn } from "./commit-queue.ts";
import type { CommitContext } from "./context.ts";
import { growingPauses, isOutage } from "./pauses.ts";

export type MetadataContext = Pick<CommitContext, "catalog" | "runtime" | "queue" | "giveUp">;

/** What a commit of metadata alone changes, by the name that its steps have. */
type Subject = "refs" | "repair" | "statistics";

const GIVE_UP_AFTER_MS = 120_000;

/**
 * Commits changes of tables' metadata alone, until it is known that they hold. `decide` says on the tables as they are now what is left to
 * do, also after a lost answer; nothing: done.
 *
 * @throws FrazilError of `decide`; `conflict` while others commit all the time; `unavailable`; `data` when a table was replaced.
 */
export async function commitMetadata(
  { catalog, runtime, queue, giveUp }: MetadataContext,
  subject: Subject,
  planned: readonly LoadedTable[],
  decide: (bases: readonly LoadedTable[]) => readonly TableChange[],
): Promise<void> {
  const [first] = planned;
  if (first === undefined) return;
  const attempt = async (): Promise<CommitOutcome | null> => {
    try {
      const bases = await Promise.all(
        planned.map(async (table) => sameTable(await catalog.loadTable(table.ident), table)),
      );
      const changes = decide(bases);
      if (changes.length === 0) return null;
      runtime.step(`${subject}.sent`);
      const outcome = await catalog.commit(changes);
      runtime.step(`${subject}.answered`);
      return outcome;
    } catch (error) {
      if (!isOutage(error)) throw error;
      return { outcome: "unknown", cause: error };
    }
  };
  const pauses = growingPauses(runtime, GIVE_UP_AFTER_MS, giveUp);
  for (;;) {
    const outcome = await inTurn(queue, planned, attempt);
    if (outcome === null || outcome.outcome === "committed") return;
    await pauses.next(() =>
      gaveUp(first.ident, outcome, {
        conflict: "another writer commits to this table all the time; run it again when it is quieter",
        unknown: "doing it again is safe",
      }),
    );
  }
}
