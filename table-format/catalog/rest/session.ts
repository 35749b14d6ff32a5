import { FrazilError } from "../../errors.ts";
import { jsonText } from "../../json/exact-json.ts";
import { MAX_RETRY_AFTER_MS, REST_ATTEMPTS, REST_FIRST_PAUSE_MS } from "../../limits.ts";
import type { JsonValue } from "../../metadata/table-metadata.ts";
import { type AuthSettings, RestAuth } from "./auth.ts";
import { exchange, type RestAnswer, type RestContext } from "./http.ts";
import { RestPaths } from "./paths.ts";
import { noAnswer, refusal } from "./rest-errors.ts";
import { parseServerConfig, type ServerConfig } from "./server-config.ts";

/** Which catalog is meant, and who asks. */
export interface RestSettings extends AuthSettings {
  /** The address before `/v1/…`. */
  readonly uri: string;
  /** What the server calls the warehouse; asked for with the configuration. */
  readonly warehouse?: string | undefined;
  /** Put behind `v1` in each path, unless the server overrides it. */
  readonly prefix?: string | undefined;
  /** Sent with each request. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** One request. */
export interface RestRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the address, names encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: JsonValue;
  /** For messages: `load shop.orders`. */
  readonly what: string;
}

/** What the first answer tells: the configuration, and the paths that follow from it. */
export interface Opened {
  readonly config: ServerConfig;
  readonly paths: RestPaths;
}

/** Sends requests to one catalog. Its configuration is asked for before the first one. */
export class RestSession {
  readonly uri: string;
  readonly #settings: RestSettings;
  readonly #context: RestContext;
  readonly #auth: RestAuth;
  #headers: Readonly<Record<string, string>>;
  #opened: Promise<Opened> | null = null;

  constructor(settings: RestSettings, context: RestContext) {
    this.uri = settings.uri.replace(/\/+$/, "");
    this.#settings = settings;
    this.#context = context;
    this.#auth = new RestAuth(this.uri, settings, context);
    this.#headers = settings.headers ?? {};
  }

  /** The server's configuration; a failure is not kept, so that a later call asks again. */
  open(): Promise<Opened> {
    this.#opened ??= this.#readConfig().catch((error: unknown) => {
      this.#opened = null;
      throw error;
    });
    return this.#opened;
  }

  async #readConfig(): Promise<Opened> {
    const { warehouse, prefix } = this.#settings;
    const answer = await this.repeated({
      method: "GET",
      path: "v1/config",
      query: warehouse === undefined ? {} : { warehouse },
      what: "read the catalog's configuration",
    });
    if (answer.status !== 200) throw refusal(answer, "read the catalog's configuration");
    const opened = this.#openedOf(answer.text, prefix);
    const { config } = opened;
    const named = [...config.properties].filter(([key]) => key.startsWith("header."));
    this.#headers = { ...Object.fromEntries(named.map(([key, value]) => [key.slice(7), value])), ...this.#headers };
    const token = config.properties.get("token");
    if (token !== undefined) this.#auth.adopt(token);
    if (config.properties.get("rest.sigv4-enabled") === "true") {
      throw new FrazilError("unsupported", "REST_SIGV4", `${this.uri} wants requests signed with SigV4`, {
        hint: "use the catalog's OAuth2 or token access",
      });
    }
    return opened;
  }

  #openedOf(text: string, prefix: string | undefined): Opened {
    try {
      const config = parseServerConfig(text, prefix === undefined ? new Map() : new Map([["prefix", prefix]]));
      return { config, paths: new RestPaths(config.properties) };
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `expected the configuration of an Iceberg REST catalog at ${this.uri}/v1/config, found: ${reason}`;
      const hint = "warehouse.catalog.uri is the address before /v1";
      throw new FrazilError("config", "REST_CONFIG", message, { hint, cause });
    }
  }

  /**
   * One attempt. A token that was refused is renewed once: such a request has certainly done nothing.
   * @throws FrazilError `unavailable` when no answer came.
   */
  async once(request: RestRequest): Promise<RestAnswer> {
    const answer = await this.#send(request);
    return (answer.status === 401 || answer.status === 419) && this.#auth.renew() ? this.#send(request) : answer;
  }

  /** As `once`, for requests that may be repeated: a few attempts while the server is away or asks to wait. */
  async repeated(request: RestRequest): Promise<RestAnswer> {
    for (let attempt = 1; ; attempt++) {
      let waitMs = REST_FIRST_PAUSE_MS * 2 ** (attempt - 1);
      try {
        const answer = await this.once(request);
        if (!mayRepeat(answer.status) || attempt === REST_ATTEMPTS) return answer;
        waitMs = retryAfterMs(answer, this.#context.nowMs()) ?? waitMs;
      } catch (error) {
        if (!(error instanceof FrazilError) || error.kind !== "unavailable" || attempt === REST_ATTEMPTS) throw error;
      }
      await this.#context.sleep(waitMs);
    }
  }

  async #send({ method, path, query = {}, headers, body, what }: RestRequest): Promise<RestAnswer> {
    const search = new URLSearchParams(query).toString();
    const authorization = await this.#auth.headers();
    try {
      return await exchange(this.#context.fetch, `${this.uri}/${path}${search === "" ? "" : `?${search}`}`, {
        method,
        headers: {
          Accept: "application/json",
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...this.#headers,
          ...authorization,
          ...headers,
        },
        ...(body === undefined ? {} : { body: jsonText(body) }),
      });
    } catch (cause) {
      throw noAnswer(cause, what, this.uri);
    }
  }
}

function mayRepeat(status: number): boolean {
  return status === 408 || status === 429 || status === 500 || (status >= 502 && status <= 504);
}

/** RFC 9110, section 10.2.3: seconds or a date. Null where the server does not say; a long wait is the caller's matter. */
function retryAfterMs(answer: RestAnswer, nowMs: number): number | null {
  const text = answer.header("Retry-After")?.trim() ?? "";
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(wait) ? null : Math.min(Math.max(wait, 0), MAX_RETRY_AFTER_MS);
}
