import {
  createBuilder,
  createManifestCache,
  currentSchema,
  type DataFile,
  deletedPositions,
  type FileIO,
  isPrimitive,
  type LiveFile,
  type LoadedTable,
  openDataFileWriter,
  parquetDataFile,
  planSnapshot,
  type PrimitiveType,
  readDataFile,
  RoaringBitmap,
  type Schema,
  snapshotById,
  type SnapshotInput,
  specById,
  type TableIdent,
  tupleKey,
  tupleReader,
  type Value,
  valueAt,
  writeDeletionVectors,
  writePositionDeletes,
} from "../../table-format/index.ts";
import { must } from "../../src/core/errors.ts";
import type { Warehouse } from "./checkpoints.ts";
import { newSnapshot } from "./new-snapshot.ts";

/** A row by column names. */
export type PlainValues = Readonly<Record<string, Value | null>>;

interface PlacedRow {
  readonly values: PlainValues;
  readonly live: LiveFile;
  readonly deletes: readonly LiveFile[];
  readonly position: number;
}

let made = 0;

/** Another engine at a table of any columns and partitions, of format version 2 or 3: each call is a commit of its own. */
export class ForeignTable {
  readonly #warehouse: Warehouse;
  readonly #ident: TableIdent;
  /** What files hold by their paths and the columns asked for, read once: files do not change. */
  readonly #read = new Map<string, Promise<PlainValues[]>>();
  readonly #manifests = createManifestCache(1_000);

  constructor(warehouse: Warehouse, ident: TableIdent) {
    this.#warehouse = warehouse;
    this.#ident = ident;
  }

