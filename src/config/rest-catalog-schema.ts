import { z } from "zod";
import { flag, text } from "./scalars.ts";

/** `warehouse.catalog` of type `rest`. */
export interface RestCatalogSettings {
  readonly type: "rest";
  readonly name: string;
  readonly uri: string;
  readonly warehouse?: string | undefined;
  readonly prefix?: string | undefined;
  readonly token?: string | undefined;
  readonly credential?: string | undefined;
  readonly scope?: string | undefined;
  readonly oauth2ServerUri?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly vendedCredentials: boolean;
  /** Where new tables lie, without a trailing slash; absent: in the warehouse's location. */
  readonly tableLocation?: string | undefined;
}

const address = () => z.url({ protocol: /^https?$/, error: "must be an http:// or https:// address" });

/** The block of a catalog that is a server. */
export const restCatalogSchema = z
  .strictObject({
    type: z.literal("rest"),
    name: text().default("frazil").describe("How the catalog is called in messages."),
    uri: address().describe("The server's address, without `/v1`."),
    warehouse: text().optional().describe("What the server calls the warehouse."),
    prefix: text().optional().describe("Stands behind `/v1` in each path. Most servers name it themselves."),
    token: text().optional().describe("A bearer token."),
    credential: text().optional().describe("`client-id:client-secret` for OAuth2 client credentials."),
    scope: text().optional().describe("What the token is asked for. Default: `catalog`."),
    oauth2_server_uri: address().optional().describe("The token endpoint. Default: `v1/oauth/tokens` of the catalog."),
    table_location: text()
      .optional()
      .describe(
        "New tables lie at `<table_location>/<namespace>/<table>`. Default: `location`. For catalogs with a bucket of their own, which takes nothing but tables: the ledger then lies in `location`.",
      ),
    headers: z.record(z.string(), text()).default({}).describe("Sent with each request."),
    vended_credentials: flag()
      .default(false)
      .describe(
        "Asks the catalog for access to the store of an `s3://` location, table by table, in the place of `s3`.",
      ),
  })
  .superRefine((value, context) => {
    if (value.token === undefined || value.credential === undefined) return;
    context.addIssue({ code: "custom", path: ["token"], message: "and credential exclude each other" });
  })
  .transform(({ oauth2_server_uri, vended_credentials, table_location, ...value }): RestCatalogSettings => ({
    ...value,
    oauth2ServerUri: oauth2_server_uri,
    tableLocation: table_location?.replace(/\/+$/, ""),
    vendedCredentials: vended_credentials,
  }))
  .describe(
    "A server that speaks the Iceberg REST protocol. Tables are committed one at a time, and the job's ledger lies in `location`.",
  );
