import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  confinedTo,
  type FileIO,
  insideOf,
  ObjectStoreCatalog,
  RestCatalog,
  type RestCatalogOptions,
  type RestFetch,
} from "../table-format/index.ts";
import type { TriedCatalog } from "./catalogs/rest-trial.ts";
import type { CatalogSettings, WarehouseSettings } from "./config/job-schema.ts";
import type { RestCatalogSettings } from "./config/rest-catalog-schema.ts";
import { tlsOptions } from "./config/tls-schema.ts";
import { FrazilError, must } from "./core/errors.ts";
import { PROBE_LIST_PAGE } from "./core/limits.ts";
import { randomUuid, type Runtime } from "./core/runtime.ts";
import { snapshotHolder } from "./core/snapshot-holds.ts";
import type { QueryWarehouse } from "./query/query-warehouse.ts";
import { httpFetch } from "./storage/http-fetch.ts";
import { createLentS3Storage } from "./storage/lent-s3.ts";
import { createLocalStorage } from "./storage/local.ts";
import { localNode } from "./storage/local-node.ts";
import { localPath } from "./storage/local-path.ts";
import { openScratchFolder } from "./storage/local-scratch.ts";
import { createS3Storage } from "./storage/s3.ts";
import { probeAtStart } from "./storage/start-probe.ts";

/** Where tables live, and the names they are found by. Close the catalog when done. */
export type Warehouse = QueryWarehouse;

type OpenRuntime = Pick<Runtime, "clock" | "random" | "log">;

/**
 * Opens the storage and the catalog that the settings name. Nothing is sent to a server yet, but for a catalog in PostgreSQL.
 *
 * @param mode `create` makes the folder and the catalog file when they are missing; `read` never writes.
 * @throws FrazilError `not-found`, code `WAREHOUSE_NOT_FOUND`, when `read` finds no catalog.
 */
export async function openWarehouse(
  settings: WarehouseSettings,
  runtime: OpenRuntime,
  mode: "create" | "read",
): Promise<Warehouse> {
  const remote = settings.location.startsWith("s3://");
  const location = remote || settings.location.startsWith("file://") ? settings.location : resolve(settings.location);
  const nowMs = (): number => runtime.clock.nowMs();
  const uuid = (): string => randomUuid(runtime.random);
  const { catalog } = settings;
  const rest = catalog.type === "rest" ? openRestCatalog(catalog, location, runtime) : null;
  const store = remote ? remoteStorage(settings, runtime, rest) : createLocalStorage();
  const roots = rootsOf(settings, location);
  const io = roots === null ? store : confinedTo(store, roots, HOW_TO_ALLOW);
  const hold = snapshotHolder(io, location, runtime);
  const around = {
    location,
    io,
    localPath: remote ? null : pathsBelow(roots),
    scratch: openScratchFolder,
    hold,
    roots,
  };
  if (catalog.type === "object-store") {
    return { ...around, catalog: new ObjectStoreCatalog(catalog.name, io, location, { nowMs, uuid }) };
  }
  if (catalog.type === "rest") return { ...around, catalog: must(rest, "opened above") };
  if (catalog.type === "postgres") {
    const { openPostgresCatalog } = await import("./catalogs/postgres.ts");
    const address = { ...catalog, tls: await tlsOptions(catalog.tls, "CATALOG_TLS") };
    const sleep = (durationMs: number): Promise<void> => runtime.clock.sleep(durationMs);
    const options = { address, name: catalog.name, warehouseLocation: location, io, nowMs, uuid, sleep };
    return { ...around, catalog: await openPostgresCatalog(options, mode) };
  }
  const path = sqlitePath(catalog, location);
  if (mode === "read" && !existsSync(path)) {
    throw new FrazilError(
      "not-found",
      "WAREHOUSE_NOT_FOUND",
      `there is no warehouse at ${location}: ${path} is missing`,
      {
        hint: "name another one with --warehouse, or start a job that writes to this one",
      },
    );
  }
  // Node's SQLite is loaded only where it is used: some versions of Node print a warning when it is.
  const { openSqliteCatalog } = await import("./catalogs/sqlite.ts");
  return {
    ...around,
    catalog: openSqliteCatalog({ path, name: catalog.name, warehouseLocation: location, io, nowMs, uuid }),
  };
}

const HOW_TO_ALLOW = "to allow it, name its folder in warehouse.confined_to";

function pathsBelow(roots: readonly string[] | null): (location: string) => string {
  if (roots === null) return localPath;
  const inside = insideOf(roots, HOW_TO_ALLOW);
  return (location) => localPath(inside(location));
}

/**
 * Where alone files are touched; null is anywhere. What a table says of its own places does not count: whoever can write manifests that name
 * foreign files can write that, too.
 */
