import { type CommitOutcome, identText, type LoadedTable } from "../catalog/catalog.ts";
import { FrazilError } from "../errors.ts";
import { mapConcurrently } from "../io/concurrent-map.ts";
import { MANIFESTS_AT_ONCE } from "../limits.ts";
import { applyUpdates } from "../metadata/apply.ts";
import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { TableUpdate } from "../metadata/updates.ts";
import { inEffect, type Sent } from "./in-effect.ts";
import type { OperationNames, TableOperation, WriteContext } from "./operation.ts";
import { requirementsFor } from "./requirements.ts";
import { commitRetries, pauseBefore, statusChecks } from "./retry-settings.ts";

/**
 * Commits operations to a table, all or none, and gives the table as it is then. Every attempt loads the table, asks each
 * operation anew what it does to it, and so checks for conflicts against everything that was committed since `table` was loaded.
 * An attempt that lost a race is repeated as the table properties `commit.retry.*` say.
 *
 * An answer that is lost is never taken for a failure: the table is loaded again, and the operations are done if it shows them.
 * Files are removed only if no attempt that could use them can still take effect.
 *
 * @param table as the caller knew it: a conflict is what others have committed since
 * @throws FrazilError `unavailable`, code `COMMIT_STATE_UNKNOWN`: it may or may not have been committed; delete nothing, load the
 *   table and look. After any other error nothing was: `conflict`; `data`, `unsupported`, `not-found` where the operations are wrong or
 *   the table is gone; what store and catalog throw.
 */
export async function commitOperations(
  context: WriteContext,
  table: LoadedTable,
  ...operations: readonly TableOperation[]
): Promise<LoadedTable> {
  const commit = new Commit(context, table, operations);
  const startedMs = context.nowMs();
  let unknowns = 0;
  for (let attempt = 0; ; attempt++) {
    const ended = await commit.attempt(attempt);
    if (ended.outcome === "done") return ended.table;
    if (ended.outcome === "unknown") unknowns++;
    const { properties } = ended.metadata;
    const settings = ended.outcome === "unknown" ? statusChecks(properties) : commitRetries(properties);
    const retry = ended.outcome === "unknown" ? unknowns : attempt + 1 - unknowns;
    if (retry > settings.retries || context.nowMs() - startedMs >= settings.totalMs) throw commit.gaveUp(ended);
    await context.sleep(pauseBefore(settings, retry, jitterOf(context.uuid())));
  }
}

/** How an attempt ended; `metadata` is the newest that is known. */
type Ended =
  | { readonly outcome: "done"; readonly table: LoadedTable }
  | { readonly outcome: "conflict"; readonly message: string; readonly metadata: TableMetadata }
  | { readonly outcome: "unknown"; readonly cause: unknown; readonly metadata: TableMetadata };

class Commit {
  readonly #context: WriteContext;
  readonly #table: LoadedTable;
  readonly #operations: readonly TableOperation[];
  /** One an operation, whether or not it adds a snapshot. */
  readonly #snapshotIds: readonly bigint[];
  readonly #uuid: string;
  /** What was sent and got no answer. */
  readonly #open: Sent[] = [];

