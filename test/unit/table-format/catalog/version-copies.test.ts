import { beforeEach, describe, expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import type { TableChange } from "../../../../table-format/catalog/catalog.ts";
import { ObjectStoreCatalog } from "../../../../table-format/catalog/object-store.ts";
import { FrazilError } from "../../../../table-format/errors.ts";
import type { FileIO } from "../../../../table-format/io/file-io.ts";
import { appended, creation, snapshotOn, T0 } from "../metadata/fixture.ts";

const ident = { namespace: ["shop"], name: "orders" };
const location = "s3://lake/shop/orders";
const context = { nowMs: () => Number(T0), uuid: () => crypto.randomUUID() };
const properties = new Map([
  ["write.metadata.previous-versions-max", "2"],
  ["write.metadata.delete-after-commit.enabled", "true"],
]);
const create: TableChange = {
  ident,
  requirements: [{ type: "assert-create" }],
  updates: [...creation(location), { action: "set-properties", updates: properties }],
};

let store: FileIO;
let catalog: ObjectStoreCatalog;

beforeEach(() => {
  store = createMemoryStorage();
  catalog = open(store);
});

const open = (io: FileIO): ObjectStoreCatalog => new ObjectStoreCatalog("lake", io, "s3://lake", context);

/** The store for one client, with some methods of its own. */
function watched(own: Partial<FileIO>): FileIO {
  const names = ["read", "readTagged", "write", "create", "replace", "list", "delete", "stat"] as const;
  const bound = names.map((name) => [name, (store[name] as () => unknown).bind(store)]);
  return { ...(Object.fromEntries(bound) as unknown as FileIO), ...own };
}

async function commit(through: ObjectStoreCatalog, id: bigint): Promise<void> {
  const table = await through.loadTable(ident);
  const change = { ident, requirements: [], updates: appended(snapshotOn(table!.metadata, id)) };
  expect(await through.commit([change])).toMatchObject({ outcome: "committed" });
}

/** `vN` by what it holds: the current snapshot's id. */
async function copies(): Promise<Record<string, number | null>> {
  const found: Record<string, number | null> = {};
  for await (const entry of store.list(`${location}/metadata`)) {
    const version = /\/(v\d+)\.metadata\.json$/.exec(entry.location)?.[1];
    if (version === undefined) continue;
    const text = new TextDecoder().decode(await store.read(entry.location));
    const id = Number(/"current-snapshot-id":\s*(-?\d+)/.exec(text)?.[1] ?? -1);
    found[version] = id < 0 ? null : id;
  }
  return found;
}

test("each commit leaves a copy with the same bytes, and those go that the log forgets", async () => {
  await catalog.commit([create]);
  expect(await copies()).toEqual({ v1: null });
  for (const id of [1n, 2n, 3n]) await commit(catalog, id);
  expect(await copies()).toEqual({ v2: 1, v3: 2, v4: 3 });
  const { metadataLocation } = (await catalog.loadTable(ident))!;
  expect(metadataLocation).toMatch(/\/00003-/);
  expect(await store.read(`${location}/metadata/v4.metadata.json`)).toEqual(await store.read(metadataLocation));
});

test("a commit costs one small request more: the copy, after the hint is replaced", async () => {
  await catalog.commit([create]);
  await commit(catalog, 1n);
  const requests: string[] = [];
  const noting = <A extends [string, ...unknown[]], R>(what: string, send: (...args: A) => R) => {
    return (...args: A): R => {
      requests.push(`${what} ${args[0].replace(/.*\//, "").replace(/-[0-9a-f-]{36}/, "")}`);
      return send(...args);
    };
  };
  const plain = watched({});
  const busy = open(
    watched({
      read: noting("read", plain.read),
      write: noting("write", plain.write),
      create: noting("create", plain.create),
      replace: noting("replace", plain.replace),
    }),
  );
  const first = await busy.loadTable(ident);
  await busy.commit([{ ident, requirements: [], updates: appended(snapshotOn(first!.metadata, 2n)) }]);
  requests.length = 0;
  const second = await busy.loadTable(ident);
  await busy.commit([{ ident, requirements: [], updates: appended(snapshotOn(second!.metadata, 3n)) }]);
  expect(requests).toEqual(["write 00003.metadata.json", "replace version-hint.text", "create v4.metadata.json"]);
});

describe("a writer that ends between its commit and the copy", () => {
  /** A client whose copies do not arrive. */
  const dying = (): ObjectStoreCatalog =>
    open(
      watched({
        create: async (target, bytes) => {
          if (/\/v\d+\./.test(target)) throw new FrazilError("unavailable", "STORE_TIMEOUT", "no answer");
          return store.create(target, bytes);
        },
      }),
    );

  test("has committed, and the next commit makes both copies", async () => {
    await dying().commit([create]);
    await commit(dying(), 1n);
    expect(await copies()).toEqual({});
    await commit(open(store), 2n);
    expect(await copies()).toEqual({ v2: 1, v3: 2 });
  });

  test("leaves nothing for its own next commit, either", async () => {
    const writer = dying();
    await writer.commit([create]);
    await commit(writer, 1n);
    await commit(writer, 2n);
    expect(await copies()).toEqual({});
  });
});

test("a file that another catalog put in a copy's place stops the next commit, and says which", async () => {
  await catalog.commit([create]);
  // Spark's HadoopCatalog, between our commits: its own version 2.
  const foreign = new TextEncoder().encode(JSON.stringify({ "format-version": 2 }));
  await store.write(`${location}/metadata/v2.metadata.json`, foreign);
  // Ours is in effect: the hint decides.
  await commit(catalog, 1n);
  for (const client of [catalog, open(store)]) {
    const table = (await client.loadTable(ident))!;
    const change = { ident, requirements: [], updates: appended(snapshotOn(table.metadata, 2n)) };
    await expect(client.commit([change])).rejects.toMatchObject({
      kind: "unsupported",
      code: "FOREIGN_COMMIT",
      message: expect.stringContaining("metadata/v2.metadata.json") as string,
    });
  }
  expect(await store.read(`${location}/metadata/v2.metadata.json`)).toEqual(foreign);
  await store.delete(`${location}/metadata/v2.metadata.json`);
  await commit(catalog, 2n);
  expect(await copies()).toEqual({ v1: null, v2: 1, v3: 2 });
});

test("two clients that commit in turns agree on the copies", async () => {
  const clients = [catalog, open(store)];
  await catalog.commit([create]);
  for (let id = 1n; id <= 6n; id++) await commit(clients[Number(id) % 2]!, id);
  expect(await copies()).toEqual({ v5: 4, v6: 5, v7: 6 });
});

test("a table that is dropped takes its copies along, and another one of its name starts anew", async () => {
  await catalog.commit([create]);
  await commit(catalog, 1n);
  await catalog.dropTable(ident, false);
  expect(await copies()).toEqual({});
  expect(await catalog.loadTable(ident)).toBeNull();
  await open(store).commit([create]);
  await commit(catalog, 5n);
  expect(await copies()).toEqual({ v1: null, v2: 5 });
});

test("a table of a folder catalog is registered at its number", async () => {
  await catalog.commit([create]);
  await commit(catalog, 1n);
  const bytes = await store.read(`${location}/metadata/v2.metadata.json`);
  await catalog.dropTable(ident, false);
  await store.write(`${location}/metadata/v7.metadata.json`, bytes);
  const table = await catalog.registerTable(ident, `${location}/metadata/v7.metadata.json`);
  expect(table.metadataLocation).toMatch(/\/00006-[0-9a-f-]{36}\.metadata\.json$/);
  await commit(open(store), 2n);
  expect(await copies()).toEqual({ v7: 1, v8: 2 });
});
