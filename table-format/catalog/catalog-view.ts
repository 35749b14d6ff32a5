import type { Catalog } from "./catalog.ts";

/** A catalog that does some things in its own way, and leaves the others to the one behind it. */
export function catalogView(whole: Catalog, own: Partial<Catalog>): Catalog {
  // One by one: the methods of an instance are none of its own properties, so that spreading it gives nothing.
  return {
    name: whole.name,
    atomicAcrossTables: whole.atomicAcrossTables,
    claims: whole.claims,
    listNamespaces: () => whole.listNamespaces(),
    ensureNamespace: (namespace) => whole.ensureNamespace(namespace),
    listTables: (namespace) => whole.listTables(namespace),
    loadTable: (ident) => whole.loadTable(ident),
    defaultLocation: (ident) => whole.defaultLocation(ident),
    commit: (changes, claim) => whole.commit(changes, claim),
    readClaim: (key) => whole.readClaim(key),
    listClaims: (prefix) => whole.listClaims(prefix),
    close: () => whole.close(),
    ...own,
  };
}
