import { expect, test } from "vitest";
import { createLentS3Storage } from "../../../src/storage/lent-s3.ts";
import { startFakeS3 } from "./fake-s3.ts";

test("each table's files are asked for with what is lent for it, the others with the settings' own", async () => {
  await using fake = await startFakeS3(() => (response) => response.writeHead(200, { ETag: '"1"' }).end("bytes"));
  const { endpoint = "" } = fake.settings;
  const ends = Date.now() + 3_600_000;
  let lends = 0;
  const storage = createLentS3Storage(
    { ...fake.settings, accessKeyId: "own", secretAccessKey: "s" },
    fake.deps,
    async (location) => {
      const table = /^s3:\/\/lake\/shop\/[^/]+/.exec(location)?.[0];
      if (table === undefined) return null;
      const properties = new Map([
        ["s3.access-key-id", `${table.split("/").at(-1)}-${++lends}`],
        ["s3.secret-access-key", "lent"],
        ["s3.session-token", "session"],
        ["s3.session-token-expires-at-ms", String(ends)],
        ["s3.endpoint", endpoint],
        ["s3.path-style-access", "true"],
      ]);
      return { prefix: table, properties };
    },
  );
  const keyOf = async (location: string): Promise<string | undefined> => {
    await storage.read(location);
    return /Credential=([^/]+)\//.exec(fake.requests.at(-1)?.headers.authorization ?? "")?.[1];
  };
  expect(await keyOf("s3://lake/_ingest/job/ledger.json")).toBe("own");
  expect(await keyOf("s3://lake/shop/orders/data/a.parquet")).toMatch(/^orders-/);
  expect(fake.requests.at(-1)?.headers["x-amz-security-token"]).toBe("session");
  expect(await keyOf("s3://lake/shop/items/data/a.parquet")).toMatch(/^items-/);
  const held = await keyOf("s3://lake/shop/orders/data/b.parquet");
  expect(await keyOf("s3://lake/shop/orders/data/a.parquet")).toBe(held);
});

test("access that has ended is asked for again", async () => {
  await using fake = await startFakeS3(() => (response) => response.writeHead(200, { ETag: '"1"' }).end("bytes"));
  let lends = 0;
  const storage = createLentS3Storage(fake.settings, fake.deps, async () => ({
    prefix: "s3://lake",
    properties: new Map([
      ["s3.access-key-id", `key-${++lends}`],
      ["s3.secret-access-key", "lent"],
      ["s3.session-token-expires-at-ms", String(Date.now() + 1000)],
    ]),
  }));
  const seen = new Set<string | undefined>();
  for (let i = 0; i < 3; i++) {
    await storage.read("s3://lake/a");
    seen.add(/Credential=([^/]+)\//.exec(fake.requests.at(-1)?.headers.authorization ?? "")?.[1]);
  }
  expect(seen.size).toBe(3);
});
