import { expect, test } from "vitest";
import type { FileIO } from "../../../table-format/index.ts";
import type { Random } from "../../../src/core/runtime.ts";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import { probeConditionalWrites } from "../../../src/storage/probe.ts";
import { createS3Storage } from "../../../src/storage/s3.ts";
import { reply, startFakeS3 } from "./fake-s3.ts";

const random: Random = { uint32: () => 7 };
const root = "memory://lake/warehouse";

async function left(io: FileIO): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of io.list("memory://lake")) found.push(entry.location);
  return found;
}

test("a store whose conditions work passes, and nothing is left", async () => {
  const io = createMemoryStorage();
  await probeConditionalWrites(io, root, random);
  expect(await left(io)).toEqual([]);
});

// Simulation, seed 77024: a client repeats a request below its caller. In the next round the same bytes had the same tag, and two writers won.
test("a winner that was told to have lost is no second one in the next round", async () => {
  const io = createMemoryStorage();
  const replace = io.replace.bind(io);
  let requests = 0;
  io.replace = async (location, bytes, etag) => {
    if (requests++ === 0) await replace(location, bytes, etag);
    return replace(location, bytes, etag);
  };
  await probeConditionalWrites(io, root, random);
  expect(await left(io)).toEqual([]);
});

/** Stores that break one rule each, as real ones have. */
const broken: Record<string, { readonly message: RegExp; readonly store: (io: FileIO) => Partial<FileIO> }> = {
  "If-None-Match ignored": {
    message: /create one object.*expected exactly 1 winner, found 8/,
    store: (io) => ({
      create: async (location, bytes) => {
        await io.write(location, bytes);
        return { outcome: "created", etag: "x" };
      },
    }),
  },
  "If-None-Match always refused": {
    message: /create one object.*expected exactly 1 winner, found 0/,
    store: () => ({ create: async () => ({ outcome: "exists" }) }),
  },
  "a loser's bytes stored": {
    message: /expected the winner's bytes/,
    store: (io) => ({
      create: async (location, bytes) => {
        const result = await io.create(location, bytes);
        if (result.outcome === "exists") await io.write(location, bytes);
        return result;
      },
    }),
  },
  "If-Match checked before a slow write": {
    message: /If-Match with its tag.*found 8/,
    store: (io) => ({
      replace: async (location, bytes, etag) => {
        if ((await io.stat(location))?.etag !== etag) return { outcome: "conflict" };
        await new Promise((resolve) => setTimeout(resolve, 5));
        await io.write(location, bytes);
        return { outcome: "replaced", etag: (await io.stat(location))?.etag ?? "" };
      },
    }),
  },
  "a stale tag accepted": {
    message: /stale tag.*expected no winner, found 1/,
    store: (io) => {
      let calls = 0;
      return {
        replace: async (location, bytes, etag) => {
          const current = calls++ === 8 ? (await io.stat(location))?.etag : etag;
          return io.replace(location, bytes, current ?? etag);
        },
      };
    },
  },
  "a missing object created by If-Match": {
    message: /missing object.*expected no winner, found 1/,
    store: (io) => ({
      replace: async (location, bytes, etag) => {
        if ((await io.stat(location)) !== null && !location.endsWith("missing")) {
          return io.replace(location, bytes, etag);
        }
        await io.write(location, bytes);
        return { outcome: "replaced", etag: "x" };
      },
    }),
  },
};

for (const [name, { message, store }] of Object.entries(broken)) {
  test(`refused: ${name}`, async () => {
    const memory = createMemoryStorage();
    const io: FileIO = Object.assign(Object.create(memory) as FileIO, store(memory));
    await expect(probeConditionalWrites(io, root, random)).rejects.toMatchObject({
      kind: "config",
      code: "STORE_CONDITIONAL_WRITES",
      message: expect.stringMatching(message),
    });
    expect(await left(memory)).toEqual([]);
  });
}

test("an S3 store that ignores the headers is refused", async () => {
  const objects = new Map<string, Buffer>();
  await using server = await startFakeS3(({ method, url, body }) => {
    const key = new URL(url, "http://x").pathname;
    if (method === "PUT") objects.set(key, body);
    if (method === "DELETE") objects.delete(key);
    return reply(objects.has(key) || method === "DELETE" ? 200 : 404, { etag: '"x"' }, objects.get(key)?.toString());
  });
  const io = createS3Storage(server.settings, server.deps);
  await expect(probeConditionalWrites(io, "s3://lake/warehouse", random)).rejects.toMatchObject({
    code: "STORE_CONDITIONAL_WRITES",
  });
  expect(objects.size).toBe(0);
});
