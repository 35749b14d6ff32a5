import { FrazilError } from "../../errors.ts";
import { parseJson } from "../../json/exact-json.ts";
import { JsonFields } from "../../json/fields.ts";
import { MAX_REST_PAGES, REST_PAGE_SIZE } from "../../limits.ts";
import type { TableIdent } from "../catalog.ts";
import { checkNames } from "../ident.ts";
import { errorModel, refusal } from "./rest-errors.ts";
import { ROUTES } from "./server-config.ts";
import type { RestRequest, RestSession } from "./session.ts";

/** The namespaces of a REST catalog, and the names in them. */
export class RestNamespaces {
  readonly #session: RestSession;
  /** Those that are known to be there: nobody drops the namespace of a table that is written to. */
  readonly #seen = new Set<string>();

  constructor(session: RestSession) {
    this.#session = session;
  }

  /** All of them, parents before children. */
  async list(): Promise<readonly (readonly string[])[]> {
    const found: (readonly string[])[] = [];
    const seen = new Set<string>();
    const pending: (readonly string[])[] = [[]];
    for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
      for (const levels of await this.#children(parent)) {
        // Servers of one level answer the same list whatever the parent.
        const key = levels.join("\u001f");
        if (seen.has(key) || levels.length !== parent.length + 1) continue;
        seen.add(key);
        found.push(levels);
        pending.push(levels);
      }
    }
    return found;
  }

  async #children(parent: readonly string[]): Promise<readonly (readonly string[])[]> {
    const { paths } = await this.#session.open();
    const pages = await this.#pages({
      method: "GET",
      path: paths.namespaces(),
      query: parent.length === 0 ? {} : { parent: paths.parent(parent) },
      what: "list namespaces",
    });
    return pages.flatMap((page) => page.array("namespaces").map((levels) => names(levels)));
  }

  /** The properties of a namespace; null when there is none. */
  async properties(namespace: readonly string[]): Promise<ReadonlyMap<string, string> | null> {
    const { paths } = await this.#session.open();
    const what = `read namespace ${namespace.join(".")}`;
    const answer = await this.#session.repeated({ method: "GET", path: paths.namespace(namespace), what });
    if (answer.status === 404) return null;
    if (answer.status !== 200) throw refusal(answer, what);
    const json = new JsonFields(parseJson(answer.text), what);
    return json.has("properties") ? json.strings("properties") : new Map();
  }

  /** Creates the namespace, and those above it, where they are missing. */
  async ensure(namespace: readonly string[]): Promise<void> {
    checkNames(namespace);
    const key = namespace.join(".");
    if (this.#seen.has(key)) return;
    if ((await this.properties(namespace)) === null) {
      if (namespace.length > 1) await this.ensure(namespace.slice(0, -1));
      await this.create(namespace, new Map());
    }
    this.#seen.add(key);
  }

  /** Creates a namespace; false when it was there, with the properties it has. */
  async create(namespace: readonly string[], properties: ReadonlyMap<string, string>): Promise<boolean> {
    const { paths } = await this.#session.open();
    const what = `create namespace ${namespace.join(".")}`;
    const body = { namespace, properties: Object.fromEntries(properties) };
    // Repeating it is harmless: a second attempt that finds the first one's effect is answered like somebody else's.
    const answer = await this.#session.repeated({ method: "POST", path: paths.namespaces(), body, what });
    if (answer.status === 409) return false;
    if (answer.status !== 200) throw refusal(answer, what);
    return true;
  }

  /** Sets and removes properties. */
  async change(
    namespace: readonly string[],
    updates: ReadonlyMap<string, string>,
    removals: readonly string[],
  ): Promise<void> {
    const { paths } = await this.#session.open();
    const what = `change the properties of namespace ${namespace.join(".")}`;
    const body = { updates: Object.fromEntries(updates), removals };
    const path = `${paths.namespace(namespace)}/properties`;
    const answer = await this.#session.repeated({ method: "POST", path, body, what });
    if (answer.status !== 200) throw refusal(answer, what);
  }

  /** Drops an empty namespace. @throws FrazilError `not-found`; `conflict` when it is not empty. */
  async drop(namespace: readonly string[]): Promise<void> {
    const { paths } = await this.#session.open();
    const what = `drop namespace ${namespace.join(".")}`;
    this.#seen.delete(namespace.join("."));
    const answer = await this.#session.once({ method: "DELETE", path: paths.namespace(namespace), what });
    if (answer.status !== 204 && answer.status !== 200) throw refusal(answer, what);
  }

  /** Empty for a namespace that is not there. */
  async tables(namespace: readonly string[]): Promise<readonly TableIdent[]> {
    const { paths } = await this.#session.open();
    return this.#identifiers(paths.tables(namespace), `list the tables of ${namespace.join(".")}`);
  }

  /** Empty where the catalog has no views. */
  async views(namespace: readonly string[]): Promise<readonly TableIdent[]> {
    const { config, paths } = await this.#session.open();
    if (!config.endpoints.has(ROUTES.views)) return [];
    return this.#identifiers(paths.views(namespace), `list the views of ${namespace.join(".")}`);
  }

  async #identifiers(path: string, what: string): Promise<readonly TableIdent[]> {
    const pages = await this.#pages({ method: "GET", path, what });
    return pages.flatMap((page) =>
      page.objects("identifiers").map((each) => ({
        namespace: names(each.get("namespace")),
        name: each.string("name"),
      })),
    );
  }

  /** The pages of a list; none when the namespace is missing. The token of the first is empty: without one a server may give all. */
  async #pages(request: RestRequest): Promise<JsonFields[]> {
    const pages: JsonFields[] = [];
    let token = "";
    const endless = (): FrazilError =>
      new FrazilError("corrupt", "REST_ENDLESS_LIST", `cannot ${request.what}: the catalog's list has no end`);
    do {
      if (pages.length === MAX_REST_PAGES) throw endless();
      const query = { ...request.query, pageToken: token, pageSize: String(REST_PAGE_SIZE) };
      const answer = await this.#session.repeated({ ...request, query });
      if (answer.status === 404 && /Namespace/.test(errorModel(answer).type)) return [];
      if (answer.status !== 200) throw refusal(answer, request.what);
      const page = new JsonFields(parseJson(answer.text), request.what);
      pages.push(page);
      const next = page.has("next-page-token") ? page.string("next-page-token") : "";
      if (next !== "" && next === token) throw endless();
      token = next;
    } while (token !== "");
    return pages;
  }
}

/** @throws FrazilError kind `corrupt`. */
function names(levels: unknown): readonly string[] {
  if (Array.isArray(levels) && levels.every((level) => typeof level === "string")) return levels;
  throw new FrazilError("corrupt", "UNEXPECTED_JSON", "expected a namespace as a list of names");
}
