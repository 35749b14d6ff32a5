import { FrazilError, must } from "../../errors.ts";
import { REST_ATTEMPTS, REST_FIRST_PAUSE_MS } from "../../limits.ts";
import {
  type Catalog,
  type Claim,
  type CommitOutcome,
  identText,
  type LoadedTable,
  type TableChange,
  type TableIdent,
} from "../catalog.ts";
import { attemptCommit, checkChanges, conflictOutcome } from "../commit-file.ts";
import { checkIdent, tableLocation } from "../ident.ts";
import { changeJson, identJson } from "./changes-json.ts";
import { checkBeforeSending, holdsSnapshots, unmetRequirement } from "./commit-check.ts";
import type { RestAnswer, RestContext } from "./http.ts";
import { idempotencyKey } from "./idempotency.ts";
import { KnownTables } from "./known-tables.ts";
import { DELEGATION, Lending } from "./lending.ts";
import { RestNamespaces } from "./namespaces.ts";
import { errorModel, refusal } from "./rest-errors.ts";
import { ROUTES } from "./server-config.ts";
import { type RestRequest, RestSession, type RestSettings } from "./session.ts";
import { type LentCredential, parseTableAnswer } from "./table-answer.ts";

export interface RestCatalogOptions extends RestSettings {
  readonly name: string;
  /** New tables lie at `<warehouseLocation>/<namespace>/<table>`. */
  readonly warehouseLocation: string;
  /**
   * Whether the server applies a commit over several tables all or nothing. The spec asks for it, and races show only that a server does not:
   * Apache's own reference server checks all tables first and then commits them one after the other. Default: false.
   */
  readonly transactions?: boolean | undefined;
  /** Whether the catalog is asked to lend access to the store. Default: false. */
  readonly vendedCredentials?: boolean | undefined;
}

/** What a server answers where the table, or the namespace above it, does not exist. Another 404 is about something else. */
const NO_SUCH_TABLE = /NoSuch(Iceberg)?(Table|Namespace)|NotFound/;

/** A server that speaks the Iceberg REST protocol (spec: `rest-catalog-open-api.yaml`). Nothing is sent before the first call. */
export class RestCatalog implements Catalog {
  readonly name: string;
  readonly atomicAcrossTables: boolean;
  readonly claims = false;
  readonly namespaces: RestNamespaces;
  readonly #options: RestCatalogOptions;
  readonly #context: RestContext;
  readonly #session: RestSession;
  readonly #known = new KnownTables();
  readonly #lending: Lending | null;
  readonly #delegation: Readonly<Record<string, string>>;

