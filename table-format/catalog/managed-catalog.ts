import type { Catalog, LoadedTable, TableIdent } from "./catalog.ts";

/** The namespaces of a catalog: what they say of themselves, and the views in them. */
export interface CatalogNamespaces {
  /** Null when there is no such namespace. */
  properties(namespace: readonly string[]): Promise<ReadonlyMap<string, string> | null>;
  /** Creates a namespace; false when it was there, with the properties it has. */
  create(namespace: readonly string[], properties: ReadonlyMap<string, string>): Promise<boolean>;
  /** Sets and removes properties. @throws FrazilError `not-found`. */
  change(
    namespace: readonly string[],
    updates: ReadonlyMap<string, string>,
    removals: readonly string[],
  ): Promise<void>;
  /** Drops an empty namespace. @throws FrazilError `not-found`; `conflict` while a table, a view or a namespace is in it. */
  drop(namespace: readonly string[]): Promise<void>;
  /** The views of other engines: their names are taken, and they are nobody's tables. */
  views(namespace: readonly string[]): Promise<readonly TableIdent[]>;
}

/** A catalog together with what is done to tables as a whole. */
export interface ManagedCatalog extends Catalog {
  readonly namespaces: CatalogNamespaces;
  /**
   * Names a metadata file that exists as a new table.
   * @throws FrazilError `conflict` when the name is taken, and as for reading metadata.
   */
  registerTable(ident: TableIdent, metadataLocation: string): Promise<LoadedTable>;
  /** Its files stay where they are. @throws FrazilError `not-found`; `conflict` when the new name is taken. */
  renameTable(from: TableIdent, to: TableIdent): Promise<void>;
  /**
   * @param purge whether the table's files are deleted too: those that it names and that lie in its own folders.
   * @throws FrazilError `not-found`; with `purge` `config`, code `GC_DISABLED`, for a table whose files are not its own, and `conflict` when
   *   somebody commits to the table meanwhile. Then it is not dropped.
   */
  dropTable(ident: TableIdent, purge: boolean): Promise<void>;
}
