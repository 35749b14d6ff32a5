import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type MemoryCatalog,
  RestCatalog,
  type TableChange,
  type TableIdent,
} from "../../../../../table-format/index.ts";
import type { Fault, RestServer, Seen } from "../../../../support/rest/rest-server.ts";
import { appended, schema, snapshotOn } from "../../metadata/fixture.ts";
import { createsTable, type ServedCatalog, serveCatalog } from "./fixture.ts";

const orders: TableIdent = { namespace: ["shop"], name: "orders" };
const items: TableIdent = { namespace: ["shop"], name: "items" };

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

async function append(ident: TableIdent, id: bigint): Promise<TableChange> {
  const table = await behind.loadTable(ident);
  if (table === null) throw new Error("no table");
  const { currentSnapshotId } = table.metadata;
  return {
    ident,
    requirements: [{ type: "assert-ref-snapshot-id", ref: "main", snapshotId: currentSnapshotId }],
    updates: appended(snapshotOn(table.metadata, id)),
  };
}

const isCommit = ({ method, url }: Seen): boolean => method === "POST" && url.endsWith("/tables/orders");
const commits = (): Seen[] => server.seen.filter(isCommit);
const head = async (): Promise<bigint | null | undefined> =>
  (await behind.loadTable(orders))?.metadata.currentSnapshotId;

/** The given faults, one for each commit that comes. */
function faultCommits(...faults: (Fault | null)[]): void {
  server.fault = (request) => (isCommit(request) ? (faults.shift() ?? null) : null);
}

describe("an unknown outcome", () => {
  test.each([500, 502, 503, 504, null])(
    "is told of %s behind the effect, and the commit is sent once",
    async (status) => {
      await catalog.commit([createsTable(orders)]);
      faultCommits({ at: "behind", status });
      expect(await catalog.commit([await append(orders, 1n)])).toMatchObject({ outcome: "unknown" });
      expect(commits()).toHaveLength(2);
      // Reloading shows what happened.
      expect((await catalog.loadTable(orders))?.metadata.currentSnapshotId).toBe(1n);
    },
  );

  test.each([500, 503, 429, null])(
    "is told of %s before the effect, and the same commit may be sent again",
    async (status) => {
      await catalog.commit([createsTable(orders)]);
      faultCommits({ at: "before", status });
      const change = await append(orders, 1n);
      expect(await catalog.commit([change])).toMatchObject({ outcome: "unknown" });
      expect(await head()).toBeNull();
      expect(await catalog.commit([change])).toMatchObject({ outcome: "committed" });
      expect(await head()).toBe(1n);
    },
  );

  test("is a commit when our own snapshot is what stands against it", async () => {
    await catalog.commit([createsTable(orders)]);
    const change = await append(orders, 1n);
    // What a proxy does that repeats a request: the first one's success becomes a conflict with ourselves.
    faultCommits({ at: "behind", status: 409 });
    expect(await catalog.commit([change])).toMatchObject({
      outcome: "committed",
      tables: [{ metadata: { currentSnapshotId: 1n } }],
    });
  });

  test.each(["before", "behind"] as const)("is told of a commit over several tables, %s the effect", async (at) => {
    await server[Symbol.asyncDispose]();
    await start({}, { transactions: true });
    expect(await catalog.commit([createsTable(orders), createsTable(items)])).toMatchObject({ outcome: "committed" });
    const changes = [await append(orders, 1n), await append(items, 2n)];
    let isFirst = true;
    server.fault = ({ url }) => {
      const isLost = isFirst && url.endsWith("/transactions/commit");
      if (isLost) isFirst = false;
      return isLost ? { at, status: 503 } : null;
    };
    expect(await catalog.commit(changes)).toMatchObject({ outcome: "unknown" });
    expect(await head()).toBe(at === "behind" ? 1n : null);
    // Sent again, what stands against it is itself, if anything.
    expect(await catalog.commit(changes)).toMatchObject({ outcome: "committed" });
    expect((await behind.loadTable(orders))?.metadata.snapshots).toHaveLength(1);
    expect((await behind.loadTable(items))?.metadata.currentSnapshotId).toBe(2n);
  });

  test("of a verb without an answer is no success, and the verb is sent once", async () => {
    await catalog.commit([createsTable(orders)]);
    const { metadataLocation } = (await catalog.loadTable(orders))!;
    const verbs: readonly (readonly [RegExp, () => Promise<unknown>])[] = [
      [/\/rename$/, () => catalog.renameTable(orders, items)],
      [/purgeRequested=false$/, () => catalog.dropTable(items, false)],
      [/\/register$/, () => catalog.registerTable(orders, metadataLocation)],
    ];
    for (const [route, verb] of verbs) {
      server.fault = ({ url }) => (route.test(url) ? { at: "behind", status: null } : null);
      await expect(verb()).rejects.toMatchObject({ kind: "unavailable", code: "REST_UNREACHABLE" });
      expect(server.seen.filter(({ url }) => route.test(url))).toHaveLength(1);
    }
    server.fault = () => null;
    expect((await catalog.loadTable(orders))?.metadataLocation).toBe(metadataLocation);
    expect(await catalog.loadTable(items)).toBeNull();
  });

  test("of a table that was answered in a form that cannot be read", async () => {
    await catalog.commit([createsTable(orders)]);
    faultCommits({ at: "behind", status: 200 });
    expect(await catalog.commit([await append(orders, 1n)])).toMatchObject({ outcome: "unknown" });
  });
});

