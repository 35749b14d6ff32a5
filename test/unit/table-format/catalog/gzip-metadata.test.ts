import { gunzipSync } from "node:zlib";
import { beforeEach, expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import type { TableChange } from "../../../../table-format/catalog/catalog.ts";
import { MemoryCatalog } from "../../../../table-format/catalog/memory.ts";
import { ObjectStoreCatalog } from "../../../../table-format/catalog/object-store.ts";
import type { FileIO } from "../../../../table-format/io/file-io.ts";
import { parseTableMetadata } from "../../../../table-format/metadata/metadata-json.ts";
import { appended, creation, snapshotOn, T0 } from "../metadata/fixture.ts";

const ident = { namespace: ["shop"], name: "orders" };
const location = "s3://lake/shop/orders";
const HINT = `${location}/metadata/version-hint.text`;
const UUID = "[0-9a-f-]{36}";
const context = { nowMs: () => Number(T0), uuid: () => crypto.randomUUID() };

let store: FileIO;
let catalog: ObjectStoreCatalog;

beforeEach(() => {
  store = createMemoryStorage();
  catalog = open();
});

const open = (): ObjectStoreCatalog => new ObjectStoreCatalog("lake", store, "s3://lake", context);

const codec = (value: string): TableChange["updates"] => [
  {
    action: "set-properties",
    updates: new Map([
      ["write.metadata.compression-codec", value],
      ["write.metadata.previous-versions-max", "2"],
      ["write.metadata.delete-after-commit.enabled", "true"],
    ]),
  },
];
const create = (value: string): TableChange => ({
  ident,
  requirements: [{ type: "assert-create" }],
  updates: [...creation(location), ...codec(value)],
});

async function commit(updates: TableChange["updates"]): Promise<void> {
  expect(await open().commit([{ ident, requirements: [], updates }])).toMatchObject({ outcome: "committed" });
}

async function append(id: bigint): Promise<void> {
  await commit(appended(snapshotOn((await open().loadTable(ident))!.metadata, id)));
}

/** Names in the table's folder of metadata, without their random part. */
async function names(): Promise<string[]> {
  const entries = await Array.fromAsync(store.list(`${location}/metadata`));
  return entries.map((entry) => entry.location.replace(/.*\//, "").replace(new RegExp(`-${UUID}`), "")).sort();
}

const hint = async (): Promise<string> => new TextDecoder().decode(await store.read(HINT));

test("a table that asks for it has compressed metadata files, named as Java names them, by the hint and as copies", async () => {
  await catalog.commit([create("gzip")]);
  await append(1n);
  expect(await hint()).toMatch(new RegExp(`^00001-${UUID}\\.gz$`));
  expect(await names()).toEqual([
    "00000.gz.metadata.json",
    "00001.gz.metadata.json",
    "v1.gz.metadata.json",
    "v2.gz.metadata.json",
    "version-hint.text",
  ]);
  const { metadata, metadataLocation } = (await open().loadTable(ident))!;
  expect(metadataLocation).toBe(`${location}/metadata/${await hint()}.metadata.json`);
  const bytes = await store.read(metadataLocation);
  expect(JSON.parse(new TextDecoder().decode(gunzipSync(bytes)))).toMatchObject({ "current-snapshot-id": 1 });
  expect(parseTableMetadata(bytes, metadataLocation)).toEqual(metadata);
  expect(await store.read(`${location}/metadata/v2.gz.metadata.json`)).toEqual(bytes);
});

test("the change of the property counts from the commit that makes it, and what is forgotten goes under its own name", async () => {
  await catalog.commit([create("none")]);
  await append(1n);
  await commit(codec("gzip"));
  await append(2n);
  expect(await names()).toEqual([
    "00001.metadata.json",
    "00002.gz.metadata.json",
    "00003.gz.metadata.json",
    "v2.metadata.json",
    "v3.gz.metadata.json",
    "v4.gz.metadata.json",
    "version-hint.text",
  ]);
  await commit(codec("none"));
  await append(3n);
  await append(4n);
  expect(await hint()).toMatch(new RegExp(`^00006-${UUID}$`));
  expect(await names()).toEqual([
    "00004.metadata.json",
    "00005.metadata.json",
    "00006.metadata.json",
    "v5.metadata.json",
    "v6.metadata.json",
    "v7.metadata.json",
    "version-hint.text",
  ]);
  expect((await open().loadTable(ident))!.metadata.currentSnapshotId).toBe(4n);
});

test("a version that a hadoop catalog compressed beside ours stops the next commit", async () => {
  await catalog.commit([create("gzip")]);
  await store.write(`${location}/metadata/v2.gz.metadata.json`, new Uint8Array(3));
  await append(1n);
  await expect(append(2n)).rejects.toMatchObject({ code: "FOREIGN_COMMIT" });
});

test("a compressed table is registered as it lies, or as a copy of its bytes, and dropped with its copies", async () => {
  await catalog.commit([create("gzip")]);
  await append(1n);
  const { metadataLocation } = (await catalog.loadTable(ident))!;
  await catalog.dropTable(ident, false);
  expect(await names()).toEqual(["00000.gz.metadata.json", "00001.gz.metadata.json"]);
  expect((await open().registerTable(ident, metadataLocation)).metadataLocation).toBe(metadataLocation);
  await append(2n);
  await catalog.dropTable(ident, false);
  for (const [name, expected] of [
    ["v7.gz.metadata.json", /\/00006-[0-9a-f-]{36}\.gz\.metadata\.json$/],
    ["v8.metadata.json.gz", /\/00007-[0-9a-f-]{36}\.gz\.metadata\.json$/],
  ] as const) {
    await store.write(`${location}/metadata/${name}`, await store.read(metadataLocation));
    const table = await open().registerTable(ident, `${location}/metadata/${name}`);
    expect(table.metadataLocation).toMatch(expected);
    await append(3n);
    expect((await open().loadTable(ident))!.metadata.snapshots.map(({ snapshotId }) => snapshotId)).toEqual([1n, 3n]);
    await open().dropTable(ident, false);
  }
});

test("other catalogs write the same file, large ones too", async () => {
  const memory = new MemoryCatalog("lake", store, "s3://lake", context);
  const big = { action: "set-properties" as const, updates: new Map([["note", "x".repeat(1 << 20)]]) };
  expect(await memory.commit([{ ...create("gzip"), updates: [...create("gzip").updates, big] }])).toMatchObject({
    outcome: "committed",
  });
  const { metadata, metadataLocation } = (await memory.loadTable(ident))!;
  expect(metadataLocation).toMatch(new RegExp(`/00000-${UUID}\\.gz\\.metadata\\.json$`));
  const bytes = await store.read(metadataLocation);
  expect(bytes.length).toBeLessThan(20_000);
  expect(parseTableMetadata(bytes, metadataLocation)).toEqual(metadata);
});
