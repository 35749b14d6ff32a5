import { identText, type LoadedTable, type TableIdent } from "../catalog.ts";

/** Tables kept per catalog: those of a job. */
const MAX_KNOWN_TABLES = 64;

interface Known {
  readonly table: LoadedTable;
  readonly etag: string | null;
}

/** What the catalog last said of each table, so that one that has not moved is not sent again. */
export class KnownTables {
  readonly #tables = new Map<string, Known>();

  get(ident: TableIdent): Known | null {
    return this.#tables.get(identText(ident)) ?? null;
  }

  /** @param etag of the answer; null: it had none. */
  remember(table: LoadedTable, etag: string | null): void {
    const key = identText(table.ident);
    this.#tables.delete(key);
    this.#tables.set(key, { table, etag });
    if (this.#tables.size > MAX_KNOWN_TABLES) this.#tables.delete(this.#tables.keys().next().value as string);
  }

  forget(ident: TableIdent): void {
    this.#tables.delete(identText(ident));
  }
}
