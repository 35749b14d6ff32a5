import type { TableMetadata } from "../metadata/table-metadata.ts";
import type { TableRequirement, TableUpdate } from "../metadata/updates.ts";

/** Names a table: namespace levels and the table's own name. Printed with dots. */
export interface TableIdent {
  readonly namespace: readonly string[];
  readonly name: string;
}

export interface LoadedTable {
  readonly ident: TableIdent;
  readonly metadata: TableMetadata;
  readonly metadataLocation: string;
  /** The branch that stands in for `main` here, and `main` for it; absent: refs are as the table names them. */
  readonly branch?: string | undefined;
}

/** Requirements and updates of one table, applied together or not at all. `assert-create` makes it a creation. */
export interface TableChange {
  readonly ident: TableIdent;
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
}

/**
 * What is known after one attempt.
 * - `committed`: every change is in effect; `tables` in the order of the changes.
 * - `conflict`: certainly nothing took effect; a requirement failed (`requirement` set) or another commit won the race.
 * - `unknown`: the request may or may not have taken effect, now or later. Delete nothing; reload and look for your own snapshot id.
 */
export type CommitOutcome =
  | { readonly outcome: "committed"; readonly tables: readonly LoadedTable[] }
  | {
      readonly outcome: "conflict";
      readonly table: TableIdent;
      readonly requirement: TableRequirement | null;
      readonly message: string;
    }
  | { readonly outcome: "unknown"; readonly cause: unknown };

/** A name recorded once, with the commit that makes it true: `value` is put under `key` if that is absent, else the commit is a conflict unless equal. */
export interface Claim {
  readonly key: string;
  readonly value: string;
}

/**
 * Names to table metadata, swapped atomically. Reading throws `FrazilError` (`not-found`, `unavailable`, `corrupt`, `unsupported` for format versions above 3).
 */
export interface Catalog {
  readonly name: string;
  /** Whether `commit` applies a list of several changes all or nothing. Where false, `commit` takes exactly one change. */
  readonly atomicAcrossTables: boolean;
  listNamespaces(): Promise<readonly (readonly string[])[]>;
  /** Creates the namespace if it is absent. */
  ensureNamespace(namespace: readonly string[]): Promise<void>;
  listTables(namespace: readonly string[]): Promise<readonly TableIdent[]>;
  /** Null when there is no such table. */
  loadTable(ident: TableIdent): Promise<LoadedTable | null>;
  /** Where a new table lies: `<warehouse>/<namespace>/<table>`. */
  defaultLocation(ident: TableIdent): string;
  /**
   * One attempt, never repeated inside. `claim` only where `claims` is true.
   * @throws FrazilError kind `data` or `unsupported` for updates that are invalid whatever the state; everything else is an outcome.
   */
  commit(changes: readonly TableChange[], claim?: Claim): Promise<CommitOutcome>;
  /** Whether claims are recorded in the committing transaction. */
  readonly claims: boolean;
  /** The value recorded under a claim's key, or null. Only where `claims` is true. */
  readClaim(key: string): Promise<string | null>;
  /** All claims whose key starts with `prefix`. Only where `claims` is true. */
  listClaims(prefix: string): Promise<readonly Claim[]>;
  close(): Promise<void>;
}

/** The table of a text as `identText` writes it; without a namespace where there is no dot. */
export function parseIdent(text: string): TableIdent {
  const namespace = text.split(".");
  const name = namespace.pop() ?? "";
  return { namespace, name };
}

/** `namespace.table` as people write it. */
export function identText(ident: TableIdent): string {
  return [...ident.namespace, ident.name].join(".");
}