function rootsOf({ confinedTo: folders, catalog }: WarehouseSettings, location: string): readonly string[] | null {
  if (folders === undefined) return null;
  const named = catalog.type === "rest" ? [location, catalog.tableLocation ?? location] : [location];
  return [...named, ...folders].flatMap((folder) => {
    if (folder.startsWith("s3://")) return [folder.replace(/\/+$/, "")];
    // Writers spell a path of this machine in three ways.
    const path = localPath(folder.startsWith("file:") ? folder : resolve(folder)).replace(/\/+$/, "");
    return [path, `file:${path}`, `file://${path}`];
  });
}

/** The file of a SQLite catalog: by default in the warehouse's folder. @param location absolute */
function sqlitePath({ path }: Extract<CatalogSettings, { type: "sqlite" }>, location: string): string {
  return resolve(path ?? join(localPath(location), "catalog.sqlite"));
}

/** Types of catalogs whose commits rest on nothing in the store, and that keep what others have in a ledger. */
const ownTransactions: ReadonlySet<CatalogSettings["type"]> = new Set(["sqlite", "postgres"]);

/**
 * Tries, at the start of what goes on writing, what exactly-once rests on in the store, in the file of a SQLite catalog and in a REST catalog. A
 * store needs less for a SQLite catalog than for one that is nothing but objects, and a folder of this machine less than a server.
 *
 * @throws FrazilError kind `config` where a promise is broken, `unavailable` where the store or the catalog cannot be asked
 */
export async function tryWarehouse(
  warehouse: Warehouse,
  settings: WarehouseSettings,
  runtime: OpenRuntime,
): Promise<void> {
  await tryStore(warehouse, settings, runtime);
  const tried = triedCatalog(warehouse, settings, runtime);
  if (tried === null) return;
  const { probeCatalogAtStart } = await import("./catalogs/rest-probes.ts");
  const { found, note } = await probeCatalogAtStart(tried);
  if (found === null) runtime.log.warn("the catalog could not be tried", { reason: note });
  else if (note !== null) runtime.log.warn("what the catalog was tried with is left behind", { reason: note });
}

/** A REST catalog as a thing to be tried, by clients of its own; null: another kind of catalog, whose commits are this project's own. */
export function triedCatalog(
  { io }: Warehouse,
  { catalog, location }: WarehouseSettings,
  runtime: OpenRuntime,
): TriedCatalog | null {
  if (catalog.type !== "rest") return null;
  return {
    io,
    runtime,
    connect: (around, transactions) =>
      openRestCatalog(catalog, location, runtime, { fetch: around?.(httpFetch), transactions }),
  };
}

async function tryStore(
  { io, location }: Warehouse,
  { catalog, s3 }: WarehouseSettings,
  runtime: OpenRuntime,
): Promise<void> {
  const remote = location.startsWith("s3://");
  const use = { conditionalWrites: !ownTransactions.has(catalog.type), lists: catalog.type === "object-store", remote };
  const pages = remote && use.lists ? createS3Storage({ ...s3, listPage: PROBE_LIST_PAGE }, runtime) : io;
  await probeAtStart(io, pages, location, runtime.random, use);
  // A folder's conditional writes are locks, as those of the catalog's file are.
  const onlyFolder = use.conditionalWrites && !remote ? localPath(location) : null;
  const locks = catalog.type === "sqlite" ? dirname(sqlitePath(catalog, location)) : onlyFolder;
  if (locks === null) return;
  const { probeForeignDisk } = await import("./catalogs/sqlite-probe.ts");
  await probeForeignDisk(locks, localNode, runtime);
}

function openRestCatalog(
  settings: RestCatalogSettings,
  location: string,
  runtime: OpenRuntime,
  {
    fetch = httpFetch,
    transactions,
  }: { fetch?: RestFetch | undefined } & Pick<RestCatalogOptions, "transactions"> = {},
): RestCatalog {
  const { tableLocation = location } = settings;
  const isAddress = /^(s3|file):\/\//.test(tableLocation);
  return new RestCatalog(
    { ...settings, transactions, warehouseLocation: isAddress ? tableLocation : resolve(tableLocation) },
    {
      fetch,
      nowMs: () => runtime.clock.nowMs(),
      uuid: () => randomUuid(runtime.random),
      sleep: (durationMs) => runtime.clock.sleep(durationMs),
    },
  );
}

/** Where the catalog lends access to the store, that counts before the settings. */
function remoteStorage({ catalog, s3 }: WarehouseSettings, runtime: OpenRuntime, rest: RestCatalog | null): FileIO {
  if (catalog.type !== "rest" || !catalog.vendedCredentials || rest === null) return createS3Storage(s3, runtime);
  return createLentS3Storage(s3, runtime, (location) => rest.lend(location));
}
