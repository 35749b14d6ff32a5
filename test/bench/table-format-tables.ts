import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSqliteCatalog } from "../../src/catalogs/sqlite.ts";
import { randomUuid } from "../../src/core/runtime.ts";
import { createLocalStorage } from "../../src/storage/local.ts";
import { systemRandom } from "../../src/system.ts";
import {
  currentSnapshot,
  type DataFile,
  encodeValue,
  type FileIO,
  type LoadedTable,
  must,
  parquetDataFile,
  type PartitionSpec,
  type PrimitiveType,
  type Schema,
  type Snapshot,
  type TableUpdate,
  tableMetadataBytes,
} from "../../table-format/index.ts";
import type { ManagedCatalog } from "../../table-format/catalog/managed-catalog.ts";
import type { ManifestFile } from "../../table-format/manifest/manifest-file.ts";
import { encodeManifestList } from "../../table-format/manifest/manifest-list.ts";
import { writeManifest } from "../../table-format/manifest/manifest-writer.ts";
import { newSnapshot } from "../support/new-snapshot.ts";

export const TABLE = { namespace: ["bench"], name: "t" };
/** Rows of each data file. */
export const ROWS_A_FILE = 1_000;
/** The partition of the first manifest; each has a day of its own. */
export const FIRST_DAY = 18_000;

const column = (id: number, name: string, type: PrimitiveType) => ({ id, name, required: false, type });

const SCHEMA: Schema = {
  schemaId: 0,
  fields: [
    column(1, "id", { kind: "long" }),
    column(2, "customer", { kind: "string" }),
    column(3, "status", { kind: "string" }),
    column(4, "amount", { kind: "decimal", precision: 12, scale: 2 }),
    column(5, "quantity", { kind: "int" }),
    column(6, "created_at", { kind: "timestamptz" }),
    column(7, "day", { kind: "date" }),
    column(8, "region", { kind: "string" }),
  ],
  identifierFieldIds: [],
};
const SPEC: PartitionSpec = { specId: 0, fields: [{ sourceId: 7, fieldId: 1000, name: "day", transform: "identity" }] };

/** A warehouse with one table of format version 2, the newest that PyIceberg writes. */
export interface BenchTable {
  readonly folder: string;
  readonly io: FileIO;
  readonly catalog: ManagedCatalog;
  load(): Promise<LoadedTable>;
  /** @throws Error when the catalog does not take them */
  commit(updates: readonly TableUpdate[]): Promise<LoadedTable>;
}

/** Opens the warehouse in a folder, through a store that may watch what is written. */
export function openBenchTable(folder: string, io: FileIO = createLocalStorage()): BenchTable {
  const context = { nowMs: () => Date.now(), uuid: () => randomUuid(systemRandom) };
  const path = join(folder, "catalog.sqlite");
  const catalog = openSqliteCatalog({ path, name: "bench", warehouseLocation: folder, io, ...context });
  return {
    folder,
    io,
    catalog,
    load: async () => must(await catalog.loadTable(TABLE), "the table"),
    async commit(updates) {
      const isNew = updates[0]?.action === "assign-uuid";
      const requirements = isNew ? [{ type: "assert-create" } as const] : [];
      const outcome = await catalog.commit([{ ident: TABLE, requirements, updates }]);
      if (outcome.outcome !== "committed") throw new Error(`the commit is ${outcome.outcome}`);
      return must(outcome.tables[0], "the table");
    },
  };
}

