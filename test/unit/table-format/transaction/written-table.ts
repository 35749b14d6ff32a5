import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import {
  type Catalog,
  commitOperations,
  currentSnapshot,
  type DataFile,
  type FileIO,
  type LiveFile,
  type LoadedTable,
  MemoryCatalog,
  type PartitionSpec,
  planSnapshot,
  type Schema,
  snapshotById,
  type TableOperation,
  type Value,
  type WriteContext,
} from "../../../../table-format/index.ts";
import { dataFile } from "../data-file.ts";

export const SCHEMA: Schema = {
  schemaId: 0,
  fields: [
    { id: 1, name: "id", required: true, type: { kind: "long" } },
    { id: 2, name: "part", required: false, type: { kind: "string" } },
  ],
  identifierFieldIds: [1],
};
export const BY_PART: PartitionSpec = {
  specId: 0,
  fields: [{ sourceId: 2, fieldId: 1000, name: "part", transform: "identity" }],
};

export interface TableGiven {
  readonly formatVersion?: 1 | 2 | 3;
  readonly spec?: PartitionSpec;
  readonly schema?: Schema;
  readonly properties?: Readonly<Record<string, string>>;
  readonly io?: FileIO;
  readonly warehouse?: string;
  /** Stands between the writers and the catalog. */
  readonly wrap?: (catalog: Catalog) => Catalog;
}

/** A table that is written through the public operations; pauses take no time, and are recorded. */
export class WrittenTable {
  readonly pauses: number[] = [];
  readonly ident = { namespace: ["ns"], name: "t" };
  readonly io: FileIO;
  readonly context: WriteContext;
  nowMs = 1_795_000_000_000;

  private constructor(io: FileIO, catalog: Catalog, uuid: () => string) {
    this.io = io;
    this.context = {
      catalog,
      io,
      nowMs: () => this.nowMs++,
      uuid,
      sleep: async (durationMs) => {
        this.pauses.push(durationMs);
        this.nowMs += durationMs;
      },
    };
  }

  static async create(given: TableGiven = {}): Promise<WrittenTable> {
    const io = given.io ?? createMemoryStorage();
    let uuids = 0;
    const uuid = () => `00000000-0000-4000-8000-${String(++uuids).padStart(12, "0")}`;
    const memory = new MemoryCatalog("frazil", io, given.warehouse ?? "mem://w", { nowMs: () => table.nowMs++, uuid });
    const table: WrittenTable = new WrittenTable(io, given.wrap?.(memory) ?? memory, uuid);
    await memory.ensureNamespace(["ns"]);
    const created = await memory.commit([
      {
        ident: table.ident,
        requirements: [{ type: "assert-create" }],
        updates: [
          { action: "assign-uuid", uuid: "8a3c4d5e-0000-4000-8000-000000000001" },
          { action: "upgrade-format-version", formatVersion: given.formatVersion ?? 3 },
          { action: "add-schema", schema: given.schema ?? SCHEMA, lastColumnId: 2 },
          { action: "set-current-schema", schemaId: -1 },
          { action: "add-spec", spec: given.spec ?? { specId: 0, fields: [] } },
          { action: "set-default-spec", specId: -1 },
          { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
          { action: "set-default-sort-order", sortOrderId: -1 },
          { action: "set-location", location: memory.defaultLocation(table.ident) },
          { action: "set-properties", updates: new Map(Object.entries(given.properties ?? {})) },
        ],
      },
    ]);
    if (created.outcome !== "committed") throw new Error("the table was not created");
    return table;
  }

  async load(): Promise<LoadedTable> {
    const loaded = await this.context.catalog.loadTable(this.ident);
    if (loaded === null) throw new Error("no such table");
    return loaded;
  }

  /** Commits to the table as it is now. */
  async commit(...operations: TableOperation[]): Promise<LoadedTable> {
    return commitOperations(this.context, await this.load(), ...operations);
  }

  /** Commits to the table as the caller knew it. */
  async commitFrom(known: LoadedTable, ...operations: TableOperation[]): Promise<LoadedTable> {
    return commitOperations(this.context, known, ...operations);
  }

  async head() {
    const { metadata } = await this.load();
    return currentSnapshot(metadata)!;
  }

  /** Names of the live files of `main` or of a snapshot, sorted; delete files as `path of data file`. */
  async live(snapshotId?: bigint): Promise<string[]> {
    const { dataFiles, deletes } = await this.plan(snapshotId);
    const named = [...deletes].flatMap(([path, each]) => each.map(({ file }) => `${nameOf(file)} of ${path}`));
    return [...dataFiles.map(({ file }) => file.filePath), ...new Set(named)].sort();
  }

  async plan(snapshotId?: bigint) {
    const { metadata } = await this.load();
    const snapshot = snapshotId === undefined ? currentSnapshot(metadata) : snapshotById(metadata, snapshotId);
    if (snapshot === null) return { dataFiles: [], deletes: new Map<string, LiveFile[]>() };
    return planSnapshot(this.io, metadata, snapshot);
  }

  async liveFile(path: string): Promise<LiveFile> {
    const { dataFiles, deletes } = await this.plan();
    const all = [...dataFiles, ...[...deletes.values()].flat()];
    const found = all.find(({ file }) => nameOf(file) === path);
    if (found === undefined)
      throw new Error(`no live file ${path} among ${all.map(({ file }) => nameOf(file)).join()}`);
    return found;
  }
}

const nameOf = (file: DataFile) =>
  file.contentOffset === null ? file.filePath : `${file.filePath}#${file.contentOffset}`;

/** A data file that is nothing but a name. */
export const file = (filePath: string, part?: Value | null, recordCount = 10n): DataFile =>
  dataFile({ filePath, recordCount, partition: part === undefined ? [] : [part] });

/** A deletion vector that is nothing but a name. */
export const vector = (filePath: string, of: string, part?: Value, contentOffset = 4n): DataFile =>
  dataFile({
    content: "position-deletes",
    fileFormat: "PUFFIN",
    filePath,
    partition: part === undefined ? [] : [part],
    referencedDataFile: of,
    recordCount: 1n,
    contentOffset,
    contentSizeBytes: 40n,
  });

/** An equality delete file that is nothing but a name. */
export const equalityDeletes = (filePath: string, part?: Value): DataFile =>
  dataFile({
    content: "equality-deletes",
    filePath,
    partition: part === undefined ? [] : [part],
    equalityIds: [1],
    recordCount: 1n,
  });
