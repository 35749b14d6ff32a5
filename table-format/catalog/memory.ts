import { must } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
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
  checkChanges,
  conflictOutcome,
  deleteForgotten,
  lostRace,
  type PreparedChange,
  prepareChange,
} from "./commit-file.ts";
import { checkIdent, tableLocation } from "./ident.ts";
import { movedOn, nameTaken, noTable, sharedFolder } from "./lifecycle-errors.ts";
import type { ManagedCatalog } from "./managed-catalog.ts";
import { MemoryNamespaces } from "./memory-namespaces.ts";
import { MetadataFiles } from "./metadata-files.ts";
import { deleteFiles, ownFiles } from "./purge.ts";

/** A catalog that lives as long as the object, for tests and simulations; metadata files go to the storage as everywhere. */
export class MemoryCatalog implements ManagedCatalog {
  readonly name: string;
  readonly atomicAcrossTables = true;
  readonly claims = true;
  readonly namespaces = new MemoryNamespaces((namespace) => this.#tablesOf(namespace));
  readonly #io: FileIO;
  readonly #warehouseLocation: string;
  readonly #context: CatalogContext;
  readonly #files: MetadataFiles;
  readonly #tables = new Map<string, { readonly ident: TableIdent; readonly metadataLocation: string }>();
  readonly #claims = new Map<string, string>();

  constructor(name: string, io: FileIO, warehouseLocation: string, context: CatalogContext) {
    this.name = name;
    this.#io = io;
    this.#warehouseLocation = warehouseLocation;
    this.#context = context;
    this.#files = new MetadataFiles(io);
  }

  async listNamespaces(): Promise<readonly (readonly string[])[]> {
    return this.namespaces.list();
  }

  async ensureNamespace(namespace: readonly string[]): Promise<void> {
    this.namespaces.ensure(namespace);
  }

  async listTables(namespace: readonly string[]): Promise<readonly TableIdent[]> {
    return this.#tablesOf(namespace);
  }

  #tablesOf(namespace: readonly string[]): readonly TableIdent[] {
    const wanted = namespace.join(".");
    return [...this.#tables.values()].map(({ ident }) => ident).filter((ident) => ident.namespace.join(".") === wanted);
  }

  async loadTable(ident: TableIdent): Promise<LoadedTable | null> {
    return this.#files.follow(ident, async () => this.#tables.get(identText(ident))?.metadataLocation ?? null);
  }

  defaultLocation(ident: TableIdent): string {
    return tableLocation(this.#warehouseLocation, ident);
  }

  async commit(changes: readonly TableChange[], claim?: Claim): Promise<CommitOutcome> {
    checkChanges(changes);
    return attemptCommit(async () => {
      const prepared: PreparedChange[] = [];
      for (const change of changes) {
        const result = await prepareChange(this.#io, this.#context, await this.loadTable(change.ident), change);
        if (result.outcome === "conflict") return result;
        prepared.push(result);
      }
      // From here to the end nothing waits, so nobody comes between: this is the commit point.
      const held = claim === undefined ? undefined : this.#claims.get(claim.key);
      if (held !== undefined && held !== claim?.value) {
        return conflictOutcome(must(changes[0], "one change").ident, `${claim?.key} is claimed by ${held}`);
      }
      for (const { base, next } of prepared) {
        const current = this.#tables.get(identText(next.ident))?.metadataLocation;
        if (current !== base?.metadataLocation) return lostRace(next.ident);
      }
      if (claim !== undefined) this.#claims.set(claim.key, claim.value);
      for (const { next } of prepared) {
        const { ident, metadataLocation } = next;
        this.#tables.set(identText(ident), { ident, metadataLocation });
        this.namespaces.ensure(ident.namespace);
        this.#files.remember(metadataLocation, next.metadata);
      }
      await deleteForgotten(this.#io, prepared);
      return { outcome: "committed", tables: prepared.map(({ next }) => next) };
    });
  }

  async registerTable(ident: TableIdent, metadataLocation: string): Promise<LoadedTable> {
    checkIdent(ident);
    const metadata = await this.#files.load(metadataLocation);
    if (this.#tables.has(identText(ident))) throw nameTaken(ident);
    this.namespaces.ensure(ident.namespace);
    this.#tables.set(identText(ident), { ident, metadataLocation });
    return { ident, metadata, metadataLocation };
  }

  async renameTable(from: TableIdent, to: TableIdent): Promise<void> {
    checkIdent(to);
    const table = this.#tables.get(identText(from));
    if (table === undefined) throw noTable(from);
    if (this.#tables.has(identText(to))) throw nameTaken(to);
    this.namespaces.ensure(to.namespace);
    this.#tables.delete(identText(from));
    this.#tables.set(identText(to), { ...table, ident: to });
  }

  async dropTable(ident: TableIdent, purge: boolean): Promise<void> {
    const table = await this.loadTable(ident);
    if (table === null) throw noTable(ident);
    const files = purge ? await ownFiles(this.#io, table) : [];
    if (purge) this.#checkSole(table);
    this.#tables.delete(identText(ident));
    await deleteFiles(this.#io, files);
  }

  /** @throws FrazilError `conflict` when the table has moved on, or another one lies in the same folder. */
  #checkSole({ ident, metadata, metadataLocation }: LoadedTable): void {
    if (this.#tables.get(identText(ident))?.metadataLocation !== metadataLocation) throw movedOn(ident);
    for (const other of this.#tables.values()) {
      const isInside = other.metadataLocation.startsWith(`${metadata.location}/`);
      if (isInside && identText(other.ident) !== identText(ident)) throw sharedFolder(ident, identText(other.ident));
    }
  }

  async readClaim(key: string): Promise<string | null> {
    return this.#claims.get(key) ?? null;
  }

  async listClaims(prefix: string): Promise<readonly Claim[]> {
    return [...this.#claims].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => ({ key, value }));
  }

  async close(): Promise<void> {}
}