describe("keys of repeated requests", () => {
  beforeEach(async () => {
    await server[Symbol.asyncDispose]();
    await start({ idempotent: true });
  });

  test("let a lost answer be asked for again", async () => {
    await catalog.commit([createsTable(orders)]);
    faultCommits({ at: "behind", status: null }, { at: "behind", status: 503 });
    expect(await catalog.commit([await append(orders, 1n)])).toMatchObject({ outcome: "committed" });
    const keys = commits().map(({ headers }) => headers["idempotency-key"] as string);
    expect(keys).toHaveLength(4);
    expect(new Set(keys.slice(1)).size).toBe(1);
    expect(keys[0]).not.toBe(keys[1]);
    expect(keys[1]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(parseInt(keys[1]!.replace("-", "").slice(0, 12), 16)).toBe(served.nowMs);
    expect((await behind.loadTable(orders))?.metadata.snapshots).toHaveLength(1);
  });

  test("let a verb be asked for again", async () => {
    await catalog.commit([createsTable(orders)]);
    const faults: (Fault | null)[] = [
      { at: "behind", status: null },
      { at: "behind", status: 502 },
    ];
    server.fault = ({ url }) => (url.endsWith("/rename") ? (faults.shift() ?? null) : null);
    await catalog.renameTable(orders, items);
    expect([await catalog.loadTable(orders), (await catalog.loadTable(items))?.ident]).toEqual([null, items]);
    expect(server.seen.filter(({ url }) => url.endsWith("/rename"))).toHaveLength(3);
  });

  test("leave a conflict behind a lost answer unknown", async () => {
    await catalog.commit([createsTable(orders)]);
    faultCommits({ at: "before", status: null }, { at: "before", status: 409 });
    expect(await catalog.commit([await append(orders, 1n)])).toMatchObject({ outcome: "unknown" });
  });
});

describe("refusals", () => {
  test("a 409 is a conflict, and names what the table no longer meets", async () => {
    await catalog.commit([createsTable(orders)]);
    const late = await append(orders, 2n);
    await catalog.loadTable(orders);
    await behind.commit([await append(orders, 1n)]);
    expect(await catalog.commit([late])).toMatchObject({
      outcome: "conflict",
      requirement: { type: "assert-ref-snapshot-id", snapshotId: null },
    });
    expect(await head()).toBe(1n);
  });

  test("a refusal of the contents is an error, one of rights another", async () => {
    await catalog.commit([createsTable(orders)]);
    faultCommits({ at: "before", status: 400 }, { at: "before", status: 403 });
    const change = await append(orders, 1n);
    await expect(catalog.commit([change])).rejects.toMatchObject({ kind: "data", code: "REST_REFUSED" });
    await expect(catalog.commit([change])).rejects.toMatchObject({ kind: "permission", code: "REST_DENIED" });
  });

  test("a 404 that is not about the table does not pass for a table that is missing", async () => {
    await catalog.listNamespaces();
    server.fault = ({ url }) => (url.includes("/tables/") ? { at: "before", status: 404 } : null);
    await expect(catalog.loadTable(orders)).rejects.toMatchObject({ kind: "not-found", code: "REST_NOT_FOUND" });
  });

  test("an address that is no catalog's is named", async () => {
    server.fault = () => ({ at: "before", status: 200 });
    await expect(catalog.listNamespaces()).rejects.toMatchObject({ kind: "config", code: "REST_CONFIG" });
    await server[Symbol.asyncDispose]();
    await start({ separator: "%" });
    await expect(catalog.listNamespaces()).rejects.toMatchObject({ kind: "config", code: "REST_CONFIG" });
  });

  test("a server that wants requests signed is refused by name", async () => {
    await server[Symbol.asyncDispose]();
    await start({ overrides: { "rest.sigv4-enabled": "true" } });
    await expect(catalog.listNamespaces()).rejects.toMatchObject({ kind: "unsupported", code: "REST_SIGV4" });
  });

  test("a list without an end is cut off", async () => {
    let asked = 0;
    const answer = (body: object) => ({
      status: 200,
      headers: { get: () => null },
      text: async () => JSON.stringify(body),
    });
    const stub = async (url: string) => {
      if (url.includes("/config")) return answer({});
      asked++;
      return answer({ namespaces: [], "next-page-token": "more" });
    };
    const context = {
      nowMs: () => served.nowMs,
      uuid: () => crypto.randomUUID(),
      sleep: async () => undefined,
      fetch: stub,
    };
    const endless = new RestCatalog({ name: "lake", uri: "http://none", warehouseLocation: "/lake" }, context);
    await expect(endless.listNamespaces()).rejects.toMatchObject({ kind: "corrupt", code: "REST_ENDLESS_LIST" });
    expect(asked).toBe(2);
  });

  test("a server that commits one table at a time is not sent several", async () => {
    await server[Symbol.asyncDispose]();
    await start({ endpoints: ["GET /v1/{prefix}/namespaces"] }, { transactions: true });
    await expect(catalog.commit([createsTable(orders), createsTable(items)])).rejects.toMatchObject({
      code: "ONE_TABLE_ONLY",
    });
    await expect(catalog.renameTable(orders, items)).rejects.toMatchObject({ code: "REST_NOT_IMPLEMENTED" });
    expect(server.seen.map(({ method }) => method)).not.toContain("POST");
  });
});

test("every requirement and every update arrives as it was meant", async () => {
  await catalog.commit([createsTable(orders)]);
  for (const id of [1n, 2n]) await catalog.commit([await append(orders, id)]);
  const tag = { type: "tag", snapshotId: 2n } as const;
  const setup = [
    { action: "set-snapshot-ref", name: "old", ref: tag },
    { action: "set-properties", updates: new Map([["gone", "1"]]) },
  ] as const;
  await catalog.commit([{ ident: orders, requirements: [], updates: setup }]);
  const { metadata } = (await catalog.loadTable(orders))!;
  const note = { id: 4, name: "note", required: false, type: { kind: "string" } } as const;
  const wider = { ...schema, schemaId: 1, fields: [...schema.fields, note] };
  const bucket = { sourceId: 1, fieldId: 1001, name: "id_bucket", transform: "bucket[4]" };
  const byId = { transform: "identity", sourceId: 1, direction: "desc", nullOrder: "nulls-last" } as const;
  const third = snapshotOn(metadata, 3n);
  const blob = { type: "t", snapshotId: 2n, sequenceNumber: 2n, fields: [1], properties: { ndv: "5" } };
  const statistics = { snapshotId: 2n, path: "/s.puffin", fileSizeBytes: 9n, footerSizeBytes: 4n, blobs: [blob] };
  const change: TableChange = {
    ident: orders,
    requirements: [
      { type: "assert-table-uuid", uuid: metadata.tableUuid },
      { type: "assert-ref-snapshot-id", ref: "main", snapshotId: 2n },
      { type: "assert-ref-snapshot-id", ref: "none", snapshotId: null },
      { type: "assert-last-assigned-field-id", lastAssignedFieldId: 3 },
      { type: "assert-current-schema-id", currentSchemaId: 0 },
      { type: "assert-last-assigned-partition-id", lastAssignedPartitionId: 1000 },
      { type: "assert-default-spec-id", defaultSpecId: 0 },
      { type: "assert-default-sort-order-id", defaultSortOrderId: 0 },
    ],
    updates: [
      { action: "assign-uuid", uuid: metadata.tableUuid },
      { action: "upgrade-format-version", formatVersion: 3 },
      { action: "add-schema", schema: wider, lastColumnId: 4 },
      { action: "set-current-schema", schemaId: -1 },
      { action: "add-spec", spec: { specId: 1, fields: [bucket] } },
      { action: "set-default-spec", specId: -1 },
      { action: "add-sort-order", sortOrder: { orderId: 1, fields: [byId] } },
      { action: "set-default-sort-order", sortOrderId: -1 },
      ...appended(third),
      { action: "set-snapshot-ref", name: "kept", ref: { ...tag, maxRefAgeMs: 5n } },
      { action: "remove-snapshot-ref", name: "old" },
      { action: "set-statistics", statistics },
      { action: "remove-statistics", snapshotId: 1n },
      { action: "remove-partition-statistics", snapshotId: 1n },
      { action: "remove-snapshots", snapshotIds: [1n] },
      { action: "remove-schemas", schemaIds: [0] },
      { action: "remove-partition-specs", specIds: [0] },
      { action: "set-location", location: metadata.location },
      { action: "set-properties", updates: new Map([["note", "ü"]]) },
      { action: "remove-properties", removals: ["gone"] },
    ],
  };
  const arrived: TableChange[] = [];
  const commit = behind.commit.bind(behind);
  behind.commit = (changes, claim) => {
    arrived.push(...changes);
    return commit(changes, claim);
  };
  const outcome = await catalog.commit([change]);
  expect(arrived).toEqual([change]);
  if (outcome.outcome !== "committed") throw new Error(JSON.stringify(outcome));
  const { schemas, partitionSpecs, refs, properties } = outcome.tables[0]!.metadata;
  expect(schemas.map(({ schemaId }) => schemaId)).toEqual([1]);
  expect(partitionSpecs.map(({ specId }) => specId)).toEqual([1]);
  expect([...refs.keys()]).toEqual(["main", "kept"]);
  expect(Object.fromEntries(properties)).toEqual({ note: "ü" });
});

describe("reads", () => {
  test("are repeated, after the wait that the server asks for", async () => {
    await catalog.commit([createsTable(orders)]);
    const faults: (Fault | null)[] = [
      { at: "before", status: 503, headers: { "Retry-After": "7" } },
      { at: "before", status: 429, headers: { "Retry-After": new Date(served.nowMs + 3000).toUTCString() } },
      { at: "before", status: null },
    ];
    server.fault = () => faults.shift() ?? null;
    expect(await catalog.loadTable(orders)).not.toBeNull();
    expect(served.slept).toEqual([7000, 3000, 800]);
  });

  test("give up in the end", async () => {
    server.fault = () => ({ at: "before", status: 503, headers: { "Retry-After": "86400" } });
    await expect(catalog.listNamespaces()).rejects.toMatchObject({ kind: "unavailable", code: "REST_UNAVAILABLE" });
    expect(served.slept).toEqual([30_000, 30_000, 30_000, 30_000]);
  });

  test("of a table that has not moved carry no metadata", async () => {
    await catalog.commit([createsTable(orders)]);
    const first = await catalog.loadTable(orders);
    expect(server.seen.at(-1)?.headers["if-none-match"]).toBe(`"${first?.metadataLocation}"`);
    expect(await catalog.loadTable(orders)).toBe(first);
    await behind.commit([await append(orders, 1n)]);
    expect((await catalog.loadTable(orders))?.metadata.currentSnapshotId).toBe(1n);
  });
});

describe("names", () => {
  test("of namespaces and tables come in pages, odd ones too", async () => {
    const names = ["a", "b", "c", "d%1F", "é ü?#&"];
    for (const name of names) await catalog.ensureNamespace([name]);
    await catalog.ensureNamespace(["é ü?#&", "x%2Fy"]);
    for (const name of ["1", "2", "ü &?"]) await catalog.commit([createsTable({ namespace: ["a"], name })]);
    expect((await catalog.listNamespaces()).map((levels) => levels.join("/"))).toEqual([...names, "é ü?#&/x%2Fy"]);
    expect((await catalog.listTables(["a"])).map(({ name }) => name)).toEqual(["1", "2", "ü &?"]);
    expect(await catalog.loadTable({ namespace: ["a"], name: "ü &?" })).not.toBeNull();
  });

  test("of views are listed only where the server says that it has them", async () => {
    expect(await catalog.namespaces.views(["shop"])).toEqual([]);
    await server[Symbol.asyncDispose]();
    await start({ endpoints: ["GET /v1/{prefix}/namespaces/{namespace}/views"] });
    for (const view of ["shop.a", "shop.b", "shop.c"]) server.views.add(view);
    expect((await catalog.namespaces.views(["shop"])).map(({ name }) => name)).toEqual(["a", "b", "c"]);
  });

  test("of namespaces have properties", async () => {
    expect(await catalog.namespaces.create(["shop"], new Map([["owner", "me"]]))).toBe(true);
    expect(await catalog.namespaces.create(["shop"], new Map())).toBe(false);
    await catalog.namespaces.change(["shop"], new Map([["team", "x"]]), ["owner"]);
    expect(await catalog.namespaces.properties(["shop"])).toEqual(new Map([["team", "x"]]));
    expect(await catalog.namespaces.properties(["none"])).toBeNull();
  });
});