  constructor(context: WriteContext, table: LoadedTable, operations: readonly TableOperation[]) {
    this.#context = context;
    this.#table = table;
    this.#operations = operations;
    this.#uuid = context.uuid();
    const taken = new Set(table.metadata.snapshots.map(({ snapshotId }) => snapshotId));
    this.#snapshotIds = operations.map(() => {
      const id = newSnapshotId(context, taken);
      taken.add(id);
      return id;
    });
  }

  async attempt(attempt: number): Promise<Ended> {
    const { catalog } = this.#context;
    let base: LoadedTable;
    try {
      base = this.#sameTable(await catalog.loadTable(this.#table.ident));
    } catch (error) {
      // Nothing was sent that could have taken effect: the caller may as well see why.
      if (this.#open.length === 0 || !isOutage(error)) throw error;
      return { outcome: "unknown", cause: error, metadata: this.#table.metadata };
    }
    if (this.#open.some((sent) => inEffect(base.metadata, sent))) return { outcome: "done", table: base };
    const written: string[] = [];
    let updates: readonly TableUpdate[];
    try {
      updates = await this.#updates(base.metadata, attempt, written);
    } catch (error) {
      await this.#discard(written);
      if (!(await this.#hasMovedOn(base, error))) throw error;
      return { outcome: "conflict", message: (error as FrazilError).message, metadata: base.metadata };
    }
    if (updates.length === 0) return { outcome: "done", table: base };
    const requirements = requirementsFor(base.metadata, updates);
    let outcome: CommitOutcome;
    try {
      outcome = await catalog.commit([{ ident: base.ident, requirements, updates }]);
    } catch (error) {
      if (!isOutage(error)) {
        if (isRefusal(error)) await this.#discard(written);
        throw error;
      }
      outcome = { outcome: "unknown", cause: error };
    }
    switch (outcome.outcome) {
      case "committed":
        return { outcome: "done", table: outcome.tables[0] ?? base };
      case "conflict":
        await this.#discard(written);
        return { outcome: "conflict", message: outcome.message, metadata: base.metadata };
      case "unknown":
        this.#open.push({ base: base.metadata, updates });
        return { outcome: "unknown", cause: outcome.cause, metadata: base.metadata };
    }
  }

  /** The error for a commit that was attempted as often as it may be. */
  gaveUp(ended: Exclude<Ended, { outcome: "done" }>): FrazilError {
    const name = identText(this.#table.ident);
    const what = this.#operations.map((operation) => operation.name).join(", ");
    // A request without an answer may arrive even now.
    if (this.#open.length > 0) {
      const ids = this.#snapshotIds.join(", ");
      return new FrazilError("unavailable", "COMMIT_STATE_UNKNOWN", `${what} of table ${name}: no answer came`, {
        hint: `delete no files; load the table and look whether it holds snapshot ${ids}, or the change`,
        cause: ended.outcome === "unknown" ? ended.cause : undefined,
      });
    }
    const message = ended.outcome === "conflict" ? ended.message : "the catalog could not be reached";
    return new FrazilError("conflict", "COMMIT_CONFLICT", `${what} of table ${name}: ${message}`, {
      hint: "other writers commit to this table all the time; raise its property commit.retry.num-retries",
    });
  }

  async #updates(base: TableMetadata, attempt: number, written: string[]): Promise<TableUpdate[]> {
    const nowMs = BigInt(this.#context.nowMs());
    const all: TableUpdate[] = [];
    let metadata = base;
    for (const [index, operation] of this.#operations.entries()) {
      const updates = await operation.updates({
        context: this.#context,
        ident: this.#table.ident,
        base: metadata,
        started: this.#table.metadata,
        snapshotId: this.#snapshotIds[index] as bigint,
        ownSnapshotIds: new Set(this.#snapshotIds),
        // Later than the last one even by a clock that is behind: times tell snapshots apart.
        timestampMs: nowMs > metadata.lastUpdatedMs ? nowMs : metadata.lastUpdatedMs + 1n,
        names: this.#names(metadata, attempt, index, written),
      });
      all.push(...updates);
      if (index + 1 < this.#operations.length && updates.length > 0) {
        metadata = applyUpdates(metadata, updates, { nowMs, previousMetadataLocation: null });
      }
    }
    return all;
  }

  #names(metadata: TableMetadata, attempt: number, index: number, written: string[]): OperationNames {
    const folder = (property: string, name: string): string =>
      (metadata.properties.get(property) ?? `${metadata.location}/${name}`).replace(/\/+$/, "");
    const [metadataFolder, dataFolder] = [folder("write.metadata.path", "metadata"), folder("write.data.path", "data")];
    const tag = `${this.#uuid}-${attempt}-${index}`;
    let deletes = 0;
    const give = (location: string): string => {
      written.push(location);
      return location;
    };
    return {
      manifest: (k) => give(`${metadataFolder}/${tag}-m${k}.avro`),
      manifestList: () => give(`${metadataFolder}/snap-${this.#snapshotIds[index]}-${attempt}-${this.#uuid}.avro`),
      deleteFile: (extension) => give(`${dataFolder}/${tag}-deletes-${deletes++}.${extension}`),
    };
  }

  /** Of an attempt that certainly did not take effect. What cannot be removed is garbage, nothing worse. */
  async #discard(written: readonly string[]): Promise<void> {
    await mapConcurrently(written, MANIFESTS_AT_ONCE, async (location) => {
      await this.#context.io.delete(location).catch(() => undefined);
    });
  }

  /** Whether files that the base names may be gone because others have committed, and expired it, since it was loaded. */
  async #hasMovedOn(base: LoadedTable, error: unknown): Promise<boolean> {
    if (!(error instanceof FrazilError) || error.kind !== "not-found") return false;
    const now = this.#sameTable(await this.#context.catalog.loadTable(base.ident));
    return now.metadataLocation !== base.metadataLocation;
  }

  #sameTable(loaded: LoadedTable | null): LoadedTable {
    const { ident, metadata } = this.#table;
    if (loaded === null) {
      throw new FrazilError("not-found", "TABLE_NOT_FOUND", `table ${identText(ident)} does not exist any more`);
    }
    if (loaded.metadata.tableUuid.toLowerCase() !== metadata.tableUuid.toLowerCase()) {
      throw new FrazilError("data", "TABLE_REPLACED", `another table is called ${identText(ident)} now`, {
        hint: "load it anew",
      });
    }
    return loaded;
  }
}

/** A positive id below 2^53, so that no reader rounds it. */
function newSnapshotId(context: WriteContext, taken: ReadonlySet<bigint>): bigint {
  for (;;) {
    const bits = BigInt(`0x${context.uuid().replaceAll("-", "")}`);
    const id = BigInt.asUintN(52, bits ^ (bits >> 64n));
    if (id > 0n && !taken.has(id)) return id;
  }
}

/** From 0 to 1. */
export function jitterOf(uuid: string): number {
  return Number.parseInt(uuid.slice(-8), 16) / 2 ** 32;
}

/** A server that cannot be reached, a store that refuses to write. */
export function isOutage(error: unknown): boolean {
  return error instanceof FrazilError && (error.kind === "unavailable" || error.kind === "io");
}

/** An answer that says that nothing took effect. */
function isRefusal(error: unknown): boolean {
  return error instanceof FrazilError && error.kind !== "internal" && error.kind !== "corrupt";
}