/** Makes the table, without rows. */
export async function createBenchTable(
  folder: string,
  properties: ReadonlyMap<string, string> = new Map(),
  io?: FileIO,
): Promise<BenchTable> {
  const table = openBenchTable(folder, io);
  await table.catalog.ensureNamespace(TABLE.namespace);
  await table.commit([
    { action: "assign-uuid", uuid: randomUuid(systemRandom) },
    { action: "upgrade-format-version", formatVersion: 2 },
    { action: "add-schema", schema: SCHEMA, lastColumnId: 8 },
    { action: "set-current-schema", schemaId: -1 },
    { action: "add-spec", spec: SPEC },
    { action: "set-default-spec", specId: -1 },
    { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
    { action: "set-default-sort-order", sortOrderId: -1 },
    { action: "set-location", location: table.catalog.defaultLocation(TABLE) },
    { action: "set-properties", updates: properties },
  ]);
  return table;
}

/** The data file with a number: ids from `number * ROWS_A_FILE` on, statistics of all eight columns, and no bytes anywhere. */
export function dataFile(location: string, number: number, day: number): DataFile {
  const ids = [number * ROWS_A_FILE, (number + 1) * ROWS_A_FILE - 1] as const;
  const bounds = ids.map((id, end) => {
    const values = [
      BigInt(id),
      `customer-${String(id).padStart(9, "0")}`,
      end === 0 ? "delivered" : "shipped",
      BigInt(id % 100_000),
      end === 0 ? 1 : 20,
      BigInt(day) * 86_400_000_000n + BigInt(id),
      day,
      end === 0 ? "ap-south" : "us-east",
    ];
    return new Map(
      SCHEMA.fields.map((each, i) => [
        each.id,
        encodeValue(each.type as PrimitiveType, must(values[i], "a value a field")),
      ]),
    );
  });
  const counts = (of: (id: number) => number) => new Map(SCHEMA.fields.map(({ id }) => [id, BigInt(of(id))]));
  return parquetDataFile(
    {
      recordCount: BigInt(ROWS_A_FILE),
      fileSizeBytes: BigInt(60_000 + (number % 1_000)),
      columnSizes: counts((id) => 2_000 + ((id * 7_919 + number) % 5_000)),
      valueCounts: counts(() => ROWS_A_FILE),
      nullValueCounts: counts((id) => (id === 2 ? number % 3 : 0)),
      nanValueCounts: null,
      lowerBounds: must(bounds[0], "two ends"),
      upperBounds: must(bounds[1], "two ends"),
      splitOffsets: [4n],
    },
    {
      filePath: `${location}/data/day=${day}/00000-${number}-8a3c4d5e-0000-4000-8000-000000000001.parquet`,
      specId: 0,
      partition: [day],
      sortOrderId: 0,
    },
  );
}

/** Commits one snapshot of `manifests` manifests with `filesEach` files of a day each; the data files themselves are not made. */
export async function fillManifests(table: BenchTable, manifests: number, filesEach: number): Promise<LoadedTable> {
  const { metadata } = await table.load();
  const snapshotId = 4_611_686_018_427_387_905n;
  const list: ManifestFile[] = [];
  for (let m = 0; m < manifests; m++) {
    const { bytes, manifest } = writeManifest(
      {
        location: `${metadata.location}/metadata/${snapshotId}-m${m}.avro`,
        formatVersion: 2,
        content: "data",
        spec: SPEC,
        schemas: metadata.schemas,
        snapshotId,
        sequenceNumber: 1n,
      },
      Array.from({ length: filesEach }, (_, k) => ({
        status: "added",
        snapshotId: null,
        sequenceNumber: null,
        fileSequenceNumber: null,
        file: dataFile(metadata.location, m * filesEach + k, FIRST_DAY + m),
      })),
    );
    // Thousands of files that only this process reads need not outlive a power cut.
    writeFileSync(manifest.path, bytes);
    list.push(manifest);
  }
  const manifestList = `${metadata.location}/metadata/snap-${snapshotId}.avro`;
  const options = {
    formatVersion: 2,
    snapshotId,
    parentSnapshotId: null,
    sequenceNumber: 1n,
    firstRowId: null,
  } as const;
  await table.io.write(manifestList, encodeManifestList(options, list));
  const snapshot = {
    snapshotId,
    parentSnapshotId: null,
    sequenceNumber: 1n,
    timestampMs: metadata.lastUpdatedMs,
    manifestList,
    summary: new Map([
      ["operation", "append"],
      ["total-data-files", String(manifests * filesEach)],
    ]),
    schemaId: 0,
    firstRowId: null,
    addedRows: null,
  };
  return table.commit([
    { action: "add-snapshot", snapshot },
    { action: "set-snapshot-ref", name: "main", ref: { snapshotId, type: "branch" } },
  ]);
}

/** Commits one data file as a snapshot of its own. */
export async function appendFile(table: BenchTable, number: number): Promise<void> {
  const { metadata } = await table.load();
  const addedDataFiles = [dataFile(metadata.location, 2_000_000 + number, FIRST_DAY)];
  const snapshotId = 5_000_000_000_000_000_000n + BigInt(number);
  await table.commit(await newSnapshot(table.io, metadata, { snapshotId, addedDataFiles }));
}

/** Puts `count` snapshots before the head of the table, which stays what it is. */
export async function lengthenHistory(table: BenchTable, count: number): Promise<void> {
  const head = must(currentSnapshot((await table.load()).metadata), "a head");
  const { path } = await writeLongHistory(table, count, head);
  await table.catalog.dropTable(TABLE, false);
  await table.catalog.registerTable(TABLE, path);
}

/**
 * Writes a metadata file of `count` snapshots as a pipeline's commits leave them; their manifests do not exist.
 * @param head one more on top, whose manifests do
 */
export async function writeLongHistory(
  table: BenchTable,
  count: number,
  head?: Snapshot,
): Promise<{ path: string; middle: Snapshot }> {
  const { metadata } = await table.load();
  const { location } = metadata;
  const startMs = metadata.lastUpdatedMs;
  const snapshots = Array.from({ length: count }, (_, i): Snapshot => {
    const snapshotId = idOf(i);
    return {
      snapshotId,
      parentSnapshotId: i === 0 ? null : idOf(i - 1),
      sequenceNumber: BigInt(i + 1),
      timestampMs: startMs + BigInt(i * 1_000),
      manifestList: `${location}/metadata/snap-${snapshotId}-1-8a3c4d5e-0000-4000-8000-000000000001.avro`,
      summary: summaryOf(i),
      schemaId: 0,
      firstRowId: null,
      addedRows: null,
    };
  });
  if (head !== undefined) {
    const parentSnapshotId = idOf(count - 1);
    const timestampMs = startMs + BigInt(count * 1_000);
    snapshots.push({ ...head, parentSnapshotId, sequenceNumber: BigInt(count + 1), timestampMs });
  }
  const last = must(snapshots.at(-1), "a snapshot");
  const bytes = tableMetadataBytes({
    ...metadata,
    lastSequenceNumber: last.sequenceNumber,
    lastUpdatedMs: last.timestampMs,
    currentSnapshotId: last.snapshotId,
    refs: new Map([["main", { snapshotId: last.snapshotId, type: "branch" }]]),
    snapshots,
    snapshotLog: snapshots.map(({ timestampMs, snapshotId }) => ({ timestampMs, snapshotId })),
  });
  const path = `${location}/metadata/00001-8a3c4d5e-0000-4000-8000-00000000000a.metadata.json`;
  await table.io.write(path, bytes);
  return { path, middle: must(snapshots[count >> 1], "a snapshot in the middle") };
}

/** Large and all different, as random ids are. */
function idOf(index: number): bigint {
  return BigInt.asUintN(62, BigInt(index + 1) * 2_862_933_555_777_941_757n) | (1n << 61n);
}

function summaryOf(index: number): Map<string, string> {
  const files = 5 * (index + 1);
  return new Map([
    ["operation", index % 4 === 0 ? "append" : "overwrite"],
    ["added-data-files", "5"],
    ["added-delete-files", "3"],
    ["added-dvs", "3"],
    ["added-records", "41724"],
    ["added-files-size", "1258291"],
    ["added-position-deletes", "6739"],
    ["changed-partition-count", "5"],
    ["total-records", String(41_724 * (index + 1))],
    ["total-files-size", String(1_258_291 * (index + 1))],
    ["total-data-files", String(files)],
    ["total-delete-files", String(3 * index)],
    ["total-position-deletes", String(6_739 * index)],
    ["total-equality-deletes", "0"],
    ["manifests-created", "2"],
    ["manifests-kept", String(index % 100)],
    ["manifests-replaced", "0"],
    ["ingest.pipeline", "shop"],
    ["ingest.epoch", "3"],
    ["ingest.checkpoint", String(index)],
    [
      "ingest.position",
      `{"kafka:shop.public.orders/0":${index * 5_000},"kafka:shop.public.orders/1":${index * 5_003}}`,
    ],
    ["ingest.valid-through", "2026-11-21T10:15:30.123Z"],
  ]);
}
