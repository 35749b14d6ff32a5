import { parseJson } from "../../json/exact-json.ts";
import { JsonFields } from "../../json/fields.ts";
import { TOKEN_EARLY_MS } from "../../limits.ts";
import { identText, type TableIdent } from "../catalog.ts";
import { refusal } from "./rest-errors.ts";
import { ROUTES } from "./server-config.ts";
import type { RestSession } from "./session.ts";
import { type LentCredential, parseCredentials, parseTableAnswer, refuseRemoteSigning } from "./table-answer.ts";

/** Asks the catalog to lend access to the store with each answer about a table. */
export const DELEGATION = { "X-Iceberg-Access-Delegation": "vended-credentials" } as const;

interface Borrower {
  readonly ident: TableIdent;
  /** Where the table lies, without a trailing slash. */
  readonly location: string;
  readonly lent: readonly LentCredential[];
}

/** What a table's files lie in; the folders above are its name. */
const FILES = /^(data|metadata)$/;

/** The access to stores that a catalog lends, table by table, renewed before it ends. */
export class Lending {
  readonly #session: RestSession;
  readonly #warehouse: string;
  readonly #nowMs: () => number;
  readonly #borrowers = new Map<string, Borrower>();
  readonly #asking = new Map<string, Promise<Borrower>>();

  /** @param warehouseLocation what stands before the namespace in a new table's location. */
  constructor(session: RestSession, warehouseLocation: string, nowMs: () => number) {
    this.#session = session;
    this.#warehouse = warehouseLocation.replace(/\/+$/, "");
    this.#nowMs = nowMs;
  }

  /**
   * Keeps what an answer about a table lends; not every answer does.
   * @throws FrazilError `unsupported` where the catalog wants to sign requests itself.
   */
  take(ident: TableIdent, location: string, lent: readonly LentCredential[]): void {
    if (lent.length > 0) this.#keep(ident, location, lent);
  }

  #keep(ident: TableIdent, location: string, lent: readonly LentCredential[]): Borrower {
    refuseRemoteSigning(lent, identText(ident));
    const borrower = { ident, location: location.replace(/\/+$/, ""), lent };
    this.#borrowers.set(identText(ident), borrower);
    return borrower;
  }

  forget(ident: TableIdent): void {
    this.#borrowers.delete(identText(ident));
  }

  /**
   * What is lent for a file; null: nothing, as for what belongs to no table.
   * @throws FrazilError when the catalog does not answer or refuses.
   */
  async lend(location: string): Promise<LentCredential | null> {
    const held = [...this.#borrowers.values()].find((each) => isBelow(location, each.location));
    const ident = held?.ident ?? this.#identAt(location);
    if (ident === null) return null;
    const lent = held === undefined ? null : longest(held.lent, location);
    // A table that lends nothing is not asked again for each file.
    if (held !== undefined && (lent === null || !this.#endsSoon(lent))) return lent;
    return longest((await this.#ask(ident, held?.location ?? null)).lent, location);
  }

  #endsSoon({ properties }: LentCredential): boolean {
    const end = Number(properties.get("s3.session-token-expires-at-ms") ?? Number.POSITIVE_INFINITY);
    return this.#nowMs() >= end - TOKEN_EARLY_MS;
  }

  /** Requests for one table that come together share an answer. */
  #ask(ident: TableIdent, location: string | null): Promise<Borrower> {
    const key = identText(ident);
    const asking = this.#asking.get(key) ?? this.#renew(ident, location).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #renew(ident: TableIdent, location: string | null): Promise<Borrower> {
    const { config, paths } = await this.#session.open();
    const what = `borrow access to ${identText(ident)}`;
    const path = paths.table(ident);
    if (location !== null && config.endpoints.has(ROUTES.credentials)) {
      const answer = await this.#session.repeated({ method: "GET", path: `${path}/credentials`, what });
      if (answer.status !== 200) throw refusal(answer, what);
      return this.#keep(ident, location, parseCredentials(new JsonFields(parseJson(answer.text), what)));
    }
    const loaded = await this.#session.repeated({ method: "GET", path, headers: DELEGATION, what });
    if (loaded.status === 404) return this.#stage(ident, what);
    if (loaded.status !== 200) throw refusal(loaded, what);
    const { table, lent } = parseTableAnswer(loaded.text, ident);
    return this.#keep(ident, table.metadata.location, lent);
  }

  /**
   * A table that is yet to be created is staged, which leaves nothing behind: its first manifest list is written before the commit
   * that creates it. Of the schema nothing is kept.
   */
  async #stage(ident: TableIdent, what: string): Promise<Borrower> {
    const { paths } = await this.#session.open();
    const location = [this.#warehouse, ...ident.namespace, ident.name].join("/");
    const answer = await this.#session.repeated({
      method: "POST",
      path: paths.tables(ident.namespace),
      headers: DELEGATION,
      body: {
        name: ident.name,
        location,
        schema: { type: "struct", "schema-id": 0n, fields: [] },
        "stage-create": true,
      },
      what,
    });
    if (answer.status !== 200) throw refusal(answer, what);
    return this.#keep(ident, location, parseTableAnswer(answer.text, ident).lent);
  }

  /** The table whose default location a file lies in. */
  #identAt(location: string): TableIdent | null {
    if (!location.startsWith(`${this.#warehouse}/`)) return null;
    const names = location.slice(this.#warehouse.length + 1).split("/");
    const end = names.findIndex((name, i) => i >= 2 && FILES.test(name));
    // What begins with an underscore at the top is the engine's own.
    if (end === -1 || names[0]?.startsWith("_") === true) return null;
    return { namespace: names.slice(0, end - 1), name: names[end - 1] as string };
  }
}

function isBelow(location: string, prefix: string): boolean {
  return location === prefix || location.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
}

/** Of several that fit, the one for the longest prefix counts (REST spec, `StorageCredential`). */
function longest(lent: readonly LentCredential[], location: string): LentCredential | null {
  const fitting = lent.filter(({ prefix }) => isBelow(location, prefix));
  return fitting.toSorted((a, b) => b.prefix.length - a.prefix.length)[0] ?? null;
}
