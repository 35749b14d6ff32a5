import { FrazilError } from "../../errors.ts";
import { applyUpdates, checkRequirements, requirementText } from "../../metadata/apply.ts";
import { identText, type LoadedTable, type TableChange } from "../catalog.ts";
import { type Conflict, conflictOutcome } from "../commit-file.ts";

/**
 * Looks at a change before it is sent, against what is known of the table and, where that speaks against it, against what the
 * catalog says now. So a conflict names its requirement, which no server's answer does, and nothing invalid is sent to servers
 * that would take it.
 *
 * @param known what was loaded before, or null
 * @param load the table as it is now
 * @returns a conflict: nothing was sent; or null: send it.
 * @throws FrazilError `data` or `unsupported` for updates that are invalid whatever the state.
 */
export async function checkBeforeSending(
  change: TableChange,
  known: LoadedTable | null,
  load: () => Promise<LoadedTable | null>,
  nowMs: number,
): Promise<Conflict | null> {
  const creation = change.requirements.some((requirement) => requirement.type === "assert-create");
  if (creation) return verdict(change, null, nowMs);
  if (known !== null) {
    try {
      if (verdict(change, known, nowMs) === null) return null;
    } catch {
      // What is known may be old: what counts is said below.
    }
  }
  const table = await load();
  if (table === null) return conflictOutcome(change.ident, `table ${identText(change.ident)} does not exist`);
  return verdict(change, table, nowMs);
}

/** The conflict between a change and a state of its table, or null. */
function verdict(change: TableChange, base: LoadedTable | null, nowMs: number): Conflict | null {
  const unmet = unmetRequirement(change, base);
  if (unmet !== null) return unmet;
  try {
    applyUpdates(base?.metadata ?? null, change.updates, {
      nowMs: BigInt(nowMs),
      previousMetadataLocation: base?.metadataLocation ?? null,
    });
    return null;
  } catch (error) {
    if (error instanceof FrazilError && error.kind === "conflict") return conflictOutcome(change.ident, error.message);
    throw error;
  }
}

/** The first requirement that the table as it is does not meet, as a conflict. */
export function unmetRequirement(change: TableChange, base: LoadedTable | null): Conflict | null {
  const failed = checkRequirements(base?.metadata ?? null, change.requirements);
  if (failed === null) return null;
  return conflictOutcome(change.ident, `requirement not met: ${requirementText(failed)}`, failed);
}

/** Whether the table holds every snapshot that the change adds, and it adds one: then the change is in effect. */
export function holdsSnapshots(change: TableChange, table: LoadedTable | null): boolean {
  const added = change.updates.flatMap((update) =>
    update.action === "add-snapshot" ? [update.snapshot.snapshotId] : [],
  );
  const held = new Set(table?.metadata.snapshots.map(({ snapshotId }) => snapshotId));
  return added.length > 0 && added.every((id) => held.has(id));
}