  /** Null when there is no such table. */
  async rows(): Promise<PlainValues[] | null> {
    const base = await this.#warehouse.catalog.loadTable(this.#ident);
    return base === null ? null : (await this.#rows(base)).map(({ values }) => values);
  }

  /** Deletes the rows that `dies` names, and appends others. */
  async replace(dies: (row: PlainValues) => boolean, added: readonly PlainValues[]): Promise<void> {
    const base = await this.#load();
    const { io } = this.#warehouse;
    const { formatVersion, location } = base.metadata;
    const hits = (await this.#rows(base)).filter(({ values }) => dies(values));
    const addedDeleteFiles: DataFile[] = [];
    const removedDeleteFiles: LiveFile[] = [];
    const vectors: { dataFile: DataFile; bitmap: RoaringBitmap }[] = [];
    for (const members of Map.groupBy(hits, ({ live }) => live.file.filePath).values()) {
      const { live, deletes } = must(members[0], "a member a group");
      const bitmap = RoaringBitmap.from(members.map(({ position }) => position));
      if (formatVersion === 2) {
        const path = `${location}/data/foreign-${++made}-deletes.parquet`;
        addedDeleteFiles.push(await writePositionDeletes(io, path, live.file, bitmap));
      } else {
        vectors.push({ dataFile: live.file, bitmap: bitmap.union(await deletedPositions(io).of(live.file, deletes)) });
        removedDeleteFiles.push(...deletes);
      }
    }
    if (vectors.length > 0) {
      addedDeleteFiles.push(...(await writeDeletionVectors(io, `${location}/data/foreign-${++made}.puffin`, vectors)));
    }
    const addedDataFiles = await this.#files(base, added);
    if (addedDataFiles.length + addedDeleteFiles.length === 0) return;
    await this.#commit(base, { addedDataFiles, addedDeleteFiles, removedDeleteFiles });
  }

  /** Rewrites all rows, in another order, as a compaction with a sort does. */
  async rewrite(): Promise<void> {
    await this.#rewriteAs("replace", (values) => values);
  }

  /** Rewrites all rows as `become` says, null leaving one out, as an engine does that copies on write. */
  async copyOnWrite(become: (row: PlainValues) => PlainValues | null): Promise<void> {
    await this.#rewriteAs("overwrite", become);
  }

  async #rewriteAs(
    operation: "replace" | "overwrite",
    become: (row: PlainValues) => PlainValues | null,
  ): Promise<void> {
    const base = await this.#load();
    const rows = await this.#rows(base);
    if (rows.length === 0) return;
    const kept = rows.map(({ values }) => become(values)).filter((values) => values !== null);
    const files = new Map(rows.map(({ live }) => [live.file.filePath, live]));
    const deletes = new Map(
      rows.flatMap((row) => row.deletes.map((live) => [live.file.filePath + live.file.contentOffset, live])),
    );
    await this.#commit(base, {
      operation,
      addedDataFiles: await this.#files(base, kept.toReversed()),
      removedDataFiles: [...files.values()],
      removedDeleteFiles: [...deletes.values()],
    });
  }

  async #load(): Promise<LoadedTable> {
    return must(await this.#warehouse.catalog.loadTable(this.#ident), "the table exists");
  }

  async #rows({ metadata }: LoadedTable): Promise<PlacedRow[]> {
    const { io } = this.#warehouse;
    if (metadata.currentSnapshotId === null) return [];
    const head = must(snapshotById(metadata, metadata.currentSnapshotId), "a head");
    const plan = await planSnapshot(io, metadata, head, this.#manifests);
    const rows: PlacedRow[] = [];
    for (const live of plan.dataFiles) {
      const deletes = plan.deletes.get(live.file.filePath) ?? [];
      const deleted = deletes.length === 0 ? null : await deletedPositions(io).of(live.file, deletes);
      for (const [position, values] of (await this.#valuesOf(live.file, currentSchema(metadata))).entries()) {
        if (deleted?.has(position) !== true) rows.push({ values, live, deletes, position });
      }
    }
    return rows;
  }

  #valuesOf(file: DataFile, schema: Schema): Promise<PlainValues[]> {
    const key = `${file.filePath} ${schema.schemaId}`;
    let read = this.#read.get(key);
    if (read === undefined) this.#read.set(key, (read = readValues(this.#warehouse.io, file, schema)));
    return read;
  }

  /** Rows as data files, one a partition. */
  async #files(base: LoadedTable, rows: readonly PlainValues[]): Promise<DataFile[]> {
    const { metadata } = base;
    const schema = currentSchema(metadata);
    const spec = specById(metadata, metadata.defaultSpecId);
    const columnsOf = (members: readonly PlainValues[]) =>
      schema.fields.map(({ name, type }) => {
        const builder = createBuilder(plain(type));
        for (const row of members) append(builder, plain(type), row[name] ?? null);
        return builder.finish();
      });
    const tuples = tupleReader(spec, schema);
    const all = columnsOf(rows);
    const groups = Map.groupBy(rows.keys(), (row) => tupleKey(tuples(all, row)));
    const files: DataFile[] = [];
    for (const members of groups.values()) {
      const filePath = `${metadata.location}/data/foreign-${++made}.parquet`;
      const writer = openDataFileWriter({ schema, output: await this.#warehouse.io.openWrite(filePath) });
      const values = members.map((row) => rows[row] as PlainValues);
      await writer.write({ length: values.length, columns: columnsOf(values) });
      const partition = tuples(all, members[0] as number);
      files.push(parquetDataFile(await writer.finish(), { filePath, specId: spec.specId, partition }));
    }
    return files;
  }

  async #commit(base: LoadedTable, files: Partial<SnapshotInput>): Promise<void> {
    const number = ++made;
    const { metadata, ident } = base;
    const { tableUuid, currentSnapshotId } = metadata;
    const changes = { ...files, snapshotId: BigInt(2_000_000 + number) };
    const outcome = await this.#warehouse.catalog.commit([
      {
        ident,
        requirements: [
          { type: "assert-table-uuid", uuid: tableUuid },
          { type: "assert-ref-snapshot-id", ref: "main", snapshotId: currentSnapshotId },
        ],
        updates: await newSnapshot(this.#warehouse.io, metadata, changes, `foreign-${number}`),
      },
    ]);
    if (outcome.outcome !== "committed") throw new Error(`the foreign commit failed: ${outcome.outcome}`);
  }
}

async function readValues(io: FileIO, file: DataFile, schema: Schema): Promise<PlainValues[]> {
  const { fields } = schema;
  const ids = fields.map(({ id }) => id);
  const rows: PlainValues[] = [];
  for await (const batch of readDataFile(io, file, schema, ids)) {
    for (let row = 0; row < batch.length; row++) {
      rows.push(Object.fromEntries(batch.columns.map((column, at) => [fields[at]?.name, valueAt(column, row)])));
    }
  }
  return rows;
}

function plain(type: Parameters<typeof isPrimitive>[0]): PrimitiveType {
  if (!isPrimitive(type)) throw new Error("a nested column");
  return type;
}

/** Appends a whole number, a text or null. */
export function append(builder: ReturnType<typeof createBuilder>, type: PrimitiveType, value: Value | null): void {
  if (value === null) builder.appendNull();
  else if (type.kind === "string") builder.appendString(String(value));
  else if (type.kind === "int") builder.appendI32(Number(value));
  else builder.appendI64(BigInt(String(value)));
}
