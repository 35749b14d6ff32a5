import { isDeepStrictEqual } from "node:util";
import { FrazilError, must } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { snapshotById } from "../metadata/refs.ts";
import {
  type Catalog,
  type Claim,
  type CommitOutcome,
  identText,
  type LoadedTable,
  type TableChange,
  type TableIdent,
} from "./catalog.ts";
import {
  attemptCommit,
  type CatalogContext,
  deleteForgotten,
  lostRace,
  type PreparedChange,
  prepareChange,
} from "./commit-file.ts";
import { checkIdent, checkNames, tableLocation } from "./ident.ts";
import { MetadataFiles } from "./metadata-files.ts";

const HINT = "/metadata/version-hint.text";
const METADATA_SUFFIX = ".metadata.json";

/**
 * A catalog that is nothing but folders: a table is the folder `<warehouse>/<namespace>/<table>`, and its current metadata file is
 * the one that `metadata/version-hint.text` names. DuckDB and PyIceberg open the folder. Replacing the hint with `If-Match` is the
 * commit point, so the store must honour conditional writes. Namespaces exist as far as they hold tables.
 */
export class ObjectStoreCatalog implements Catalog {
  readonly name: string;
  readonly atomicAcrossTables = false;
  readonly claims = false;
  readonly #io: FileIO;
  readonly #warehouseLocation: string;
  readonly #context: CatalogContext;
  readonly #files: MetadataFiles;

  constructor(name: string, io: FileIO, warehouseLocation: string, context: CatalogContext) {
    this.name = name;
    this.#io = io;
    this.#warehouseLocation = warehouseLocation.replace(/\/+$/, "");
    this.#context = context;
    this.#files = new MetadataFiles(io);
  }

