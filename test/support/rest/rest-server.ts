import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  applyUpdates,
  FrazilError,
  identText,
  jsonText,
  type JsonValue,
  type LoadedTable,
  type ManagedCatalog,
  parseJson,
  parseSchema,
  tableMetadataBytes,
  type TableIdent,
  type TableUpdate,
} from "../../../table-format/index.ts";
import { JsonFields } from "../../../table-format/json/fields.ts";
import { parseChange, parseIdent } from "./parse-changes.ts";

/** What goes wrong with one request: before or behind its effect a status, or the connection is cut (`null`). */
export interface Fault {
  readonly at: "before" | "behind";
  readonly status: number | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RestServerOptions {
  readonly prefix?: string;
  /** As it stands in paths, encoded. */
  readonly separator?: string;
  readonly endpoints?: readonly string[];
  /** Whether it tells repeated requests by their keys. */
  readonly idempotent?: boolean;
  /** Client credentials that it wants, as `id:secret`, and how long a token lasts. */
  readonly oauth?: { readonly credential: string; readonly lifetimeS: number };
  /** More members of its configuration's overrides. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** What the answers about a table lend. */
  lend?(table: TableIdent): { readonly prefix: string; readonly config: Readonly<Record<string, string>> }[];
}

/** One request as it came. */
export interface Seen {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** An in-process REST catalog over another catalog, with faults on demand. */
export interface RestServer extends AsyncDisposable {
  readonly uri: string;
  readonly seen: readonly Seen[];
  /** Tokens that were given out and are valid. */
  readonly tokens: Set<string>;
  /** Views that it lists, as `namespace.view`. */
  readonly views: Set<string>;
  /** Asked for each request; null: nothing goes wrong. */
  fault(request: Seen): Fault | null;
}

interface Answer {
  readonly status: number;
  readonly body?: JsonValue | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A page of a list, small so that a few names make several. */
const PAGE = 2;

/** Starts the server on a free port of the loopback interface. */
export async function startRestServer(catalog: ManagedCatalog, options: RestServerOptions = {}): Promise<RestServer> {
  const seen: Seen[] = [];
  const routes = new Routes(catalog, options);
  const server = createServer((request, response) => void serve(request, response));
  const running: RestServer = {
    uri: "",
    seen,
    tokens: routes.tokens,
    views: routes.views,
    fault: () => null,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "", url = "", headers } = request;
    const one: Seen = { method, url, headers, body: Buffer.concat(chunks).toString("utf8") };
    seen.push(one);
    const fault = running.fault(one);
    if (fault?.at === "before") return send(response, fault);
    const answer = await routes.answer(one).catch((error: unknown) => errorAnswer(500, "Internal", String(error)));
    send(response, fault === null ? answer : fault);
  }

  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return Object.assign(running, { uri: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

function send(response: ServerResponse, answer: Fault | Answer): void {
  if (answer.status === null) return void response.destroy();
  response.writeHead(answer.status, { "Content-Type": "application/json", ...answer.headers });
  const body = "body" in answer ? answer.body : undefined;
  response.end(body === undefined ? "" : typeof body === "string" ? body : jsonText(body));
}

function errorAnswer(code: number, type: string, message: string): Answer {
  return { status: code, body: { error: { message, type, code: BigInt(code) } } };
}

class Routes {
  readonly tokens = new Set<string>();
  readonly views = new Set<string>();
  readonly #answered = new Map<string, Promise<Answer>>();
  readonly #catalog: ManagedCatalog;
  readonly #options: RestServerOptions;

  constructor(catalog: ManagedCatalog, options: RestServerOptions) {
    this.#catalog = catalog;
    this.#options = options;
  }

  async answer(request: Seen): Promise<Answer> {
    const { pathname, searchParams } = new URL(request.url, "http://server");
    if (pathname === "/v1/oauth/tokens") return this.#token(new URLSearchParams(request.body));
    if (this.#options.oauth !== undefined) {
      const token = request.headers.authorization?.replace(/^Bearer /, "") ?? "";
      if (!this.tokens.has(token)) return errorAnswer(401, "NotAuthorizedException", "not a token of mine");
    }
    if (pathname === "/v1/config") return this.#config();
    const { prefix } = this.#options;
    const base = prefix === undefined ? "/v1/" : `/v1/${prefix}/`;
    if (!pathname.startsWith(base)) return errorAnswer(404, "", "no such path");
    const parts = pathname.slice(base.length).split("/");
    const key = request.headers["idempotency-key"];
    if (this.#options.idempotent !== true || typeof key !== "string") {
      return this.#route(request, parts, searchParams);
    }
    const answered = this.#answered.get(key) ?? this.#route(request, parts, searchParams);
    this.#answered.set(key, answered);
    return answered;
  }

  #token(form: URLSearchParams): Answer {
    const given = `${form.get("client_id")}:${form.get("client_secret")}`;
    if (this.#options.oauth?.credential !== given || form.get("grant_type") !== "client_credentials") {
      return { status: 400, body: { error: "invalid_client", error_description: "who is that?" } };
    }
    const token = `token-${this.tokens.size}-${form.get("scope")}`;
    this.tokens.add(token);
    const { lifetimeS } = this.#options.oauth;
    return { status: 200, body: { access_token: token, token_type: "bearer", expires_in: BigInt(lifetimeS) } };
  }

  #config(): Answer {
    const { prefix, separator, endpoints, idempotent, overrides } = this.#options;
    const named = { ...(prefix === undefined ? {} : { prefix }), ...overrides };
    return {
      status: 200,
      body: {
        defaults: { prefix: "overridden" },
        overrides: { prefix: "", ...named, ...(separator === undefined ? {} : { "namespace-separator": separator }) },
        ...(endpoints === undefined ? {} : { endpoints }),
        ...(idempotent === true ? { "idempotency-key-lifetime": "PT30M" } : {}),
      },
    };
  }

  async #route({ method, body, headers }: Seen, parts: readonly string[], query: URLSearchParams): Promise<Answer> {
    const json = (): JsonFields => new JsonFields(parseJson(body), "body");
    const [root = "", namespacePart = "", kind = "", tablePart = "", leaf = ""] = parts;
    if (root === "transactions") return this.#transaction(json());
    if (`${method} ${parts.join("/")}` === "POST tables/rename") {
      const [from, to] = ["source", "destination"].map((key) => parseIdent(json().object(key))) as [
        TableIdent,
        TableIdent,
      ];
      return this.#done(() => this.#catalog.renameTable(from, to));
    }
    const namespace = this.#levels(namespacePart);
    const ident = { namespace, name: decodeURIComponent(tablePart) };
    switch (`${method} ${root}${namespacePart && "/*"}${kind && `/${kind}`}${tablePart && "/*"}${leaf && `/${leaf}`}`) {
      case "GET namespaces":
        return this.#listNamespaces(query);
      case "POST namespaces":
        return this.#createNamespace(json());
      case "GET namespaces/*":
        return (
          (await this.#exists(namespace)) ?? {
            status: 200,
            body: { namespace, properties: await this.#held(namespace) },
          }
        );
      case "DELETE namespaces/*":
        return this.#done(() => this.#catalog.namespaces.drop(namespace));
      case "POST namespaces/*/properties":
        return this.#changeProperties(namespace, json());
      case "POST namespaces/*/register":
        return this.#register(namespace, json());
      case "GET namespaces/*/tables": {
        const tables = await this.#catalog.listTables(namespace);
        return (await this.#exists(namespace)) ?? paged("identifiers", tables.map(identifier), query);
      }
      case "GET namespaces/*/views": {
        const views = [...this.views].filter((view) => view.startsWith(`${namespace.join(".")}.`));
        return paged(
          "identifiers",
          views.map((view) => identifier({ namespace, name: view.split(".").at(-1)! })),
          query,
        );
      }
      case "GET namespaces/*/tables/*":
        return this.#load(ident, headers["if-none-match"]);
      case "GET namespaces/*/tables/*/credentials":
        return { status: 200, body: { "storage-credentials": this.#options.lend?.(ident) ?? [] } };
      case "DELETE namespaces/*/tables/*":
        return this.#done(() => this.#catalog.dropTable(ident, query.get("purgeRequested") === "true"));
      case "POST namespaces/*/tables":
        return this.#stage(namespace, json());
      case "POST namespaces/*/tables/*":
        return this.#commit(ident, json());
    }
    return errorAnswer(404, "", `no route ${method} ${parts.join("/")}`);
  }

  #levels(part: string): string[] {
    const separator = this.#options.separator ?? "%1F";
    return part.split(separator).map(decodeURIComponent);
  }

  async #exists(namespace: readonly string[]): Promise<Answer | null> {
    const found = (await this.#catalog.listNamespaces()).some((each) => each.join("\0") === namespace.join("\0"));
    return found ? null : errorAnswer(404, "NoSuchNamespaceException", `no namespace ${namespace.join(".")}`);
  }

  async #held(namespace: readonly string[]): Promise<Record<string, string>> {
    return Object.fromEntries((await this.#catalog.namespaces.properties(namespace)) ?? []);
  }

  /** What changes something and has nothing to say. */
  async #done(change: () => Promise<void>): Promise<Answer> {
    try {
      await change();
      return { status: 204 };
    } catch (error) {
      if (!(error instanceof FrazilError)) throw error;
      if (error.kind === "not-found") return errorAnswer(404, "NoSuchTableException", error.message);
      if (error.kind === "conflict") return errorAnswer(409, "AlreadyExistsException", error.message);
      throw error;
    }
  }

  async #register(namespace: readonly string[], json: JsonFields): Promise<Answer> {
    const ident = { namespace, name: json.string("name") };
    let table: LoadedTable | null = null;
    const failed = await this.#done(async () => {
      table = await this.#catalog.registerTable(ident, json.string("metadata-location"));
    });
    return table === null ? failed : this.#tableAnswer(table);
  }

