import {
  applyUpdates,
  currentSnapshot,
  type CommitOutcome,
  type FileIO,
  identText,
  type LoadedTable,
  newSchema,
  produceSnapshot,
  type RestCatalog,
  type RestFetch,
  type Snapshot,
  type TableChange,
  type TableIdent,
  type TableRequirement,
  type TableUpdate,
} from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import { randomHex8, randomSnapshotId, randomUuid, type Runtime } from "../core/runtime.ts";

/** What stands between a client and the network. */
type Around = (fetch: RestFetch) => RestFetch;

/** A client, and a table as it has loaded it. */
interface TrialClient {
  readonly client: RestCatalog;
  readonly base: LoadedTable;
}

/** A REST catalog to try. */
export interface TriedCatalog {
  /**
   * A client of its own, that has loaded nothing yet: none of them knows what another one commits, so that the server alone can refuse.
   * @param around stands between the client and the network
   * @param transactions whether it may send commits over several tables
   */
  connect(around?: Around, transactions?: boolean): RestCatalog;
  /** The store that its tables lie in. */
  readonly io: FileIO;
  readonly runtime: Pick<Runtime, "clock" | "random">;
}

/** How often something is tried that does not get a plain answer. */
export const ATTEMPTS = 5;

/** Namespaces to try things in begin with this; each has a random end. */
const NAMESPACE = "frazil_probe";

/** As the tag of a pipeline: what fences an older process. */
export const TAG = "ingest.frazil-probe";

/** A tag that expiry leaves alone; a server that reads it as a double would change it. */
const KEPT_FOR_EVER_MS = 9223372036854775807n;

const SCHEMA = newSchema([{ name: "id", type: { kind: "long" }, required: true }], ["id"]);

/** What was tried, or why nothing could be; and what is left of it. */
export interface TrialEnd {
  /** Null: the catalog lets this user make no namespace or table to try. */
  readonly found: string | null;
  /** Why it could not be tried, or what could not be removed; null: neither. */
  readonly note: string | null;
}

/**
 * A throw-away namespace for one trial, which goes with it.
 *
 * @throws FrazilError as `attempt`; `unavailable` where the catalog does not answer
 */
export async function inTrial(tried: TriedCatalog, attempt: (trial: Trial) => Promise<string>): Promise<TrialEnd> {
  const trial = new Trial(tried);
  try {
    await trial.catalog.ensureNamespace(trial.namespace);
  } catch (error) {
    if (!(error instanceof FrazilError) || !MAY_NOT.has(error.kind)) throw error;
    return { found: null, note: error.message };
  }
  let found: string;
  try {
    found = await attempt(trial);
  } catch (error) {
    await trial.remove();
    if (error instanceof FrazilError && error.kind === "permission") return { found: null, note: error.message };
    throw error;
  }
  return { found, note: await trial.remove() };
}

/** How a server refuses a namespace to somebody who may not make any. */
const MAY_NOT: ReadonlySet<FrazilError["kind"]> = new Set(["permission", "unsupported", "data", "conflict"]);

/** Tables to try things on. */
export class Trial {
  /** The client that makes and removes them. */
  readonly catalog: RestCatalog;
  readonly namespace: readonly string[];
  readonly #tried: TriedCatalog;
  readonly #tables = new Map<string, { readonly ident: TableIdent; readonly location: string }>();

  constructor(tried: TriedCatalog) {
    this.#tried = tried;
    this.catalog = tried.connect();
    this.namespace = [`${NAMESPACE}_${randomHex8(tried.runtime.random)}${randomHex8(tried.runtime.random)}`];
  }

  ident(name: string): TableIdent {
    return { namespace: this.namespace, name };
  }

  /** A client that has loaded a table as it is now. */
  async client(ident: TableIdent, around?: Around, transactions?: boolean): Promise<TrialClient> {
    const client = this.#tried.connect(around, transactions);
    return { client, base: await load(client, ident) };
  }

