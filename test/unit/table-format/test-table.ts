import { createMemoryStorage } from "../../../src/storage/memory.ts";
import {
  type Catalog,
  createBuilder,
  currentSnapshot,
  type DataFile,
  defaultSpec,
  type FileIO,
  type LoadedTable,
  MemoryCatalog,
  openDataFileWriter,
  parquetDataFile,
  type PartitionSpec,
  partitionTuple,
  type Schema,
  type Snapshot,
  tupleKey,
} from "../../../table-format/index.ts";
import { isDeletionVector, writeDeletionVectors } from "../../../table-format/puffin/deletion-vector.ts";
import { RoaringBitmap } from "../../../table-format/puffin/roaring.ts";
import { deletedPositions } from "../../../table-format/scan/deleted-positions.ts";
import { planSnapshot } from "../../../table-format/scan/plan.ts";
import { writePositionDeletes } from "../../../table-format/scan/position-deletes.ts";
import type { Operation, SnapshotInput } from "../../../table-format/transaction/snapshot-producer.ts";
import { newSnapshot } from "../../support/new-snapshot.ts";

/** `day` is a date: days since 1970. */
export interface Row {
  readonly id: bigint;
  readonly name: string | null;
  readonly day: number | null;
}

export const ROW_SCHEMA: Schema = {
  schemaId: 0,
  fields: [
    { id: 1, name: "id", required: true, type: { kind: "long" } },
    { id: 2, name: "name", required: false, type: { kind: "string" } },
    { id: 3, name: "day", required: false, type: { kind: "date" } },
  ],
  identifierFieldIds: [1],
};

/** Rows of one commit: inserted, and taken out by id; files to be dropped whole, or rewritten without their deleted rows. */
export interface RowChange {
  readonly insert?: readonly Row[];
  readonly delete?: readonly bigint[];
  readonly rewrite?: readonly string[];
  readonly operation?: Operation;
  readonly summary?: ReadonlyMap<string, string>;
}

/** A table on a real catalog and storage, written through the snapshot producer, beside a plain model of what it must hold. */
export class TestTable {
  readonly io: FileIO;
  readonly #catalog: Catalog;
  readonly ident = { namespace: ["ns"], name: "t" };
  /** Rows of every snapshot, by id. */
  readonly history = new Map<bigint, readonly Row[]>();
  /** Rows as they were written, of every data file ever, by path. */
  readonly written = new Map<string, readonly Row[]>();
  table: LoadedTable;
  /** Rows by data file, null where deleted. */
  #files = new Map<string, { file: DataFile; rows: (Row | null)[] }>();
  #count = 0;

  private constructor(io: FileIO, catalog: Catalog, table: LoadedTable) {
    this.io = io;
    this.#catalog = catalog;
    this.table = table;
  }