  async #listNamespaces(query: URLSearchParams): Promise<Answer> {
    const separator = decodeURIComponent(this.#options.separator ?? "%1F");
    const parent = query.get("parent")?.split(separator) ?? [];
    const below = (await this.#catalog.listNamespaces()).filter(
      (levels) => levels.length === parent.length + 1 && parent.every((level, i) => level === levels[i]),
    );
    return paged("namespaces", below, query);
  }

  async #createNamespace(json: JsonFields): Promise<Answer> {
    const namespace = json.array("namespace").map(String);
    const isNew = await this.#catalog.namespaces.create(namespace, json.strings("properties"));
    if (!isNew) return errorAnswer(409, "AlreadyExistsException", "it exists");
    return { status: 200, body: { namespace, properties: await this.#held(namespace) } };
  }

  async #changeProperties(namespace: readonly string[], json: JsonFields): Promise<Answer> {
    const removals = json.array("removals").map(String);
    const failed = await this.#done(() =>
      this.#catalog.namespaces.change(namespace, json.strings("updates"), removals),
    );
    if (failed.status !== 204) return failed;
    return { status: 200, body: { updated: [], removed: [], missing: [] } };
  }

  async #load(ident: TableIdent, held: string | undefined): Promise<Answer> {
    const table = await this.#catalog.loadTable(ident);
    if (table === null) return errorAnswer(404, "NoSuchTableException", `no table ${identText(ident)}`);
    if (held === etagOf(table)) return { status: 304 };
    return this.#tableAnswer(table);
  }