  constructor(options: RestCatalogOptions, context: RestContext) {
    this.name = options.name;
    this.atomicAcrossTables = options.transactions === true;
    this.#options = options;
    this.#context = context;
    this.#session = new RestSession(options, context);
    this.namespaces = new RestNamespaces(this.#session);
    this.#lending =
      options.vendedCredentials === true
        ? new Lending(this.#session, options.warehouseLocation, () => context.nowMs())
        : null;
    this.#delegation = this.#lending === null ? {} : DELEGATION;
  }

  listNamespaces(): Promise<readonly (readonly string[])[]> {
    return this.namespaces.list();
  }

  ensureNamespace(namespace: readonly string[]): Promise<void> {
    return this.namespaces.ensure(namespace);
  }

  listTables(namespace: readonly string[]): Promise<readonly TableIdent[]> {
    return this.namespaces.tables(namespace);
  }

  defaultLocation(ident: TableIdent): string {
    return tableLocation(this.#options.warehouseLocation, ident);
  }

  async loadTable(ident: TableIdent): Promise<LoadedTable | null> {
    checkIdent(ident);
    const { paths } = await this.#session.open();
    const known = this.#known.get(ident);
    const what = `load ${identText(ident)}`;
    const answer = await this.#session.repeated({
      method: "GET",
      path: paths.table(ident),
      headers: { ...this.#delegation, ...(known?.etag == null ? {} : { "If-None-Match": known.etag }) },
      what,
    });
    if (answer.status === 304 && known !== null) return known.table;
    if (answer.status === 404 && NO_SUCH_TABLE.test(errorModel(answer).type)) {
      this.#known.forget(ident);
      return null;
    }
    if (answer.status !== 200) throw refusal(answer, what);
    return this.#take(answer, ident);
  }

  /** Access to the store that the catalog lends for a file; null: nothing is lent, or not asked for (`vendedCredentials`). */
  async lend(location: string): Promise<LentCredential | null> {
    return (await this.#lending?.lend(location)) ?? null;
  }

  async commit(changes: readonly TableChange[], claim?: Claim): Promise<CommitOutcome> {
    checkChanges(changes);
    for (const change of changes) checkIdent(change.ident);
    if (claim !== undefined) throw new FrazilError("unsupported", "NO_CLAIMS", "a REST catalog records no claims");
    return attemptCommit(async () => {
      const request = await this.#commitRequest(changes);
      for (const change of changes) {
        if (change.requirements.some(({ type }) => type === "assert-create")) {
          await this.namespaces.ensure(change.ident.namespace);
        }
        const known = this.#known.get(change.ident)?.table ?? null;
        const load = (): Promise<LoadedTable | null> => this.loadTable(change.ident);
        const conflict = await checkBeforeSending(change, known, load, this.#context.nowMs());
        if (conflict !== null) return conflict;
      }
      const { answer, lostOne } = await this.#sendOnce(request);
      return this.#outcome(changes, answer, lostOne);
    });
  }

  async #commitRequest(changes: readonly TableChange[]): Promise<RestRequest> {
    const { config, paths } = await this.#session.open();
    const only = must(changes[0], "one change");
    if (changes.length === 1) {
      const what = `commit to ${identText(only.ident)}`;
      return { method: "POST", path: paths.table(only.ident), headers: this.#delegation, body: changeJson(only), what };
    }
    if (!this.atomicAcrossTables || !config.endpoints.has(ROUTES.transaction)) {
      const message = `${this.#session.uri} commits one table at a time`;
      throw new FrazilError("unsupported", "ONE_TABLE_ONLY", message);
    }
    const what = `commit to ${changes.map(({ ident }) => identText(ident)).join(", ")}`;
    const body = { "table-changes": changes.map(changeJson) };
    return { method: "POST", path: paths.transaction(), body, what };
  }

  /**
   * Sends a request that changes something: once, unless the server tells repeated requests by their keys.
   * @returns the answer, and whether an earlier attempt was left without one.
   */
  async #sendOnce(request: RestRequest): Promise<{ answer: RestAnswer; lostOne: boolean }> {
    const { config } = await this.#session.open();
    if (!config.idempotent) return { answer: await this.#session.once(request), lostOne: false };
    const key = idempotencyKey(this.#context.nowMs(), this.#context.uuid());
    const keyed = { ...request, headers: { ...request.headers, "Idempotency-Key": key } };
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.#session.once(keyed);
        if (answer.status < 500 || attempt === REST_ATTEMPTS) return { answer, lostOne: attempt > 1 };
      } catch (error) {
        if (!(error instanceof FrazilError) || error.kind !== "unavailable" || attempt === REST_ATTEMPTS) throw error;
      }
      await this.#context.sleep(REST_FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  }

  async #outcome(changes: readonly TableChange[], answer: RestAnswer, lostOne: boolean): Promise<CommitOutcome> {
    const first = must(changes[0], "one change").ident;
    const what = `commit to ${changes.map(({ ident }) => identText(ident)).join(", ")}`;
    if (answer.status === 200 && changes.length === 1) {
      try {
        return { outcome: "committed", tables: [this.#take(answer, first)] };
      } catch (cause) {
        // It is in effect, and what it made cannot be read: the caller loads.
        return { outcome: "unknown", cause };
      }
    }
    if (answer.status === 200 || answer.status === 204) {
      const tables = await Promise.all(changes.map(({ ident }) => this.loadTable(ident)));
      const found = tables.filter((table) => table !== null);
      if (found.length === tables.length) return { outcome: "committed", tables: found };
      return { outcome: "unknown", cause: new Error(`${what}: a table is gone already`) };
    }
    // An answer to a repeated request says nothing of the attempt that was lost.
    if (lostOne) return { outcome: "unknown", cause: refusal(answer, what) };
    if (answer.status !== 409 && answer.status !== 404) throw refusal(answer, what);
    return this.#refused(changes, answer);
  }

  /** After a 409: what the tables say now. */
  async #refused(changes: readonly TableChange[], answer: RestAnswer): Promise<CommitOutcome> {
    const tables = await Promise.all(changes.map(({ ident }) => this.loadTable(ident).catch(() => null)));
    // A proxy that repeated the request turned our own success into a conflict with ourselves.
    if (changes.every((change, i) => holdsSnapshots(change, tables[i] ?? null))) {
      return { outcome: "committed", tables: tables.map((table) => must(table, "a table that holds our snapshot")) };
    }
    for (const [i, change] of changes.entries()) {
      const unmet = unmetRequirement(change, tables[i] ?? null);
      if (unmet !== null && (tables[i] ?? null) !== null) return unmet;
    }
    const { message } = errorModel(answer);
    return conflictOutcome(must(changes[0], "one change").ident, `the catalog answered ${answer.status}: ${message}`);
  }

  /** Names a metadata file that exists as a new table. @throws FrazilError `conflict` when the name is taken. */
  async registerTable(ident: TableIdent, metadataLocation: string): Promise<LoadedTable> {
    checkIdent(ident);
    const { paths } = await this.#route(ROUTES.register);
    const what = `register ${identText(ident)}`;
    const body = { name: ident.name, "metadata-location": metadataLocation };
    const { answer } = await this.#sendOnce({ method: "POST", path: paths.register(ident.namespace), body, what });
    if (answer.status !== 200) throw refusal(answer, what);
    return this.#take(answer, ident);
  }

  /** Its files stay where they are. @throws FrazilError `not-found`; `conflict` when the new name is taken. */
  async renameTable(from: TableIdent, to: TableIdent): Promise<void> {
    checkIdent(from);
    checkIdent(to);
    const { paths } = await this.#route(ROUTES.rename);
    const what = `rename ${identText(from)} to ${identText(to)}`;
    const body = { source: identJson(from), destination: identJson(to) };
    const { answer } = await this.#sendOnce({ method: "POST", path: paths.rename(), body, what });
    this.#known.forget(from);
    this.#lending?.forget(from);
    if (answer.status !== 204 && answer.status !== 200) throw refusal(answer, what);
  }

  /**
   * @param purge whether the server is asked to delete the table's files too.
   * @throws FrazilError `not-found`.
   */
  async dropTable(ident: TableIdent, purge: boolean): Promise<void> {
    checkIdent(ident);
    const { paths } = await this.#session.open();
    const what = `drop ${identText(ident)}`;
    const query = { purgeRequested: String(purge) };
    const { answer } = await this.#sendOnce({ method: "DELETE", path: paths.table(ident), query, what });
    this.#known.forget(ident);
    this.#lending?.forget(ident);
    if (answer.status !== 204 && answer.status !== 200 && answer.status !== 202) throw refusal(answer, what);
  }

  async readClaim(): Promise<string | null> {
    return null;
  }

  async listClaims(): Promise<readonly Claim[]> {
    return [];
  }

  async close(): Promise<void> {}

  async #route(route: string): Promise<Awaited<ReturnType<RestSession["open"]>>> {
    const opened = await this.#session.open();
    if (opened.config.endpoints.has(route)) return opened;
    throw new FrazilError("unsupported", "REST_NOT_IMPLEMENTED", `${this.#session.uri} does not offer ${route}`);
  }

  #take(answer: RestAnswer, ident: TableIdent): LoadedTable {
    const { table, lent } = parseTableAnswer(answer.text, ident);
    this.#lending?.take(ident, table.metadata.location, lent);
    this.#known.remember(table, answer.header("ETag"));
    return table;
  }
}
