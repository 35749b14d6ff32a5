import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { MemoryCatalog, RestCatalog, TableIdent } from "../../../../../table-format/index.ts";
import { type RestServer, type RestServerOptions, startRestServer } from "../../../../support/rest/rest-server.ts";
import { createsTable, type ServedCatalog, serveCatalog } from "./fixture.ts";

const orders: TableIdent = { namespace: ["shop"], name: "orders" };

let served: ServedCatalog;
let server: RestServer;
let behind: MemoryCatalog;
let catalog: RestCatalog;

async function start(...options: Parameters<typeof serveCatalog>): Promise<void> {
  served = await serveCatalog(...options);
  ({ server, behind, catalog } = served);
}

beforeEach(() => start());
afterEach(() => server[Symbol.asyncDispose]());

describe("who asks", () => {
  test("is shown by a token, and headers go with each request", async () => {
    await server[Symbol.asyncDispose]();
    await start({}, { token: "abc", headers: { "X-Tenant": "t1" } });
    await catalog.listNamespaces();
    for (const { headers } of server.seen) {
      expect(headers).toMatchObject({ authorization: "Bearer abc", "x-tenant": "t1" });
    }
  });

  test("is shown by the token and the headers that the server's configuration gives, under our own", async () => {
    await server[Symbol.asyncDispose]();
    const overrides = { token: "given", "header.X-Tenant": "theirs", "header.X-Trace": "on" };
    await start({ overrides }, { headers: { "X-Tenant": "ours" } });
    await catalog.listNamespaces();
    const [config, ...others] = server.seen;
    expect(config?.headers.authorization).toBeUndefined();
    for (const { headers } of others) {
      expect(headers).toMatchObject({ authorization: "Bearer given", "x-tenant": "ours", "x-trace": "on" });
    }
    expect(others).not.toEqual([]);
  });

  test("is shown by a token of another server, which alone sees the credential", async () => {
    await using issuer = await startRestServer(behind, { oauth: { credential: "me:secret", lifetimeS: 3600 } });
    await server[Symbol.asyncDispose]();
    await start({}, { credential: "me:secret", oauth2ServerUri: `${issuer.uri}/v1/oauth/tokens` });
    await catalog.listNamespaces();
    expect(issuer.seen.map(({ url }) => url)).toEqual(["/v1/oauth/tokens"]);
    for (const { headers, body } of server.seen) {
      expect(headers.authorization).toBe("Bearer token-0-catalog");
      expect(body).not.toContain("secret");
    }
  });

  test("is shown by client credentials, with a new token before the old one ends and when one is refused", async () => {
    await server[Symbol.asyncDispose]();
    await start({ oauth: { credential: "me:se:cret", lifetimeS: 3600 } }, { credential: "me:se:cret", scope: "all" });
    const asked = (): number => server.seen.filter(({ url }) => url === "/v1/oauth/tokens").length;
    await Promise.all([catalog.listNamespaces(), catalog.loadTable(orders)]);
    expect(asked()).toBe(1);
    expect(server.seen.at(-1)?.headers.authorization).toBe("Bearer token-0-all");
    served.nowMs += 3_539_999;
    await catalog.listNamespaces();
    expect(asked()).toBe(1);
    served.nowMs -= 3_539_999;
    served.nowMs += 3_540_000;
    await Promise.all([1, 2, 3].map(() => catalog.listNamespaces()));
    expect(asked()).toBe(2);
    server.tokens.clear();
    expect(await catalog.commit([createsTable(orders)])).toMatchObject({ outcome: "committed" });
    expect(asked()).toBe(3);
  });

  test("is refused by name, without the secret", async () => {
    await server[Symbol.asyncDispose]();
    await start({ oauth: { credential: "me:right", lifetimeS: 60 } }, { credential: "me:wrong" });
    const error = await catalog.listNamespaces().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "permission", code: "REST_CREDENTIALS" });
    expect(String(error)).not.toContain("wrong");
  });
});

describe("lent access", () => {
  const end = (): string => String(served.nowMs + 3_600_000);
  let lends: number;
  const lend = ({ name }: TableIdent): { prefix: string; config: Record<string, string> }[] => {
    const config = { "s3.access-key-id": `${name}-${++lends}`, "s3.session-token-expires-at-ms": end() };
    return [
      { prefix: "/lake", config: { ...config, "s3.access-key-id": "too wide" } },
      { prefix: `/lake/shop/${name}`, config },
    ];
  };
  const key = async (location: string): Promise<string | undefined> =>
    (await catalog.lend(location))?.properties.get("s3.access-key-id");

  async function restart(more: RestServerOptions = {}): Promise<void> {
    lends = 0;
    await server[Symbol.asyncDispose]();
    await start({ lend, ...more }, { vendedCredentials: true });
    await catalog.ensureNamespace(["shop"]);
  }

  test("comes with a staged creation, before the table is there, and from then on with the table", async () => {
    await restart();
    expect(await key("/lake/shop/orders/metadata/snap-1.avro")).toBe("orders-1");
    expect(server.seen.at(-1)?.headers["x-iceberg-access-delegation"]).toBe("vended-credentials");
    expect(await behind.loadTable(orders)).toBeNull();
    expect(await key("/lake/shop/orders/data/a.parquet")).toBe("orders-1");
    expect(await catalog.commit([createsTable(orders)])).toMatchObject({ outcome: "committed" });
    expect(await key("/lake/shop/orders/data/a.parquet")).toBe("orders-2");
    expect(await key("/lake/_ingest/job/ledger.json")).toBeUndefined();
    expect(await key("/lake/shop/orders_old/data/a.parquet")).toBe("orders_old-3");
  });

  test.each([
    ["by loading the table", undefined, /GET .*\/tables\/orders$/],
    [
      "where the catalog has a route for it",
      ["GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials"],
      /GET .*\/credentials$/,
    ],
  ])("is renewed before it ends: %s", async (_how, endpoints, route) => {
    await restart(endpoints === undefined ? {} : { endpoints });
    await catalog.commit([createsTable(orders)]);
    const before = await key("/lake/shop/orders/data/a.parquet");
    served.nowMs += 3_500_000;
    expect(await key("/lake/shop/orders/data/a.parquet")).toBe(before);
    served.nowMs += 60_000;
    const renewed = await Promise.all([1, 2, 3].map((i) => key(`/lake/shop/orders/data/${i}.parquet`)));
    expect(new Set(renewed).size).toBe(1);
    expect(renewed[0]).not.toBe(before);
    const { method, url } = server.seen.at(-1)!;
    expect(`${method} ${url}`).toMatch(route);
  });

  test("in the form of signatures by the catalog is refused by name", async () => {
    await restart({ lend: () => [{ prefix: "/lake", config: { "s3.remote-signing-enabled": "true" } }] });
    await expect(catalog.lend("/lake/shop/orders/data/a.parquet")).rejects.toMatchObject({
      kind: "unsupported",
      code: "REST_REMOTE_SIGNING",
    });
  });
});
