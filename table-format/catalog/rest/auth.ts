import { FrazilError } from "../../errors.ts";
import { parseJson } from "../../json/exact-json.ts";
import { JsonFields } from "../../json/fields.ts";
import { TOKEN_EARLY_MS } from "../../limits.ts";
import { exchange, type RestContext } from "./http.ts";
import { noAnswer, refusal } from "./rest-errors.ts";

/** How the client shows who it is. Neither: without authorization. */
export interface AuthSettings {
  /** A bearer token, used as it stands. */
  readonly token?: string | undefined;
  /** `client-id:client-secret`, or a secret alone, for OAuth2 client credentials (RFC 6749, section 4.4). */
  readonly credential?: string | undefined;
  /** Default `catalog`. */
  readonly scope?: string | undefined;
  /** The token endpoint. Default: `v1/oauth/tokens` of the catalog, which the spec deprecates and servers still have. */
  readonly oauth2ServerUri?: string | undefined;
}

interface Token {
  readonly value: string;
  /** When a new one is fetched, milliseconds since 1970; null: not before it is refused. */
  readonly renewAtMs: number | null;
}

/** Tokens fetched with client credentials, each used until shortly before it ends. */
export class RestAuth {
  readonly #uri: string;
  readonly #context: RestContext;
  #settings: AuthSettings;
  #token: Promise<Token> | null = null;

  /** @param uri the catalog's address, without a trailing slash. */
  constructor(uri: string, settings: AuthSettings, context: RestContext) {
    this.#uri = uri;
    this.#settings = settings;
    this.#context = context;
  }

  /** A token that the server's configuration hands out stands in for ours, unless there is a credential that makes new ones. */
  adopt(token: string): void {
    if (this.#settings.credential === undefined) this.#settings = { token };
  }

  /** @throws FrazilError `permission` when the credential is refused, `unavailable` when the token endpoint does not answer. */
  async headers(): Promise<Record<string, string>> {
    const { token, credential } = this.#settings;
    // A fixed token starts the session; it is what the user asked for where both are set.
    if (token !== undefined) return { Authorization: `Bearer ${token}` };
    if (credential === undefined) return {};
    const asked = this.#token;
    const held = asked === null ? null : await asked.catch(() => null);
    const due = held === null || (held.renewAtMs !== null && this.#context.nowMs() >= held.renewAtMs);
    // Requests that come together wait for one new token: another one may have asked for it meanwhile.
    if (due && this.#token === asked) this.#token = this.#fetchToken(credential);
    const { value } = await (this.#token ?? this.#fetchToken(credential));
    return { Authorization: `Bearer ${value}` };
  }

  /** Forgets a token that was refused. False: there is no way to another one. */
  renew(): boolean {
    if (this.#settings.token !== undefined || this.#settings.credential === undefined) return false;
    this.#token = null;
    return true;
  }

  async #fetchToken(credential: string): Promise<Token> {
    const { scope = "catalog", oauth2ServerUri } = this.#settings;
    const url = oauth2ServerUri ?? `${this.#uri}/v1/oauth/tokens`;
    const colon = credential.indexOf(":");
    const form = new URLSearchParams({ grant_type: "client_credentials" });
    if (colon > 0) form.set("client_id", credential.slice(0, colon));
    form.set("client_secret", credential.slice(colon + 1));
    if (scope !== "") form.set("scope", scope);
    const what = "fetch a token";
    const answer = await exchange(this.#context.fetch, url, {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" },
      body: form.toString(),
    }).catch((cause: unknown) => {
      throw noAnswer(cause, what, url);
    });
    if (answer.status === 200) return this.#tokenOf(answer.text, url);
    // RFC 6749, section 5.2: a credential that is refused is a 400 or a 401.
    if (answer.status < 500 && answer.status !== 429) {
      const { message } = refusal(answer, what);
      const hint = "check warehouse.catalog.credential, scope and oauth2_server_uri";
      throw new FrazilError("permission", "REST_CREDENTIALS", message, { hint });
    }
    throw refusal(answer, what);
  }

  #tokenOf(text: string, url: string): Token {
    const fields = new JsonFields(parseJson(text), url);
    const seconds = fields.has("expires_in") ? Number(fields.long("expires_in")) : null;
    const lifeMs = seconds === null ? null : seconds * 1000;
    return {
      value: fields.string("access_token"),
      // A short life is used for its first half.
      renewAtMs: lifeMs === null ? null : this.#context.nowMs() + Math.max(lifeMs - TOKEN_EARLY_MS, lifeMs / 2),
    };
  }
}