  /** Several of them, each of which loads the table by itself. */
  async clients(count: number, ident: TableIdent): Promise<TrialClient[]> {
    return Promise.all(Array.from({ length: count }, () => this.client(ident)));
  }

  /** Clients that have loaded nothing. */
  strangers(count: number): RestCatalog[] {
    return Array.from({ length: count }, () => this.#tried.connect());
  }

  snapshotId(): bigint {
    return randomSnapshotId(this.#tried.runtime.random);
  }

  /** The change that makes a table with one snapshot, named by `main` and the tag; `id` is that of the snapshot. */
  async creation(ident: TableIdent, id: bigint): Promise<TableChange> {
    const { io, runtime } = this.#tried;
    const location = this.catalog.defaultLocation(ident);
    this.#tables.set(identText(ident), { ident, location });
    const create: TableUpdate[] = [
      { action: "assign-uuid", uuid: randomUuid(runtime.random) },
      { action: "upgrade-format-version", formatVersion: 2 },
      { action: "add-schema", schema: SCHEMA, lastColumnId: 1 },
      { action: "set-current-schema", schemaId: -1 },
      { action: "add-spec", spec: { specId: 0, fields: [] } },
      { action: "set-default-spec", specId: -1 },
      { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
      { action: "set-default-sort-order", sortOrderId: -1 },
      { action: "set-location", location },
    ];
    const nowMs = BigInt(runtime.clock.nowMs());
    const metadata = applyUpdates(null, create, { nowMs, previousMetadataLocation: null });
    const { snapshot } = await produceSnapshot(
      io,
      metadata,
      {
        snapshotId: id,
        timestampMs: nowMs,
        addedDataFiles: [],
        removedDataFiles: [],
        addedDeleteFiles: [],
        removedDeleteFiles: [],
        summary: SUMMARY,
        schema: SCHEMA,
        ref: "main",
      },
      {
        manifest: (k) => `${location}/metadata/${id}-m${k}.avro`,
        manifestList: () => `${location}/metadata/snap-${id}.avro`,
      },
    );
    return { ident, requirements: [{ type: "assert-create" }], updates: [...create, ...moved(snapshot)] };
  }

  /** Makes a table. @throws FrazilError where the catalog does not, or not as it was told */
  async create(ident: TableIdent): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.catalog.commit([await this.creation(ident, this.snapshotId())]);
      if (outcome.outcome === "committed" || (await this.catalog.loadTable(ident)) !== null) return;
      if (attempt === ATTEMPTS) throw notDone(`create ${identText(ident)}`, outcome);
    }
  }

  /**
   * Commits what nobody races, again if need be: a server may be busy, and an answer may be lost.
   *
   * @param took whether it has taken effect
   * @returns the table as it was before, and the change that took effect
   * @throws FrazilError where it never did
   */
  async commitAlone(
    ident: TableIdent,
    changeOn: (base: LoadedTable) => TableChange,
    took: (now: LoadedTable) => boolean,
  ): Promise<{ readonly base: LoadedTable; readonly change: TableChange }> {
    for (let attempt = 1; ; attempt++) {
      const { client, base } = await this.client(ident);
      const change = changeOn(base);
      const outcome = await client.commit([change]);
      if (outcome.outcome === "committed" || took(await this.now(ident))) return { base, change };
      if (attempt === ATTEMPTS) throw notDone(`commit to ${identText(ident)}`, outcome);
    }
  }

  /**
   * A commit as a pipeline's: a snapshot that `main` and the tag are moved to, asserting where both are in `base`.
   * @param requirements in the place of the pipeline's
   */
  commitOn(base: LoadedTable, id: bigint, requirements: readonly TableRequirement[] = fence(base)): TableChange {
    const { metadata, ident } = base;
    const parent = must(currentSnapshot(metadata), "made with a snapshot");
    const nowMs = BigInt(this.#tried.runtime.clock.nowMs());
    const snapshot: Snapshot = {
      ...parent,
      snapshotId: id,
      parentSnapshotId: parent.snapshotId,
      sequenceNumber: metadata.lastSequenceNumber + 1n,
      timestampMs: nowMs > metadata.lastUpdatedMs ? nowMs : metadata.lastUpdatedMs + 1n,
    };
    return { ident, requirements, updates: moved(snapshot) };
  }

  /** The table as a client that knows nothing of it is told. */
  async now(ident: TableIdent): Promise<LoadedTable> {
    return load(this.#tried.connect(), ident);
  }

  /** Removes all of it, as far as that is possible. @returns what is left, for people; null: nothing */
  async remove(): Promise<string | null> {
    const name = this.namespace.join(".");
    try {
      for (const { ident, location } of this.#tables.values()) {
        if ((await this.catalog.loadTable(ident)) !== null) await this.catalog.dropTable(ident, false);
        await clear(this.#tried.io, location);
      }
      await this.catalog.namespaces.drop(this.namespace);
      return null;
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      return `the namespace ${name} could not be removed: ${error.message}`;
    }
  }
}

/** What a pipeline writes into its snapshots, with signs that have to be carried as they are. */
export const SUMMARY: ReadonlyMap<string, string> = new Map([
  ["operation", "append"],
  ["ingest.pipe", "frazil-probe"],
  ["ingest.epoch", "9007199254740993"],
  ["ingest.position", '{"a/0":"12","é \\"漢\\"":"9007199254740993"}'],
]);

/** What every commit of a pipeline asserts. */
function fence({ metadata }: LoadedTable): TableRequirement[] {
  return [
    { type: "assert-table-uuid", uuid: metadata.tableUuid },
    refAt(metadata, "main"),
    refAt(metadata, TAG),
    { type: "assert-current-schema-id", currentSchemaId: metadata.currentSchemaId },
    { type: "assert-default-spec-id", defaultSpecId: metadata.defaultSpecId },
  ];
}

/** That a ref is where it is in this metadata. */
export function refAt({ refs }: LoadedTable["metadata"], ref: string): TableRequirement {
  return { type: "assert-ref-snapshot-id", ref, snapshotId: refs.get(ref)?.snapshotId ?? null };
}

/** The refs that a pipeline moves. */
function moved(snapshot: Snapshot): TableUpdate[] {
  const { snapshotId } = snapshot;
  return [
    { action: "add-snapshot", snapshot },
    { action: "set-snapshot-ref", name: "main", ref: { type: "branch", snapshotId } },
    tagTo(TAG, snapshotId),
  ];
}

/** Moves a tag. */
export function tagTo(name: string, snapshotId: bigint): TableUpdate {
  return { action: "set-snapshot-ref", name, ref: { type: "tag", snapshotId, maxRefAgeMs: KEPT_FOR_EVER_MS } };
}

/** Whether a snapshot took effect. */
export function holds({ metadata }: LoadedTable, id: bigint): boolean {
  return metadata.snapshots.some(({ snapshotId }) => snapshotId === id);
}

/** What came of an attempt that had to succeed. */
export function notDone(what: string, outcome: Exclude<CommitOutcome, { outcome: "committed" }>): FrazilError {
  if (outcome.outcome === "unknown" && outcome.cause instanceof FrazilError) return outcome.cause;
  const found = outcome.outcome === "conflict" ? outcome.message : String(outcome.cause);
  return new FrazilError("config", "CATALOG_COMMIT", `expected the catalog to ${what}, found: ${found}`, {
    hint: "use another catalog (docs/catalogs.md)",
  });
}

async function load(client: RestCatalog, ident: TableIdent): Promise<LoadedTable> {
  const table = await client.loadTable(ident);
  if (table !== null) return table;
  throw new FrazilError("config", "CATALOG_READS", `expected the table ${identText(ident)} that was made, found none`, {
    hint: "tables of this catalog could be missed or lost: use another one (docs/catalogs.md)",
  });
}

/** Best effort: what the server has not removed with the table. */
async function clear(io: FileIO, location: string): Promise<void> {
  try {
    for await (const entry of io.list(location)) await io.delete(entry.location);
  } catch {
    // Nothing reads it.
  }
}
