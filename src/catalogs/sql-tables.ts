import {
  type Claim,
  type Conflict,
  conflictOutcome,
  identText,
  type LoadedTable,
  lostRace,
  movedOn,
  nameTaken,
  noTable,
  type PreparedChange,
  sharedFolder,
  type TableIdent,
} from "../../table-format/index.ts";
import { must } from "../core/errors.ts";
import { beginsWith, query, type SqlSteps } from "./sql-steps.ts";

const KEY = "catalog_name = ? AND table_namespace = ? AND table_name = ?";
/** NULL from before the column, as both other implementations read it; views are not ours. */
const IS_TABLE = "(iceberg_type = 'TABLE' OR iceberg_type IS NULL)";

/** The property by which Java and PyIceberg mark a namespace that has no other; it is not shown. */
export const EXISTS = "exists";

/** Rows of `iceberg_tables` that name a catalog's tables or its views. */
export type EntryKind = "table" | "view";

/** The names in a namespace. */
export function* entryNames(catalog: string, namespace: string, kind: EntryKind): SqlSteps<readonly string[]> {
  const rows = yield* query(
    `SELECT table_name FROM iceberg_tables
     WHERE catalog_name = ? AND table_namespace = ? AND ${kind === "table" ? IS_TABLE : "iceberg_type = 'VIEW'"}`,
    catalog,
    namespace,
  );
  return rows.map((row) => String(row["table_name"])).toSorted();
}

/** Where a table's current metadata file is; null: there is no such table. */
export function* pointer(catalog: string, ident: TableIdent): SqlSteps<string | null> {
  const [row] = yield* query(
    `SELECT metadata_location FROM iceberg_tables WHERE ${KEY} AND ${IS_TABLE}`,
    ...key(catalog, ident),
  );
  return row === undefined ? null : String(row["metadata_location"]);
}

/**
 * Moves the rows of all tables of a commit on, with its claim; the reason why not. Rows are taken in one order whoever commits, so that two
 * commits wait for each other and never both.
 */
export function* swapAll(
  catalog: string,
  prepared: readonly PreparedChange[],
  claim: Claim | undefined,
): SqlSteps<Conflict | null> {
  const ordered = prepared.toSorted((a, b) => (identText(a.next.ident) < identText(b.next.ident) ? -1 : 1));
  if (claim !== undefined) {
    const refusal = yield* recordClaim(catalog, must(prepared[0], "one change").next.ident, claim);
    if (refusal !== null) return refusal;
  }
  for (const { base, next } of ordered) {
    if (base === null) yield* markNamespace(catalog, next.ident.namespace);
  }
  for (const change of ordered) {
    const refusal = yield* swapOne(catalog, change);
    if (refusal !== null) return refusal;
  }
  return null;
}

/** Moves one row on, if it still names what the change was built on. */
function* swapOne(catalog: string, { base, next }: PreparedChange): SqlSteps<Conflict | null> {
  const { ident, metadataLocation } = next;
  if (base === null) {
    const isNew = yield* insertTable(catalog, ident, metadataLocation);
    return isNew ? null : conflictOutcome(ident, `${identText(ident)} exists already`);
  }
  const moved = yield* query(
    `UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
     WHERE ${KEY} AND ${IS_TABLE} AND metadata_location = ? RETURNING table_name`,
    metadataLocation,
    base.metadataLocation,
    ...key(catalog, ident),
    base.metadataLocation,
  );
  return moved.length === 1 ? null : lostRace(ident);
}

