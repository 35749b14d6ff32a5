import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { probeForeignDisk, probeSqlite } from "../../../src/catalogs/sqlite-probe.ts";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import { STORE_PROBES } from "../../../src/storage/store-probes.ts";
import type { FileIO } from "../../../table-format/index.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const runtime = virtualRuntime(1);
const storeOf = () => createMemoryStorage(() => runtime.clock.nowMs());

/** A store that breaks one promise. */
function broken(change: (store: FileIO) => Partial<FileIO>): FileIO {
  const store = storeOf();
  const changed = change(store);
  return new Proxy(store, {
    get(target, property) {
      const own: unknown = Reflect.get(changed, property);
      const value: unknown = own ?? Reflect.get(target, property, target);
      return typeof value === "function" ? (value.bind(own === undefined ? target : changed) as unknown) : value;
    },
  });
}

const run = (name: string, io: FileIO) =>
  STORE_PROBES.find((probe) => probe.name === name)!.run({ io, root: "mem://w", runtime });

describe("the probes of a store", () => {
  it("pass on one that keeps its promises, and leave nothing behind", async () => {
    const io = storeOf();
    for (const { name } of STORE_PROBES) expect(await run(name, io)).toMatch(/./);
    const left: string[] = [];
    for await (const { location } of io.list("mem://w")) left.push(location);
    expect(left).toEqual([]);
  });

  it.each<[string, string, (store: FileIO) => Partial<FileIO>]>([
    [
      "conditional-writes",
      "STORE_CONDITIONAL_WRITES",
      (store) => ({
        async create(location, bytes) {
          await store.write(location, bytes);
          return { outcome: "created", etag: (await store.stat(location))!.etag };
        },
      }),
    ],
    [
      "read-after-write",
      "STORE_READ_AFTER_WRITE",
      (store) => {
        const cached = new Map<string, Uint8Array>();
        return {
          async read(location) {
            cached.set(location, cached.get(location) ?? (await store.read(location)));
            return cached.get(location)!;
          },
        };
      },
    ],
    [
      "list-after-write",
      "STORE_LIST_AFTER_WRITE",
      (store) => ({
        async *list(prefix) {
          for await (const entry of store.list(prefix)) if (!entry.location.endsWith("-3")) yield entry;
        },
      }),
    ],
    ["ranges", "STORE_RANGES", (store) => ({ readRange: async (location) => store.read(location) })],
    [
      "names",
      "STORE_NAMES",
      (store) => ({
        async *list(prefix) {
          for await (const entry of store.list(prefix)) yield { ...entry, location: encodeURI(entry.location) };
        },
      }),
    ],
    [
      "list-pages",
      "STORE_LIST_PAGES",
      (store) => ({
        async *list(prefix) {
          let count = 0;
          for await (const entry of store.list(prefix)) if (count++ < 1000) yield entry;
        },
      }),
    ],
    [
      "clock",
      "STORE_CLOCK",
      (store) => ({
        async *list(prefix) {
          for await (const entry of store.list(prefix)) {
            yield { ...entry, lastModifiedMs: entry.lastModifiedMs - 3_600_000 };
          }
        },
      }),
    ],
  ])("%s fails with %s on one that does not", async (name, code, change) => {
    await expect(run(name, broken(change))).rejects.toMatchObject({ kind: "config", code });
  });
});

describe("the locks of a catalog's file", () => {
  let folder: string;
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "frazil-locks-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it("hold on a disk of this machine, and nothing is left behind", async () => {
    expect(await probeSqlite(join(folder, "probe.sqlite"), process.execPath)).toMatch(/kept out/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it("are missed where they do nothing", async () => {
    // SQLite without locks does what a file system does whose locks are for show.
    const path = `file:${join(folder, "probe.sqlite")}?nolock=1`;
    await expect(probeSqlite(path, process.execPath)).rejects.toMatchObject({ kind: "config", code: "SQLITE_LOCKS" });
  });

  it("are tried at a start but on disks of this machine", async () => {
    const { log, random } = runtime;
    const nowhere = join(folder, "no-such-program");
    const warnings: string[] = [];
    const warned = { ...log, warn: (message: string) => void warnings.push(message) };
    const [nfs, ext4] = [0x6969, 0xef53];
    await probeForeignDisk(folder, nowhere, { random, log: warned }, async () => ext4);
    expect(warnings).toEqual([]);
    await probeForeignDisk(folder, process.execPath, { random, log: warned }, async () => nfs);
    expect(warnings).toEqual([]);
    await probeForeignDisk(folder, nowhere, { random, log: warned }, async () => nfs);
    expect(warnings).toEqual(["the locks of the catalog's file could not be tried"]);
    expect(readdirSync(folder)).toEqual([]);
  });
});
