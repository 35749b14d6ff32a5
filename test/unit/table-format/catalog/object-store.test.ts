import { beforeEach, describe, expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import type { TableChange } from "../../../../table-format/catalog/catalog.ts";
import { ObjectStoreCatalog } from "../../../../table-format/catalog/object-store.ts";
import { FrazilError } from "../../../../table-format/errors.ts";
import type { FileIO } from "../../../../table-format/io/file-io.ts";
import { appended, creation, snapshotOn, T0 } from "../metadata/fixture.ts";

const ident = { namespace: ["shop"], name: "orders" };
const location = "s3://lake/shop/orders";
const HINT = `${location}/metadata/version-hint.text`;
const lost = (): FrazilError => new FrazilError("unavailable", "STORE_TIMEOUT", "no answer");
const context = { nowMs: () => Number(T0), uuid: () => crypto.randomUUID() };

let store: FileIO;
/** Another writer, whose requests always arrive. */
let other: ObjectStoreCatalog;

beforeEach(() => {
  store = createMemoryStorage();
  other = new ObjectStoreCatalog("lake", store, "s3://lake", context);
});

/** A client whose writes of the hint go through `send`. */
function client(send: (request: () => Promise<unknown>) => Promise<unknown>): ObjectStoreCatalog {
  const io: FileIO = Object.create(store, {
    create: {
      value: (...args: Parameters<FileIO["create"]>) =>
        args[0] === HINT ? send(() => store.create(...args)) : store.create(...args),
    },
    replace: { value: (...args: Parameters<FileIO["replace"]>) => send(() => store.replace(...args)) },
  }) as FileIO;
  // Methods of the prototype run on the store itself: it has private state.
  for (const name of ["read", "readTagged", "write", "list", "delete"] as const) {
    Object.defineProperty(io, name, { value: (store[name] as () => unknown).bind(store) });
  }
  return new ObjectStoreCatalog("lake", io, "s3://lake", context);
}

async function load() {
  const table = await other.loadTable(ident);
  if (table === null) throw new Error("missing");
  return table;
}

async function next(id: bigint): Promise<TableChange> {
  return { ident, requirements: [], updates: appended(snapshotOn((await load()).metadata, id)) };
}

const create: TableChange = { ident, requirements: [{ type: "assert-create" }], updates: creation(location) };

test("the hint holds the name without a newline, and appears after the file it names", async () => {
  const writes: string[] = [];
  const watched = client(async (request) => {
    writes.push(...(await Array.fromAsync(store.list(location))).map((entry) => entry.location));
    return request();
  });
  await watched.commit([create]);
  const { metadataLocation } = await load();
  const text = new TextDecoder().decode(await store.read(HINT));
  expect(text).toMatch(/^00000-[0-9a-f-]{36}$/);
  expect(metadataLocation).toBe(`${location}/metadata/${text}.metadata.json`);
  expect(writes).toEqual([metadataLocation]);
});

describe("when the answer to the conditional write is lost", () => {
  test.each([false, true])("and it took effect: committed (creation: %s)", async (creating) => {
    if (!creating) await other.commit([create]);
    const change = creating ? create : await next(1n);
    const writer = client(async (request) => {
      await request();
      throw lost();
    });
    expect(await writer.commit([change])).toMatchObject({ outcome: "committed" });
    expect((await load()).metadata.snapshots).toHaveLength(creating ? 0 : 1);
  });

  test("and others committed on top: committed, though the hint no longer names our file", async () => {
    await other.commit([create]);
    const writer = client(async (request) => {
      await request();
      await other.commit([await next(2n)]);
      throw lost();
    });
    const outcome = await writer.commit([await next(1n)]);
    expect(outcome).toMatchObject({ outcome: "committed" });
    if (outcome.outcome === "committed") expect(outcome.tables[0]?.metadata.currentSnapshotId).toBe(1n);
    expect((await load()).metadata.snapshots.map((snapshot) => snapshot.snapshotId)).toEqual([1n, 2n]);
  });

  test("and a change without a snapshot took effect below another commit: the metadata log tells", async () => {
    await other.commit([create]);
    const writer = client(async (request) => {
      await request();
      await other.commit([await next(2n)]);
      throw lost();
    });
    const updates = [{ action: "set-properties", updates: new Map([["owner", "shop"]]) }] as const;
    expect(await writer.commit([{ ident, requirements: [], updates }])).toMatchObject({ outcome: "committed" });
  });

  test("and so many committed on top that the log has forgotten us: the snapshot tells", async () => {
    const updates = new Map([["write.metadata.previous-versions-max", "1"]]);
    await other.commit([{ ...create, updates: [...create.updates, { action: "set-properties", updates }] }]);
    const writer = client(async (request) => {
      await request();
      for (const id of [2n, 3n, 4n]) await other.commit([await next(id)]);
      throw lost();
    });
    expect(await writer.commit([await next(1n)])).toMatchObject({ outcome: "committed" });
  });

  test.each([false, true])(
    "and it has not arrived yet: unknown, since it still can (creation: %s)",
    async (creating) => {
      if (!creating) await other.commit([create]);
      const change = creating ? create : await next(1n);
      let late: () => Promise<unknown> = () => Promise.reject(new Error("not sent"));
      const writer = client(async (request) => {
        late = request;
        throw lost();
      });
      expect(await writer.commit([change])).toMatchObject({ outcome: "unknown" });
      await late();
      expect((await load()).metadata.snapshots).toHaveLength(creating ? 0 : 1);
    },
  );

  test.each([false, true])(
    "and another took its place: a conflict, and it can never arrive (creation: %s)",
    async (creating) => {
      if (!creating) await other.commit([create]);
      const change = creating ? create : await next(1n);
      let late: () => Promise<unknown> = () => Promise.reject(new Error("not sent"));
      const writer = client(async (request) => {
        late = request;
        await other.commit([creating ? create : await next(2n)]);
        throw lost();
      });
      expect(await writer.commit([change])).toMatchObject({ outcome: "conflict" });
      expect(await late()).toMatchObject({ outcome: creating ? "exists" : "conflict" });
    },
  );

  test("and the log no longer reaches our base: unknown, since only the mark would count", async () => {
    const updates = new Map([["write.metadata.previous-versions-max", "1"]]);
    await other.commit([{ ...create, updates: [...create.updates, { action: "set-properties", updates }] }]);
    const writer = client(async () => {
      for (const id of [2n, 3n, 4n]) await other.commit([await next(id)]);
      throw lost();
    });
    expect(await writer.commit([await next(1n)])).toMatchObject({ outcome: "unknown" });
  });
});

test("a refusal of a repeated request is no conflict when the first one landed", async () => {
  await other.commit([create]);
  const writer = client(async (request) => {
    await request();
    return request();
  });
  expect(await writer.commit([await next(1n)])).toMatchObject({ outcome: "committed" });
  expect((await load()).metadata.currentSnapshotId).toBe(1n);
});

test("a store that refuses to write leaves the table alone, and other errors pass", async () => {
  await other.commit([create]);
  const writer = client(async () => {
    throw new FrazilError("permission", "ACCESS_DENIED", "no");
  });
  await expect(writer.commit([await next(1n)])).rejects.toMatchObject({ kind: "permission" });
  const full = client(async () => {
    throw new FrazilError("io", "DISK_FULL", "full");
  });
  expect(await full.commit([await next(1n)])).toMatchObject({ outcome: "unknown" });
  expect((await load()).metadata.snapshots).toEqual([]);
});

test("hints of other catalogs are refused by name", async () => {
  await store.write(HINT, new TextEncoder().encode("6"));
  await expect(other.loadTable(ident)).rejects.toMatchObject({ kind: "unsupported", code: "FOREIGN_HINT" });
  await expect(other.commit([create])).rejects.toMatchObject({ kind: "unsupported" });
});

test("a hint that names a missing file is corruption, not an absent table", async () => {
  await store.write(HINT, new TextEncoder().encode(`00003-${crypto.randomUUID()}`));
  await expect(other.loadTable(ident)).rejects.toMatchObject({ kind: "corrupt", code: "METADATA_MISSING" });
});

test("a table lies in its own folder", async () => {
  const elsewhere = { ...create, updates: creation("s3://lake/elsewhere") };
  await expect(other.commit([elsewhere])).rejects.toMatchObject({ kind: "data", code: "TABLE_LOCATION" });
  expect(await Array.fromAsync(store.list("s3://lake"))).toEqual([]);
});

test("of two that change a namespace's properties at once, one is told", async () => {
  const namespace = ["shop"];
  await other.namespaces.create(namespace, new Map([["owner", "me"]]));
  const writer = client(async (request) => {
    await other.namespaces.change(namespace, new Map([["owner", "you"]]), []);
    return request();
  });
  const change = writer.namespaces.change(namespace, new Map([["team", "ice"]]), []);
  await expect(change).rejects.toMatchObject({ kind: "conflict", code: "NAMESPACE_CHANGED" });
  expect(await other.namespaces.properties(namespace)).toEqual(new Map([["owner", "you"]]));
});
