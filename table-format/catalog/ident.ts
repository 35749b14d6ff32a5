import { FrazilError } from "../errors.ts";
import { identText, type TableIdent } from "./catalog.ts";

/**
 * Names become folder names and, joined by dots, keys of a SQL catalog.
 * @throws FrazilError kind `config` for a name that is empty, holds a slash, dot or control character.
 */
export function checkNames(names: readonly string[]): void {
  for (const name of names) {
    // oxlint-disable-next-line no-control-regex
    if (name === "" || /[/\\.\u0000-\u001f\u007f]/.test(name)) {
      throw new FrazilError("config", "TABLE_NAME", `${JSON.stringify(name)} cannot name a namespace or a table`, {
        hint: "use a name without slashes, dots and control characters",
      });
    }
  }
}

/** As `checkNames`; a table also needs a namespace. */
export function checkIdent(ident: TableIdent): void {
  if (ident.namespace.length === 0) {
    throw new FrazilError("config", "TABLE_NAME", `table ${identText(ident)} has no namespace`, {
      hint: "name tables namespace.table",
    });
  }
  checkNames([...ident.namespace, ident.name]);
}

/** `<warehouse>/<namespace>/<table>`. */
export function tableLocation(warehouseLocation: string, ident: TableIdent): string {
  checkIdent(ident);
  return [warehouseLocation.replace(/\/+$/, ""), ...ident.namespace, ident.name].join("/");
}
