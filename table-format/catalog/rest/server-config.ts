import { parseJson } from "../../json/exact-json.ts";
import { JsonFields } from "../../json/fields.ts";

/** What the server says of itself (REST spec, `CatalogConfig`), merged with the client's own settings. */
export interface ServerConfig {
  /** Defaults, under the client's, under the overrides. */
  readonly properties: ReadonlyMap<string, string>;
  /** `METHOD /v1/{prefix}/…` as the spec writes the routes. */
  readonly endpoints: ReadonlySet<string>;
  /** Whether requests that change something may carry an `Idempotency-Key`. */
  readonly idempotent: boolean;
}

const TABLES = "/v1/{prefix}/namespaces/{namespace}/tables";

/** Routes beyond the ones that every catalog has. */
export const ROUTES = {
  transaction: "POST /v1/{prefix}/transactions/commit",
  register: "POST /v1/{prefix}/namespaces/{namespace}/register",
  rename: "POST /v1/{prefix}/tables/rename",
  properties: "POST /v1/{prefix}/namespaces/{namespace}/properties",
  views: "GET /v1/{prefix}/namespaces/{namespace}/views",
  credentials: `GET ${TABLES}/{table}/credentials`,
} as const;

/** What a server that lists no routes is taken to have (REST spec, `endpoints`). Views and credentials are not among them. */
const ASSUMED = [ROUTES.transaction, ROUTES.register, ROUTES.rename, ROUTES.properties];

/**
 * Reads the answer of `GET /v1/config`.
 * @throws FrazilError kind `corrupt` for an answer that is no configuration.
 */
export function parseServerConfig(text: string, own: ReadonlyMap<string, string>): ServerConfig {
  const json = new JsonFields(parseJson(text), "config");
  const part = (key: string): ReadonlyMap<string, string> => (json.has(key) ? json.strings(key) : new Map());
  const endpoints = json.has("endpoints") ? json.array("endpoints").map(String) : ASSUMED;
  return {
    properties: new Map([...part("defaults"), ...own, ...part("overrides")]),
    endpoints: new Set(endpoints),
    idempotent: json.has("idempotency-key-lifetime"),
  };
}
