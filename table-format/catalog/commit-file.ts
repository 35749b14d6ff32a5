import { FrazilError } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { applyUpdates, checkRequirements, forgottenFiles, requirementText } from "../metadata/apply.ts";
import { metadataFile } from "../metadata/metadata-file.ts";
import { type CommitOutcome, identText, type LoadedTable, type TableChange, type TableIdent } from "./catalog.ts";

/** What a catalog is handed instead of a clock and random numbers. */
export interface CatalogContext {
  /** Milliseconds since 1970 UTC. */
  nowMs(): number;
  /** A new UUID each time: it makes the names of metadata files unique. */
  uuid(): string;
}

export type Conflict = Extract<CommitOutcome, { outcome: "conflict" }>;

/** A change that is ready to be swapped in: its metadata file is written, and nothing names the file yet. */
export interface PreparedChange {
  readonly outcome: "prepared";
  /** What it was built on; null for a creation. */
  readonly base: LoadedTable | null;
  readonly next: LoadedTable;
  /** The metadata file of `next`. */
  readonly bytes: Uint8Array;
}

/**
 * Checks a change against `base`, applies it and writes the next `NNNNN-<uuid>.metadata.json`, or `….gz.metadata.json`.
 * @throws FrazilError `data` or `unsupported` for invalid updates; what the storage throws.
 */
export async function prepareChange(
  io: FileIO,
  context: CatalogContext,
  base: LoadedTable | null,
  change: TableChange,
): Promise<PreparedChange | Conflict> {
  const failed = checkRequirements(base?.metadata ?? null, change.requirements);
  if (failed !== null) {
    return conflictOutcome(change.ident, `requirement not met: ${requirementText(failed)}`, failed);
  }
  if (base === null && !change.requirements.some((requirement) => requirement.type === "assert-create")) {
    return conflictOutcome(change.ident, `table ${identText(change.ident)} does not exist`);
  }
  try {
    const metadata = applyUpdates(base?.metadata ?? null, change.updates, {
      nowMs: BigInt(context.nowMs()),
      previousMetadataLocation: base?.metadataLocation ?? null,
    });
    const { suffix, bytes } = await metadataFile(metadata);
    const name = `${nextCounter(base?.metadataLocation ?? null)}-${context.uuid()}${suffix}`;
    const metadataLocation = `${metadata.location}/metadata/${name}`;
    await io.write(metadataLocation, bytes);
    return { outcome: "prepared", base, next: { ident: change.ident, metadata, metadataLocation }, bytes };
  } catch (error) {
    if (error instanceof FrazilError && error.kind === "conflict") return conflictOutcome(change.ident, error.message);
    throw error;
  }
}

/** Certainly nothing took effect. */
export function conflictOutcome(
  table: TableIdent,
  message: string,
  requirement: Conflict["requirement"] = null,
): Conflict {
  return { outcome: "conflict", table, requirement, message };
}

/** Somebody else's commit came between. */
export function lostRace(table: TableIdent): Conflict {
  return conflictOutcome(table, `another commit to ${identText(table)} came first`);
}

/**
 * Runs one attempt. A store that fails leaves the outcome unknown, which is also right where nothing was sent yet: the caller
 * reloads and looks for its own snapshot in both cases.
 */
export async function attemptCommit(body: () => Promise<CommitOutcome>): Promise<CommitOutcome> {
  try {
    return await body();
  } catch (cause) {
    if (cause instanceof FrazilError && (cause.kind === "unavailable" || cause.kind === "io")) {
      return { outcome: "unknown", cause };
    }
    throw cause;
  }
}

/** @throws FrazilError kind `data` when a list of changes names a table twice or is empty. */
export function checkChanges(changes: readonly TableChange[]): void {
  const names = new Set(changes.map((change) => identText(change.ident)));
  if (names.size < changes.length || changes.length === 0) {
    throw new FrazilError(
      "data",
      "INVALID_UPDATE",
      "a commit needs at least one change, and at most one of each table",
    );
  }
}

/**
 * Removes the metadata files that committed tables no longer remember, where their properties ask for it. Only ever after the
 * commit is known to be in effect; a failure leaves garbage, nothing else.
 */
export async function deleteForgotten(io: FileIO, committed: readonly PreparedChange[]): Promise<void> {
  for (const { base, next } of committed) {
    if (base === null) continue;
    for (const file of forgottenFiles(base.metadata, next.metadata)) {
      try {
        await io.delete(file);
      } catch {
        return;
      }
    }
  }
}

/** Five digits, one more than in the previous file's name (`00012-…`, `v12…`). */
function nextCounter(previous: string | null): string {
  const name = previous?.slice(previous.lastIndexOf("/") + 1) ?? "";
  const digits = /^v?(\d+)/.exec(name)?.[1];
  return String(digits === undefined ? 0 : Number(digits) + 1).padStart(5, "0");
}