  static async create(
    io: FileIO,
    catalog: Catalog,
    options: { formatVersion: 2 | 3; spec?: PartitionSpec; properties?: ReadonlyMap<string, string> },
  ): Promise<TestTable> {
    const ident = { namespace: ["ns"], name: "t" };
    await catalog.ensureNamespace(ident.namespace);
    const spec = options.spec ?? { specId: 0, fields: [] };
    const outcome = await catalog.commit([
      {
        ident,
        requirements: [{ type: "assert-create" }],
        updates: [
          { action: "assign-uuid", uuid: "8a3c4d5e-0000-4000-8000-000000000001" },
          { action: "upgrade-format-version", formatVersion: options.formatVersion },
          { action: "add-schema", schema: ROW_SCHEMA, lastColumnId: 3 },
          { action: "set-current-schema", schemaId: -1 },
          { action: "add-spec", spec },
          { action: "set-default-spec", specId: -1 },
          { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
          { action: "set-default-sort-order", sortOrderId: -1 },
          { action: "set-location", location: catalog.defaultLocation(ident) },
          { action: "set-properties", updates: options.properties ?? new Map() },
        ],
      },
    ]);
    if (outcome.outcome !== "committed") throw new Error(`create: ${JSON.stringify(outcome)}`);
    return new TestTable(io, catalog, outcome.tables[0]!);
  }

  get metadata() {
    return this.table.metadata;
  }

  get snapshot(): Snapshot {
    return currentSnapshot(this.metadata)!;
  }

  /** A table in memory. */
  static async inMemory(options: {
    formatVersion: 2 | 3;
    spec?: PartitionSpec;
    properties?: ReadonlyMap<string, string>;
  }): Promise<TestTable> {
    const io = createMemoryStorage();
    let uuids = 0;
    const uuid = () => `00000000-0000-4000-8000-${String(uuids++).padStart(12, "0")}`;
    return TestTable.create(
      io,
      new MemoryCatalog("frazil", io, "mem://w", { nowMs: () => 1_795_000_000_000, uuid }),
      options,
    );
  }

  /** Live rows of the model, by id. */
  rows(): Row[] {
    const live = [...this.#files.values()].flatMap(({ rows }) => rows.filter((row) => row !== null));
    return live.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get paths(): string[] {
    return [...this.#files.keys()];
  }

  /** Applies a change in one snapshot, as an upsert would: vectors merged, files without live rows dropped. */
  async change(change: RowChange): Promise<Snapshot> {
    const { io, metadata } = this;
    const snapshotId = 8_000_000_000_000_000_000n + BigInt(++this.#count);
    const prefix = `${metadata.location}/data/${this.#count}`;
    const old = currentSnapshot(metadata);
    const plan = old === null ? null : await planSnapshot(io, metadata, old);
    const model = new Map([...this.#files].map(([path, { file, rows }]) => [path, { file, rows: [...rows] }]));

    const removed = new Set<string>();
    const touched = new Set<string>();
    for (const id of change.delete ?? []) {
      for (const [path, { rows }] of model) {
        const position = rows.findIndex((row) => row?.id === id);
        if (position < 0) continue;
        rows[position] = null;
        touched.add(path);
      }
    }
    const inserted = [...(change.insert ?? [])];
    for (const path of change.rewrite ?? []) {
      inserted.push(...model.get(path)!.rows.filter((row) => row !== null));
      removed.add(path);
    }
    for (const path of touched) if (model.get(path)!.rows.every((row) => row === null)) removed.add(path);
    for (const path of removed) {
      model.delete(path);
      touched.delete(path);
    }
    const added = await this.#write(inserted, prefix);
    for (const each of added) model.set(each.file.filePath, each);

    const reader = deletedPositions(io);
    const vectors = [];
    const removedDeletes = [];
    for (const path of touched) {
      const { file, rows } = model.get(path)!;
      const before = await reader.of(file, plan!.deletes.get(path) ?? []);
      const now = RoaringBitmap.from(rows.flatMap((row, position) => (row === null ? [position] : [])));
      if (metadata.formatVersion === 2) {
        vectors.push({ dataFile: file, bitmap: now.difference(before) });
      } else {
        vectors.push({ dataFile: file, bitmap: now.union(before) });
        removedDeletes.push(...(plan!.deletes.get(path) ?? []).filter((each) => isDeletionVector(each.file)));
      }
    }
    const addedDeleteFiles =
      vectors.length === 0
        ? []
        : metadata.formatVersion === 3
          ? await writeDeletionVectors(io, `${prefix}-dv.puffin`, vectors)
          : await Promise.all(
              vectors.map(({ dataFile, bitmap }, i) =>
                writePositionDeletes(io, `${prefix}-del-${i}.parquet`, dataFile, bitmap),
              ),
            );
    await this.commit({
      snapshotId,
      ...(change.operation === undefined ? {} : { operation: change.operation }),
      addedDataFiles: added.map(({ file }) => file),
      removedDataFiles: (plan?.dataFiles ?? []).filter((each) => removed.has(each.file.filePath)),
      addedDeleteFiles,
      removedDeleteFiles: removedDeletes,
      summary: change.summary ?? new Map(),
    });
    this.#files = model;
    this.history.set(snapshotId, this.rows());
    return this.snapshot;
  }

  /** Produces and commits a snapshot as it is. */
  async commit(input: Omit<SnapshotInput, "timestampMs" | "schema" | "ref">): Promise<void> {
    const { metadata } = this;
    const outcome = await this.#catalog.commit([
      {
        ident: this.ident,
        requirements: [{ type: "assert-ref-snapshot-id", ref: "main", snapshotId: metadata.currentSnapshotId }],
        updates: await newSnapshot(this.io, metadata, input),
      },
    ]);
    if (outcome.outcome !== "committed") throw new Error(`commit: ${JSON.stringify(outcome, (_, v) => String(v))}`);
    this.table = outcome.tables[0]!;
  }

  /** One data file a partition. */
  async #write(rows: readonly Row[], prefix: string): Promise<{ file: DataFile; rows: Row[] }[]> {
    const spec = defaultSpec(this.metadata);
    const tupleOf = (row: Row) => partitionTuple(spec, ROW_SCHEMA, columnsOf([row]), 0);
    const files = [];
    for (const group of Map.groupBy(rows, (row) => tupleKey(tupleOf(row))).values()) {
      const filePath = `${prefix}-${files.length}.parquet`;
      const writer = openDataFileWriter({ schema: ROW_SCHEMA, output: await this.io.openWrite(filePath) });
      await writer.write({ length: group.length, columns: columnsOf(group) });
      const partition = tupleOf(group[0]!);
      const file = parquetDataFile(await writer.finish(), { filePath, specId: spec.specId, partition });
      files.push({ file, rows: group });
      this.written.set(filePath, [...group]);
    }
    return files;
  }
}

function columnsOf(rows: readonly Row[]) {
  const [id, name, day] = ROW_SCHEMA.fields.map((field) => createBuilder(field.type as never));
  for (const row of rows) {
    id!.appendI64(row.id);
    if (row.name === null) name!.appendNull();
    else name!.appendString(row.name);
    if (row.day === null) day!.appendNull();
    else day!.appendI32(row.day);
  }
  return [id!.finish(), name!.finish(), day!.finish()];
}