  /** Lists the whole warehouse. */
  async listNamespaces(): Promise<readonly (readonly string[])[]> {
    const namespaces = new Map<string, readonly string[]>();
    for await (const { namespace } of this.#tablesBelow([])) namespaces.set(namespace.join("/"), namespace);
    return [...namespaces.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, namespace]) => namespace);
  }

  async ensureNamespace(namespace: readonly string[]): Promise<void> {
    checkNames(namespace);
  }

  /** Lists everything below the namespace's folder. */
  async listTables(namespace: readonly string[]): Promise<readonly TableIdent[]> {
    checkNames(namespace);
    const tables: TableIdent[] = [];
    for await (const ident of this.#tablesBelow(namespace)) {
      if (ident.namespace.length === namespace.length) tables.push(ident);
    }
    return tables.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async *#tablesBelow(namespace: readonly string[]): AsyncGenerator<TableIdent> {
    for await (const { location } of this.#io.list([this.#warehouseLocation, ...namespace].join("/"))) {
      if (!location.endsWith(HINT)) continue;
      const names = location.slice(this.#warehouseLocation.length + 1, -HINT.length).split("/");
      const name = names.pop();
      if (name !== undefined && names.length > 0) yield { namespace: names, name };
    }
  }

  async loadTable(ident: TableIdent): Promise<LoadedTable | null> {
    checkIdent(ident);
    return this.#files.follow(ident, async () => (await this.#readHint(ident))?.metadataLocation ?? null);
  }

  defaultLocation(ident: TableIdent): string {
    return tableLocation(this.#warehouseLocation, ident);
  }

  async commit(changes: readonly TableChange[], claim?: Claim): Promise<CommitOutcome> {
    const change = changes[0];
    if (change === undefined || changes.length > 1 || claim !== undefined) {
      const message = "an object-store catalog commits one table at a time and records no claims";
      throw new FrazilError("unsupported", "ONE_TABLE_ONLY", message);
    }
    return attemptCommit(async () => {
      const hint = await this.#readHint(change.ident);
      const base = hint === null ? null : await this.#loadBase(change.ident, hint.metadataLocation);
      if (base === undefined) return lostRace(change.ident);
      this.#checkLocation(change, base);
      const prepared = await prepareChange(this.#io, this.#context, base, change);
      if (prepared.outcome === "conflict") return prepared;
      return this.#swap(prepared, hint?.etag ?? null, change);
    });
  }

  /** Undefined when the file is gone, as after many commits since the hint was read. */
  async #loadBase(ident: TableIdent, metadataLocation: string): Promise<LoadedTable | undefined> {
    try {
      return { ident, metadata: await this.#files.load(metadataLocation), metadataLocation };
    } catch (error) {
      if (error instanceof FrazilError && error.kind === "not-found") return undefined;
      throw error;
    }
  }

  async #swap(prepared: PreparedChange, etag: string | null, change: TableChange): Promise<CommitOutcome> {
    const { next } = prepared;
    const name = fileName(next.metadataLocation).slice(0, -METADATA_SUFFIX.length);
    const bytes = new TextEncoder().encode(name);
    const location = this.defaultLocation(next.ident) + HINT;
    let refused: boolean;
    try {
      // The commit point. The metadata file is durable by now: a hint never names a file that is not there.
      const result =
        etag === null ? await this.#io.create(location, bytes) : await this.#io.replace(location, bytes, etag);
      refused = result.outcome === "exists" || result.outcome === "conflict";
    } catch (cause) {
      if (!(cause instanceof FrazilError) || cause.kind !== "unavailable") throw cause;
      return this.#resolve(prepared, change, cause);
    }
    // A store may have repeated the request inside and refused only the repetition, so look before calling it a conflict.
    if (refused) return (await this.#isInEffect(prepared, change)) === "yes" ? done(next) : lostRace(next.ident);
    this.#files.remember(next.metadataLocation, next.metadata);
    await deleteForgotten(this.#io, [prepared]);
    return done(next);
  }

  /** After a lost answer. What has not taken effect can still do so as long as the hint has not moved on. */
  async #resolve(prepared: PreparedChange, change: TableChange, cause: unknown): Promise<CommitOutcome> {
    const state = await this.#isInEffect(prepared, change);
    if (state === "open") return { outcome: "unknown", cause };
    return state === "yes" ? done(prepared.next) : lostRace(prepared.next.ident);
  }

  /**
   * Looks whether a change is part of the table: by the hint, by the metadata log, by the snapshots that it adds. `never` when
   * the log shows that another commit took its place: then the tag it was sent with can never match again. Bytes of the hint are
   * not compared alone, since other commits may lie on top.
   */
  async #isInEffect({ base, next }: PreparedChange, change: TableChange): Promise<"yes" | "never" | "open"> {
    let current: LoadedTable | null;
    try {
      current = await this.loadTable(next.ident);
    } catch {
      return "open";
    }
    if (current === null || current.metadataLocation === base?.metadataLocation) return "open";
    if (current.metadataLocation === next.metadataLocation) return "yes";
    const { metadata } = current;
    const log = new Set(metadata.metadataLog.map((entry) => entry.metadataFile));
    if (log.has(next.metadataLocation)) return "yes";
    // The same id with other manifests is an earlier attempt of the caller, who has to look for it.
    for (const update of change.updates) {
      if (update.action !== "add-snapshot") continue;
      const held = snapshotById(metadata, update.snapshot.snapshotId);
      if (held !== null) return isDeepStrictEqual(held, update.snapshot) ? "yes" : "open";
    }
    // A creation is refused as long as any table is there. Otherwise the log must reach back to our base: beyond it only marks count.
    return base === null || log.has(base.metadataLocation) ? "never" : "open";
  }

  async #readHint(ident: TableIdent): Promise<{ metadataLocation: string; etag: string } | null> {
    const location = this.defaultLocation(ident);
    const tagged = await this.#io.readTagged(location + HINT);
    if (tagged === null) return null;
    const text = new TextDecoder().decode(tagged.bytes).trim();
    if (!/^\d{5,}-[0-9a-f-]{36}$/i.test(text)) {
      throw new FrazilError(
        "unsupported",
        "FOREIGN_HINT",
        `${location}${HINT} holds ${JSON.stringify(text.slice(0, 80))}, expected NNNNN-<uuid>`,
        { hint: `table ${identText(ident)} belongs to another kind of catalog; write it through that one` },
      );
    }
    return { metadataLocation: `${location}/metadata/${text}${METADATA_SUFFIX}`, etag: tagged.etag };
  }

  /** The hint gives a name within the table's own folder, so that is where the table has to be. */
  #checkLocation(change: TableChange, base: LoadedTable | null): void {
    const expected = this.defaultLocation(change.ident);
    const moves = change.updates.flatMap((update) => (update.action === "set-location" ? [update.location] : []));
    const location = (moves.at(-1) ?? base?.metadata.location ?? expected).replace(/\/+$/, "");
    if (location === expected) return;
    const message = `table ${identText(change.ident)} must lie at ${expected}, not at ${location}`;
    throw new FrazilError("data", "TABLE_LOCATION", message);
  }

  /** Claims need a catalog that records them with the commit. */
  async readClaim(): Promise<string | null> {
    return null;
  }

  /** As `readClaim`. */
  async listClaims(): Promise<readonly Claim[]> {
    return [];
  }

  async close(): Promise<void> {}
}

function done(next: LoadedTable): CommitOutcome {
  return { outcome: "committed", tables: [next] };
}

function fileName(location: string): string {
  return must(location.split("/").at(-1), "a location has a last part");
}