/** A refusal when the claim is held with another value; else records it. */
function* recordClaim(catalog: string, table: TableIdent, claim: Claim): SqlSteps<Conflict | null> {
  yield* query(
    `INSERT INTO frazil_claims (catalog_name, claim_key, claim_value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
    catalog,
    claim.key,
    claim.value,
  );
  const held = yield* claimValue(catalog, claim.key);
  return held === claim.value ? null : conflictOutcome(table, `${claim.key} is claimed by ${held}`);
}

/** The value under a claim's key, or null. */
export function* claimValue(catalog: string, claimKey: string): SqlSteps<string | null> {
  const [row] = yield* query(
    "SELECT claim_value FROM frazil_claims WHERE catalog_name = ? AND claim_key = ?",
    catalog,
    claimKey,
  );
  return row === undefined ? null : String(row["claim_value"]);
}

/** All claims whose key starts with `prefix`. */
export function* claimsBelow(catalog: string, prefix: string): SqlSteps<readonly Claim[]> {
  const rows = yield* query(
    `SELECT claim_key, claim_value FROM frazil_claims
     WHERE catalog_name = ? AND ${beginsWith("claim_key")}`,
    catalog,
    prefix,
    prefix,
  );
  return rows
    .map((row) => ({ key: String(row["claim_key"]), value: String(row["claim_value"]) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** Notes that a namespace is there, if nothing says so yet. */
export function* markNamespace(catalog: string, namespace: readonly string[]): SqlSteps<null> {
  yield* query(
    `INSERT INTO iceberg_namespace_properties (catalog_name, namespace, property_key, property_value)
     VALUES (?, ?, '${EXISTS}', 'true') ON CONFLICT DO NOTHING`,
    catalog,
    namespace.join("."),
  );
  return null;
}

/** Puts a new table in; false when a table or a view has the name. */
function* insertTable(catalog: string, ident: TableIdent, metadataLocation: string): SqlSteps<boolean> {
  const inserted = yield* query(
    `INSERT INTO iceberg_tables
     (catalog_name, table_namespace, table_name, metadata_location, previous_metadata_location, iceberg_type)
     VALUES (?, ?, ?, ?, NULL, 'TABLE') ON CONFLICT DO NOTHING RETURNING table_name`,
    ...key(catalog, ident),
    metadataLocation,
  );
  return inserted.length === 1;
}

/** @throws FrazilError `conflict` when the name is taken. */
export function* register(catalog: string, ident: TableIdent, metadataLocation: string): SqlSteps<null> {
  yield* markNamespace(catalog, ident.namespace);
  if (!(yield* insertTable(catalog, ident, metadataLocation))) throw nameTaken(ident);
  return null;
}

/** @throws FrazilError `not-found`; `conflict` when the new name is taken. */
export function* rename(catalog: string, from: TableIdent, to: TableIdent): SqlSteps<null> {
  if ((yield* pointer(catalog, from)) === null) throw noTable(from);
  const taken = yield* query(`SELECT table_name FROM iceberg_tables WHERE ${KEY}`, ...key(catalog, to));
  if (taken.length > 0) throw nameTaken(to);
  yield* markNamespace(catalog, to.namespace);
  const moved = yield* query(
    `UPDATE iceberg_tables SET table_namespace = ?, table_name = ? WHERE ${KEY} AND ${IS_TABLE} RETURNING table_name`,
    to.namespace.join("."),
    to.name,
    ...key(catalog, from),
  );
  if (moved.length === 0) throw noTable(from);
  return null;
}

/** @throws FrazilError `not-found`. */
export function* drop(catalog: string, ident: TableIdent): SqlSteps<null> {
  const dropped = yield* query(
    `DELETE FROM iceberg_tables WHERE ${KEY} AND ${IS_TABLE} RETURNING table_name`,
    ...key(catalog, ident),
  );
  if (dropped.length === 0) throw noTable(ident);
  return null;
}

/** Drops a table whose files will be deleted. @throws FrazilError `conflict` when it has moved on, or another one lies in its folder. */
export function* dropForPurge(catalog: string, { ident, metadata, metadataLocation }: LoadedTable): SqlSteps<null> {
  const folder = `${metadata.location}/`;
  const inside = yield* query(
    `SELECT catalog_name, table_namespace, table_name FROM iceberg_tables
     WHERE ${beginsWith("metadata_location")}`,
    folder,
    folder,
  );
  const own = key(catalog, ident);
  const other = inside
    .map((row) => [row["catalog_name"], row["table_namespace"], row["table_name"]].map(String))
    .find((names) => names.some((name, i) => name !== own[i]));
  if (other !== undefined) throw sharedFolder(ident, `${other[1]}.${other[2]} of the catalog ${other[0]}`);
  const dropped = yield* query(
    `DELETE FROM iceberg_tables WHERE ${KEY} AND ${IS_TABLE} AND metadata_location = ? RETURNING table_name`,
    ...own,
    metadataLocation,
  );
  if (dropped.length === 0) throw movedOn(ident);
  return null;
}

function key(catalog: string, ident: TableIdent): [string, string, string] {
  return [catalog, ident.namespace.join("."), ident.name];
}