  #tableAnswer(table: LoadedTable): Answer {
    const metadata = new TextDecoder().decode(tableMetadataBytes(table.metadata));
    const lent = jsonText(this.#options.lend?.(table.ident) ?? []);
    const body = `{"metadata-location":${JSON.stringify(table.metadataLocation || null)},"metadata":${metadata},"config":{},"storage-credentials":${lent}}`;
    return { status: 200, body, headers: { ETag: etagOf(table) } };
  }

  #stage(namespace: readonly string[], json: JsonFields): Answer {
    if (json.get("stage-create") !== true) return errorAnswer(406, "UnsupportedOperationException", "staged only");
    const updates: TableUpdate[] = [
      { action: "assign-uuid", uuid: crypto.randomUUID() },
      { action: "upgrade-format-version", formatVersion: 2 },
      { action: "add-schema", schema: parseSchema(json.get("schema")), lastColumnId: 0 },
      { action: "set-current-schema", schemaId: -1 },
      { action: "add-spec", spec: { specId: 0, fields: [] } },
      { action: "set-default-spec", specId: -1 },
      { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
      { action: "set-default-sort-order", sortOrderId: -1 },
      { action: "set-location", location: json.string("location") },
    ];
    const metadata = applyUpdates(null, updates, { nowMs: 0n, previousMetadataLocation: null });
    return this.#tableAnswer({ ident: { namespace, name: json.string("name") }, metadata, metadataLocation: "" });
  }

  async #commit(ident: TableIdent, json: JsonFields): Promise<Answer> {
    const answer = await this.#swap([parseChange(ident, json)]);
    return Array.isArray(answer) ? this.#tableAnswer(answer[0]!) : answer;
  }

  async #transaction(json: JsonFields): Promise<Answer> {
    const changes = json
      .objects("table-changes")
      .map((each) => parseChange(parseIdent(each.object("identifier")), each));
    const answer = await this.#swap(changes);
    return Array.isArray(answer) ? { status: 204 } : answer;
  }

  async #swap(changes: readonly ReturnType<typeof parseChange>[]): Promise<LoadedTable[] | Answer> {
    try {
      const outcome = await this.#catalog.commit(changes);
      if (outcome.outcome === "committed") return [...outcome.tables];
      if (outcome.outcome === "conflict") return errorAnswer(409, "CommitFailedException", outcome.message);
      return errorAnswer(500, "CommitStateUnknownException", String(outcome.cause));
    } catch (error) {
      if (!(error instanceof FrazilError) || error.kind !== "data") throw error;
      return errorAnswer(400, "BadRequestException", error.message);
    }
  }
}

function identifier({ namespace, name }: TableIdent): JsonValue {
  return { namespace, name };
}

function etagOf({ metadataLocation }: LoadedTable): string {
  return `"${metadataLocation}"`;
}

/** A page of a list, all of it without a token (REST spec, `PageToken`). */
function paged(key: string, all: readonly JsonValue[], query: URLSearchParams): Answer {
  const token = query.get("pageToken");
  if (token === null) return { status: 200, body: { [key]: all } };
  const start = Number(token);
  const next = start + PAGE < all.length ? String(start + PAGE) : null;
  return { status: 200, body: { [key]: all.slice(start, start + PAGE), "next-page-token": next } };
}
