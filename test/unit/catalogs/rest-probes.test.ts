import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CATALOG_PROBES, probeTransactions } from "../../../src/catalogs/rest-probes.ts";
import type { TriedCatalog } from "../../../src/catalogs/rest-trial.ts";
import { parseJob } from "../../../src/config/load.ts";
import { exitCodeOf } from "../../../src/core/errors.ts";
import type { Runtime } from "../../../src/core/runtime.ts";
import { SOURCES } from "../../../src/registry.ts";
import { run } from "../../../src/run.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import {
  type CommitOutcome,
  type FileIO,
  type LoadedTable,
  type ManagedCatalog,
  MemoryCatalog,
  RestCatalog,
  type TableChange,
  type TableRequirement,
} from "../../../table-format/index.ts";
import { type RestServer, type RestServerOptions, startRestServer } from "../../support/rest/rest-server.ts";
import { systemRuntimeParts } from "../storage/runtime-parts.ts";

/** What a server gets wrong. */
type Lie =
  | "forgets the tag"
  | "forgets main"
  | "forgets the table"
  | "forgets the schema"
  | "says yes to all"
  | "says no to all"
  | "rounds numbers"
  | "does late requests again"
  | "tears commits";

const warnings: string[] = [];
const runtime: Runtime = {
  ...systemRuntimeParts(),
  log: { debug() {}, info() {}, warn: (message) => void warnings.push(message), error() {} },
  step: () => undefined,
};

let folder: string;
let server: RestServer | null = null;
let behind: MemoryCatalog;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "frazil-rest-probes-"));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(async () => {
  warnings.length = 0;
  await server?.[Symbol.asyncDispose]();
});

let lakes = 0;
const clock = { nowMs: () => Date.now(), uuid: () => crypto.randomUUID() };

/** A server, and a job's block `warehouse` for it. */
async function serve(lie: Lie | null, options: RestServerOptions = {}, io: FileIO = createLocalStorage()) {
  const location = join(folder, `lake-${lakes++}`);
  behind = new MemoryCatalog("behind", io, location, clock);
  server = await startRestServer(lie === null ? behind : lying(behind, lie), options);
  return { location, catalog: { type: "rest", uri: server.uri } };
}

function jobOf(warehouse: Awaited<ReturnType<typeof serve>>) {
  return parseJob(
    {
      name: "shop",
      source: { type: "generator", seed: 7, events: 200, splits: 1 },
      warehouse,
      tables: [{ from: "shop.customers", to: "shop.customers", mode: "upsert" }],
    },
    SOURCES,
  );
}

async function start(warehouse: Awaited<ReturnType<typeof serve>>): Promise<void> {
  const observer = { started() {}, progress() {}, committed() {}, notice() {} };
  const stop = new AbortController().signal;
  await run(jobOf(warehouse), runtime, { end: { caughtUp: true, afterMs: null, maxRows: null }, stop, observer });
}

/** A server over a store in memory, and clients of it. */
async function tried(lie: Lie | null, options: RestServerOptions = {}): Promise<TriedCatalog> {
  const io = createMemoryStorage();
  const { location, catalog } = await serve(lie, options, io);
  const connect: TriedCatalog["connect"] = (around, transactions) =>
    new RestCatalog(
      { name: "lake", uri: catalog.uri, warehouseLocation: location, transactions },
      { ...clock, fetch: around?.(fetch) ?? fetch, sleep: async () => undefined },
    );
  return { connect, io, runtime };
}

const namespaces = async (): Promise<string[]> => (await behind.listNamespaces()).map((each) => each.join("."));

describe("a REST catalog", () => {
  it.each([{}, { idempotent: true }])(
    "passes all probes, which leave nothing behind (%o)",
    async (options) => {
      const catalog = await tried(null, options);
      for (const probe of CATALOG_PROBES) {
        expect(await probe.run(catalog, 1), probe.name).toEqual({ found: expect.any(String), note: null });
      }
      expect(await probeTransactions(catalog, 1)).toEqual({
        found: expect.stringMatching(/all or nothing/),
        note: null,
      });
      expect(await namespaces()).toEqual([]);
      const left: string[] = [];
      for await (const { location } of catalog.io.list(folder)) left.push(location);
      expect(left).toEqual([]);
    },
    60_000,
  );

  it("is not said to tear commits over several tables where it offers none", async () => {
    const catalog = await tried(null, { endpoints: [] });
    expect(await probeTransactions(catalog)).toBeNull();
    expect(await namespaces()).toEqual([]);
  });

  const seen: readonly (readonly [Lie, probe: string, code: string])[] = [
    ["forgets the tag", "asserts", "CATALOG_ASSERTS"],
    ["forgets main", "asserts", "CATALOG_ASSERTS"],
    ["forgets the table", "asserts", "CATALOG_ASSERTS"],
    ["forgets the schema", "asserts", "CATALOG_ASSERTS"],
    ["says yes to all", "swap", "CATALOG_SWAP"],
    ["says no to all", "swap", "CATALOG_COMMIT"],
    ["says yes to all", "creation", "CATALOG_CREATION"],
    ["rounds numbers", "reads", "CATALOG_READS"],
    ["does late requests again", "repeats", "CATALOG_REPEATS"],
  ];

  it.each(seen)("that %s fails the probe %s, and is left as it was", async (lie, name, code) => {
    const catalog = await tried(lie);
    const probe = CATALOG_PROBES.find((each) => each.name === name)!;
    await expect(probe.run(catalog)).rejects.toMatchObject({ code, kind: "config" });
    expect(await namespaces()).toEqual([]);
  });

  it("that tears commits fails the probe of transactions", async () => {
    const catalog = await tried("tears commits");
    await expect(probeTransactions(catalog)).rejects.toMatchObject({ code: "CATALOG_TRANSACTIONS" });
  });
});

