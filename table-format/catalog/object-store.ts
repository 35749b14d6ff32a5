import { FrazilError, must } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
import { jsonText } from "../json/exact-json.ts";
import { GZIPPED, isGzipped, METADATA_SUFFIX, versionNumber } from "../metadata/metadata-name.ts";
import { snapshotById } from "../metadata/refs.ts";
import { snapshotJson } from "../metadata/snapshot-json.ts";
import {
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
import { movedOn, nameTaken, noTable } from "./lifecycle-errors.ts";
import type { ManagedCatalog } from "./managed-catalog.ts";
import { MetadataFiles } from "./metadata-files.ts";
import { namespaceFile, ObjectStoreNamespaces } from "./object-store-namespaces.ts";
import { deleteFiles, ownFiles } from "./purge.ts";
import { VersionCopies } from "./version-copies.ts";

const HINT = "/metadata/version-hint.text";

/**
 * A catalog that is nothing but folders: a table is the folder `<warehouse>/<namespace>/<table>`, and its current metadata file is
 * the one that `metadata/version-hint.text` names. DuckDB and PyIceberg open the folder by it, Java's readers of folders by copies
 * (`VersionCopies`). Replacing the hint with `If-Match` is the commit point and nothing else is, so the store must honour conditional
 * writes. Namespaces exist as far as they hold tables or were given properties.
 */
export class ObjectStoreCatalog implements ManagedCatalog {
  readonly name: string;
  readonly atomicAcrossTables = false;
  readonly claims = false;
  readonly namespaces: ObjectStoreNamespaces;
  readonly #io: FileIO;
  readonly #warehouseLocation: string;
  readonly #context: CatalogContext;
  readonly #files: MetadataFiles;
  readonly #copies: VersionCopies;

  constructor(name: string, io: FileIO, warehouseLocation: string, context: CatalogContext) {
    this.name = name;
    this.#io = io;
    this.#warehouseLocation = warehouseLocation.replace(/\/+$/, "");
    this.#context = context;
    this.#files = new MetadataFiles(io);
    this.#copies = new VersionCopies(io);
    const holdsTables = async (namespace: readonly string[]): Promise<boolean> => {
      for await (const { location } of this.#io.list(this.#folder(namespace))) if (location.endsWith(HINT)) return true;
      return false;
    };
    this.namespaces = new ObjectStoreNamespaces(io, (namespace) => this.#folder(namespace), holdsTables);
  }

  /** Lists the whole warehouse. */
  async listNamespaces(): Promise<readonly (readonly string[])[]> {
    const namespaces = new Map<string, readonly string[]>();
    for await (const { location } of this.#io.list(this.#warehouseLocation)) {
      const end = location.endsWith(HINT) ? HINT : namespaceFile("");
      if (!location.endsWith(end)) continue;
      const names = location.slice(this.#warehouseLocation.length + 1, -end.length).split("/");
      if (end === HINT) names.pop();
      if (names.length > 0 && names[0] !== "") namespaces.set(names.join("/"), names);
    }
    return [...namespaces.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, namespace]) => namespace);
  }

  async ensureNamespace(namespace: readonly string[]): Promise<void> {
    checkNames(namespace);
  }

  /** Lists everything below the namespace's folder. */
  async listTables(namespace: readonly string[]): Promise<readonly TableIdent[]> {
    checkNames(namespace);
    const tables: TableIdent[] = [];
    const folder = this.#folder(namespace);
    for await (const { location } of this.#io.list(folder)) {
      if (!location.endsWith(HINT)) continue;
      const name = location.slice(folder.length + 1, -HINT.length);
      if (name !== "" && !name.includes("/") && namespace.length > 0) tables.push({ namespace, name });
    }
    return tables.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  #folder(namespace: readonly string[]): string {
    return [this.#warehouseLocation, ...namespace].join("/");
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
      if (base !== null) await this.#copies.complete(base);
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
    if (refused && (await this.#isInEffect(prepared, change)) !== "yes") return lostRace(next.ident);
    return this.#committed(prepared);
  }

  async #committed(prepared: PreparedChange): Promise<CommitOutcome> {
    const { base, next, bytes } = prepared;
    this.#files.remember(next.metadataLocation, next.metadata);
    await Promise.all([this.#copies.publish(base, next, bytes), deleteForgotten(this.#io, [prepared])]);
    return { outcome: "committed", tables: [next] };
  }

  /** After a lost answer. What has not taken effect can still do so as long as the hint has not moved on. */
  async #resolve(prepared: PreparedChange, change: TableChange, cause: unknown): Promise<CommitOutcome> {
    const state = await this.#isInEffect(prepared, change);
    if (state === "open") return { outcome: "unknown", cause };
    return state === "yes" ? this.#committed(prepared) : lostRace(prepared.next.ident);
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
      if (held !== null) {
        return jsonText(snapshotJson(held)) === jsonText(snapshotJson(update.snapshot)) ? "yes" : "open";
      }
    }
    // A creation is refused as long as any table is there. Otherwise the log must reach back to our base: beyond it only marks count.
    return base === null || log.has(base.metadataLocation) ? "never" : "open";
  }

  async #readHint(ident: TableIdent): Promise<{ metadataLocation: string; etag: string } | null> {
    const location = this.defaultLocation(ident);
    const tagged = await this.#io.readTagged(location + HINT);
    if (tagged === null) return null;
    const text = new TextDecoder().decode(tagged.bytes).trim();
    if (versionNumber(text) === null) {
      throw new FrazilError(
        "unsupported",
        "FOREIGN_HINT",
        `${location}${HINT} holds ${JSON.stringify(text.slice(0, 80))}, expected NNNNN-<uuid>`,
        {
          hint: `table ${identText(ident)} belongs to another kind of catalog: write it through that one. If such a catalog has committed to a table of ours, its commit is no part of the table, and frazil repair ${identText(ident)} puts the hint back`,
        },
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
    throw new FrazilError("data", "TABLE_LOCATION", message, {
      hint: "the catalog finds tables by their folders; where the metadata of one was changed by hand: frazil repair",
    });
  }

  /**
   * The table has to lie where a new one of this name would. A metadata file of another kind of name is copied.
   * @throws FrazilError `data`, code `TABLE_LOCATION`; `conflict` when the name is taken.
   */
  async registerTable(ident: TableIdent, metadataLocation: string): Promise<LoadedTable> {
    const metadata = await this.#files.load(metadataLocation);
    this.#checkLocation({ ident, requirements: [], updates: [] }, { ident, metadata, metadataLocation });
    const location = this.defaultLocation(ident);
    const given = metadataLocation.slice(`${location}/metadata/`.length, -METADATA_SUFFIX.length);
    const isOurs =
      versionNumber(given) !== null && metadataLocation === `${location}/metadata/${given}${METADATA_SUFFIX}`;
    const end = isGzipped(metadataLocation) ? GZIPPED : "";
    const text = isOurs ? given : `${sameCounter(metadataLocation)}-${this.#context.uuid()}${end}`;
    const table = { ident, metadata, metadataLocation: `${location}/metadata/${text}${METADATA_SUFFIX}` };
    // The same bytes: then what stands there as `vN` already counts as the copy.
    const bytes = await this.#io.read(metadataLocation);
    if (!isOurs) await this.#io.write(table.metadataLocation, bytes);
    const { outcome } = await this.#io.create(location + HINT, new TextEncoder().encode(text));
    if (outcome === "exists") throw nameTaken(ident);
    await this.#copies.publish(null, table, bytes);
    return table;
  }

  /** @throws FrazilError `unsupported`: a table's folder is its name. */
  async renameTable(from: TableIdent, to: TableIdent): Promise<void> {
    checkIdent(to);
    if ((await this.#readHint(from)) === null) throw noTable(from);
    const message = `an object-store catalog finds ${identText(from)} by its folder, which cannot be renamed`;
    throw new FrazilError("unsupported", "RENAME_UNSUPPORTED", message, {
      hint: "keep tables that are renamed in a sqlite, postgres or REST catalog",
    });
  }

  /** Its folder stays, with `purge` for what no snapshot names. A commit that comes while the table is dropped goes with it. */
  async dropTable(ident: TableIdent, purge: boolean): Promise<void> {
    const table = await this.loadTable(ident);
    if (table === null) throw noTable(ident);
    const files = purge ? await ownFiles(this.#io, table) : [];
    if (purge && (await this.#readHint(ident))?.metadataLocation !== table.metadataLocation) throw movedOn(ident);
    const location = this.defaultLocation(ident);
    // Copies first: without a hint nobody would find them again.
    await this.#copies.drop(ident, location);
    await this.#io.delete(location + HINT);
    // A commit in between has made one more.
    await this.#copies.drop(ident, location);
    await deleteFiles(this.#io, files);
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

/** The number of a metadata file's version as our names count it: `v7` is `00006`. */
function sameCounter(metadataLocation: string): string {
  const [, v, digits] = /^(v?)(\d{1,15})/.exec(fileName(metadataLocation)) ?? [];
  return String(Math.max(0, Number(digits ?? 0) - (v === "v" ? 1 : 0))).padStart(5, "0");
}

function fileName(location: string): string {
  return must(location.split("/").at(-1), "a location has a last part");
}
