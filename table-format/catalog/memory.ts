import { must } from "../errors.ts";
import type { FileIO } from "../io/file-io.ts";
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
  checkChanges,
  conflictOutcome,
  deleteForgotten,
  lostRace,
  type PreparedChange,
  prepareChange,
} from "./commit-file.ts";
import { checkNames, tableLocation } from "./ident.ts";
import { MetadataFiles } from "./metadata-files.ts";

/** A catalog that lives as long as the object, for tests and simulations; metadata files go to the storage as everywhere. */
export class MemoryCatalog implements Catalog {
  readonly name: string;
  readonly atomicAcrossTables = true;
  readonly claims = true;
  readonly #io: FileIO;
  readonly #warehouseLocation: string;
  readonly #context: CatalogContext;
  readonly #files: MetadataFiles;
  readonly #namespaces = new Map<string, readonly string[]>();
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
    return [...this.#namespaces.values()];
  }

  async ensureNamespace(namespace: readonly string[]): Promise<void> {
    checkNames(namespace);
    this.#namespaces.set(namespace.join("."), namespace);
  }

  async listTables(namespace: readonly string[]): Promise<readonly TableIdent[]> {
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
        this.#namespaces.set(ident.namespace.join("."), ident.namespace);
        this.#files.remember(metadataLocation, next.metadata);
      }
      await deleteForgotten(this.#io, prepared);
      return { outcome: "committed", tables: prepared.map(({ next }) => next) };
    });
  }

  async readClaim(key: string): Promise<string | null> {
    return this.#claims.get(key) ?? null;
  }

  async listClaims(prefix: string): Promise<readonly Claim[]> {
    return [...this.#claims].filter(([key]) => key.startsWith(prefix)).map(([key, value]) => ({ key, value }));
  }

  async close(): Promise<void> {}
}