describe("a job's start", () => {
  it("tries a REST catalog with some small requests, and leaves nothing behind", async () => {
    const warehouse = await serve(null);
    await start(warehouse);
    expect(await namespaces()).toEqual(["shop"]);
    const asked = server!.seen.filter(({ url, body }) => `${url} ${body}`.includes("frazil_probe"));
    expect(asked.length).toBeLessThanOrEqual(40);
    expect(warnings).toEqual([]);
  });

  it.each([
    ["forgets the tag", "CATALOG_ASSERTS"],
    ["says yes to all", "CATALOG_ASSERTS"],
  ] as const)("refuses one that %s, and makes no table there", async (lie, code) => {
    const refused = await start(await serve(lie)).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code, hint: expect.stringMatching(/catalog/) });
    expect(exitCodeOf(refused)).toBe(78);
    expect(await namespaces()).toEqual([]);
  });

  it("takes one that lets it make no namespace to try, and says so", async () => {
    const warehouse = await serve(null);
    await behind.ensureNamespace(["shop"]);
    server!.fault = ({ method, url }) =>
      method === "POST" && url.endsWith("/namespaces") ? { at: "before", status: 403 } : null;
    await start(warehouse);
    expect(warnings).toEqual(["the catalog could not be tried"]);
    expect(await behind.listTables(["shop"])).toHaveLength(1);
  });
});

/** The catalog, but for what the lie says. */
function lying(catalog: MemoryCatalog, lie: Lie): ManagedCatalog {
  const without = (forgotten: (requirement: TableRequirement) => boolean) => (changes: readonly TableChange[]) =>
    catalog.commit(
      changes.map((change) => ({ ...change, requirements: change.requirements.filter((each) => !forgotten(each)) })),
    );
  const commits: Partial<Record<Lie, (changes: readonly TableChange[]) => Promise<CommitOutcome>>> = {
    "forgets the tag": without((each) => each.type === "assert-ref-snapshot-id" && each.ref !== "main"),
    "forgets main": without((each) => each.type === "assert-ref-snapshot-id" && each.ref === "main"),
    "forgets the table": without(({ type }) => type === "assert-table-uuid"),
    "forgets the schema": without(({ type }) => type === "assert-current-schema-id"),
    "says yes to all": async (changes) => {
      const outcome = await catalog.commit(changes);
      if (outcome.outcome !== "conflict") return outcome;
      const tables = await Promise.all(changes.map(({ ident }) => catalog.loadTable(ident)));
      return { outcome: "committed", tables: tables.filter((table) => table !== null) };
    },
    "says no to all": async (changes) =>
      changes.some(({ requirements }) => requirements.some(({ type }) => type === "assert-create"))
        ? catalog.commit(changes)
        : { outcome: "conflict", table: changes[0]!.ident, requirement: null, message: "busy" },
    "does late requests again": async (changes) => {
      const outcome = await catalog.commit(changes);
      if (outcome.outcome !== "conflict") return outcome;
      // It finds the snapshot there, and moves the refs to it once more.
      const refs = changes.map((change) => ({
        ...change,
        requirements: [],
        updates: change.updates.filter(({ action }) => action === "set-snapshot-ref"),
      }));
      return catalog.commit(refs);
    },
    "tears commits": async (changes) => {
      let last: CommitOutcome | null = null;
      for (const change of changes) {
        last = await catalog.commit([change]);
        if (last.outcome !== "committed") return last;
      }
      return { outcome: "committed", tables: last?.outcome === "committed" ? last.tables : [] };
    },
  };
  const commit = commits[lie] ?? ((changes: readonly TableChange[]) => catalog.commit(changes));
  const shown = (table: LoadedTable): LoadedTable => (lie === "rounds numbers" ? rounded(table) : table);
  return new Proxy(catalog, {
    get(target, property) {
      if (property === "commit") {
        return async (changes: readonly TableChange[]) => {
          const outcome = await commit(changes);
          return outcome.outcome === "committed" ? { ...outcome, tables: outcome.tables.map(shown) } : outcome;
        };
      }
      if (property === "loadTable") {
        return async (ident: Parameters<MemoryCatalog["loadTable"]>[0]) => {
          const table = await target.loadTable(ident);
          return table === null ? null : shown(table);
        };
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** As a server that keeps integers as doubles. */
function rounded(table: LoadedTable): LoadedTable {
  const refs = [...table.metadata.refs].map(([name, ref]) => {
    const { maxRefAgeMs } = ref;
    return [
      name,
      maxRefAgeMs === undefined ? ref : { ...ref, maxRefAgeMs: BigInt(Number(maxRefAgeMs)) - 1024n },
    ] as const;
  });
  return { ...table, metadata: { ...table.metadata, refs: new Map(refs) } };
}
