import { FrazilError } from "../errors.ts";
import { identText, type TableIdent } from "./catalog.ts";

/** There is no such table to drop or rename. */
export function noTable(ident: TableIdent): FrazilError {
  return new FrazilError("not-found", "TABLE_NOT_FOUND", `there is no table ${identText(ident)}`);
}

/** Two names of one table, as after registering it twice: its files go with none of them. */
export function sharedFolder(ident: TableIdent, other: string): FrazilError {
  const message = `${identText(ident)} is not purged: ${other} lies in the same folder`;
  return new FrazilError("conflict", "SHARED_FOLDER", message, { hint: "drop it without purging its files" });
}

/** A table is not put in another's place. */
export function nameTaken(ident: TableIdent): FrazilError {
  return new FrazilError("conflict", "TABLE_EXISTS", `${identText(ident)} exists already`);
}

/** A table is not purged by a list of its files that is old. */
export function movedOn(ident: TableIdent): FrazilError {
  return new FrazilError("conflict", "TABLE_MOVED", `somebody has committed to ${identText(ident)} meanwhile`, {
    hint: "end the jobs that write to it and try again",
  });
}

/** There is no such namespace. */
export function namespaceMissing(namespace: readonly string[]): FrazilError {
  return new FrazilError("not-found", "NAMESPACE_NOT_FOUND", `there is no namespace ${namespace.join(".")}`);
}

/** Only an empty namespace is dropped. */
export function namespaceNotEmpty(namespace: readonly string[]): FrazilError {
  const message = `namespace ${namespace.join(".")} is not empty: it holds tables, views or namespaces`;
  return new FrazilError("conflict", "NAMESPACE_NOT_EMPTY", message, { hint: "drop or rename what is in it first" });
}
