import { type CommitOutcome, identText, type LoadedTable, type TableIdent } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";

/**
 * The table as loaded again, if it is the one that was planned for.
 * @throws FrazilError `data`, code `TABLE_REPLACED`, when it was dropped, or another one has its name now.
 */
export function sameTable(loaded: LoadedTable | null, planned: LoadedTable): LoadedTable {
  if (loaded?.metadata.tableUuid === planned.metadata.tableUuid) return loaded;
  const name = identText(planned.ident);
  throw new FrazilError("data", "TABLE_REPLACED", `table ${name} was dropped or replaced meanwhile`, {
    hint: "nothing is done to the table that has its name now; run it again if that is meant",
  });
}

/** What to do once attempts at a commit are given up. */
export interface GaveUpHints {
  readonly conflict: string;
  readonly unknown: string;
}

/** @throws FrazilError `unsupported` for a table of format version 1, whose snapshots have no numbers: positions are found by their order. */
export function checkNumbered({ ident, metadata }: LoadedTable): void {
  if (metadata.formatVersion > 1) return;
  const message = `table ${identText(ident)} has format version 1: expected 2 or 3`;
  throw new FrazilError("unsupported", "FORMAT_VERSION", message, {
    hint: "upgrade it with the engine that writes it",
  });
}

/** The error of a commit that was tried for long enough, by its last answer: `conflict`, or `unavailable` when that was lost. */
export function gaveUp(
  ident: TableIdent,
  outcome: Exclude<CommitOutcome, { outcome: "committed" }>,
  { conflict, unknown }: GaveUpHints,
): FrazilError {
  if (outcome.outcome === "conflict") {
    const message = `table ${identText(outcome.table)}: ${outcome.message}`;
    return new FrazilError("conflict", "COMMIT_CONFLICT", message, { hint: conflict });
  }
  const message = `table ${identText(ident)}: the outcome of a commit could not be learned`;
  return new FrazilError("unavailable", "COMMIT_UNKNOWN", message, { cause: outcome.cause, hint: unknown });
}
