import {
  currentSchema,
  type DataFile,
  deletedPositions,
  type EncodedFile,
  type LiveFile,
  type LoadedTable,
  openDataFileWriter,
  parquetDataFile,
  planSnapshot,
  readDataFile,
  readDeletionVector,
  RoaringBitmap,
  type Schema,
  type TableIdent,
  type TableUpdate,
  valueAt,
  writeDeletionVectors,
} from "../../table-format/index.ts";
import { createBuilder } from "../../table-format/index.ts";
import type { Warehouse } from "./checkpoints.ts";
import { newSnapshot } from "./new-snapshot.ts";

export interface ForeignRow {
  readonly id: bigint;
  readonly part: string;
  readonly value: bigint | null;
  /** For the column `_ts`, microseconds since 1970 UTC. */
  readonly timeUs?: bigint;
}

interface PlacedRow extends ForeignRow {
  readonly live: LiveFile;
  readonly vector: LiveFile | null;
  readonly position: number;
}

let made = 0;

/** Columns of position delete files (spec, "Position Delete Files"). */
const POSITION_DELETES: Schema = {
  schemaId: 0,
  fields: [
    { id: 2147483546, name: "file_path", required: true, type: { kind: "string" } },
    { id: 2147483545, name: "pos", required: true, type: { kind: "long" } },
  ],
  identifierFieldIds: [],
};

type Store = Pick<Warehouse, "io" | "catalog">;

/** Another engine that writes to tables of `{ id long, part string, value long }`: each call is a commit of its own. */
export class ForeignWriter {
  readonly #warehouse: Store;
  readonly #ident: TableIdent;
  readonly #next: () => number;

  /** @param next numbers that tell its files and snapshots apart from all others */
  constructor(warehouse: Partial<Warehouse> & Store, name: string, next: () => number = () => ++made) {
    this.#warehouse = warehouse;
    this.#ident = { namespace: ["shop"], name };
    this.#next = next;
  }

  async load(): Promise<LoadedTable> {
    const loaded = await this.#warehouse.catalog.loadTable(this.#ident);
    if (loaded === null) throw new Error("no such table");
    return loaded;
  }

  /** The live rows as text, sorted. */
  async rows(): Promise<string[]> {
    const rows = await this.#rows(await this.load());
    return rows.map(({ id, part, value }) => `${id}|${part}|${value}`).sort();
  }

  /** Appends data files that somebody wrote, unpartitioned. */
  async addFiles(files: readonly ({ readonly filePath: string } & EncodedFile)[]): Promise<void> {
    const base = await this.load();
    const { defaultSpecId: specId } = base.metadata;
    await this.#commit(base, {
      addedDataFiles: files.map(({ filePath, ...encoded }) =>
        parquetDataFile(encoded, { filePath, specId, partition: [] }),
      ),
    });
  }

  /** Appends rows in one file. */
  async append(rows: readonly ForeignRow[]): Promise<void> {
    const base = await this.load();
    await this.#commit(base, { addedDataFiles: [await this.#file(base, rows)] });
  }

  /** Rewrites all live rows into one file, as a compaction does. */
  async compact(): Promise<void> {
    const base = await this.load();
    const rows = await this.#rows(base);
    const files = new Map(rows.map(({ live }) => [live.file.filePath, live]));
    const vectors = new Map(
      rows.flatMap(({ live, vector }) => (vector === null ? [] : [[live.file.filePath, vector]])),
    );
    await this.#commit(base, {
      addedDataFiles: [await this.#file(base, rows)],
      removedDataFiles: [...files.values()],
      removedDeleteFiles: [...vectors.values()],
    });
  }

  /** Lists the same data files under other names, as an engine does that comes to the store by another way. */
  async rename(nameOf: (path: string) => string): Promise<void> {
    const base = await this.load();
    const files = new Map((await this.#rows(base)).map(({ live }) => [live.file.filePath, live]));
    await this.#commit(base, {
      addedDataFiles: [...files.values()].map(({ file }) => ({ ...file, filePath: nameOf(file.filePath) })),
      removedDataFiles: [...files.values()],
    });
  }

  /** Deletes rows by key with a deletion vector, and writes others in the same commit. */
  async replace(ids: readonly bigint[], rows: readonly ForeignRow[]): Promise<void> {
    const base = await this.load();
    const hits = (await this.#rows(base)).filter(({ id }) => ids.includes(id));
    const vectors: { dataFile: DataFile; bitmap: RoaringBitmap }[] = [];
    const replaced: LiveFile[] = [];
    for (const members of Map.groupBy(hits, ({ live }) => live.file.filePath).values()) {
      const { live, vector } = members[0] as PlacedRow;
      const bitmap = vector === null ? new RoaringBitmap() : await readDeletionVector(this.#warehouse.io, vector.file);
      for (const { position } of members) bitmap.add(position);
      vectors.push({ dataFile: live.file, bitmap });
      if (vector !== null) replaced.push(vector);
    }
    const location = `${base.metadata.location}/data/foreign-${this.#next()}.puffin`;
    await this.#commit(base, {
      addedDataFiles: rows.length === 0 ? [] : [await this.#file(base, rows)],
      addedDeleteFiles: await writeDeletionVectors(this.#warehouse.io, location, vectors),
      removedDeleteFiles: replaced,
    });
  }

  /** Deletes rows by key with one position delete file that is about every data file they lie in; of a table of format version 2. */
  async deleteAcross(ids: readonly bigint[]): Promise<void> {
    const base = await this.load();
    const hits = (await this.#rows(base)).filter(({ id }) => ids.includes(id));
    const filePath = `${base.metadata.location}/data/foreign-${this.#next()}.parquet`;
    const paths = createBuilder({ kind: "string" });
    const positions = createBuilder({ kind: "long" });
    for (const { live, position } of hits.toSorted((a, b) => (a.live.file.filePath < b.live.file.filePath ? -1 : 1))) {
      paths.appendString(live.file.filePath);
      positions.appendI64(BigInt(position));
    }
    const writer = openDataFileWriter({
      schema: POSITION_DELETES,
      output: await this.#warehouse.io.openWrite(filePath),
    });
    await writer.write({ length: hits.length, columns: [paths.finish(), positions.finish()] });
    const file: DataFile = {
      ...parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] }),
      content: "position-deletes",
    };
    await this.#commit(base, { addedDeleteFiles: [file] });
  }

  /** Moves `main` back to an earlier snapshot, as `rollback_to_snapshot` does. */
  async rollback(snapshotId: bigint): Promise<void> {
    await this.update([{ action: "set-snapshot-ref", name: "main", ref: { type: "branch", snapshotId } }]);
  }

  async update(updates: readonly TableUpdate[]): Promise<void> {
    const base = await this.load();
    await this.#send(base, updates);
  }

  async #rows(base: LoadedTable): Promise<PlacedRow[]> {
    const { io } = this.#warehouse;
    const { metadata } = base;
    const head = metadata.snapshots.find(({ snapshotId }) => snapshotId === metadata.currentSnapshotId);
    if (head === undefined) return [];
    const schema = currentSchema(metadata);
    const ids = ["id", "part", "value"].map((name) => schema.fields.find((field) => field.name === name)?.id as number);
    const plan = await planSnapshot(io, metadata, head);
    const rows: PlacedRow[] = [];
    for (const live of plan.dataFiles) {
      const deletes = plan.deletes.get(live.file.filePath) ?? [];
      const vector = deletes[0] ?? null;
      const deleted = await deletedPositions(io).of(live.file, deletes);
      let position = 0;
      for await (const batch of readDataFile(io, live.file, schema, ids)) {
        for (let row = 0; row < batch.length; row++, position++) {
          if (deleted.has(position)) continue;
          const [id, part, value] = batch.columns.map((column) => valueAt(column, row));
          rows.push({ id: id as bigint, part: String(part), value: value as bigint | null, live, vector, position });
        }
      }
    }
    return rows;
  }

  async #file(base: LoadedTable, rows: readonly ForeignRow[]): Promise<DataFile> {
    const schema = currentSchema(base.metadata);
    const filePath = `${base.metadata.location}/data/foreign-${this.#next()}.parquet`;
    const writer = openDataFileWriter({ schema, output: await this.#warehouse.io.openWrite(filePath) });
    const columns = schema.fields.map(({ name, type }) => {
      const builder = createBuilder(type as Parameters<typeof createBuilder>[0]);
      for (const row of rows) {
        if (name === "id") builder.appendI64(row.id);
        else if (name === "part") builder.appendString(row.part);
        else if (name === "value" && row.value !== null) builder.appendI64(row.value);
        else if (name === "_ts" && row.timeUs !== undefined) builder.appendI64(row.timeUs);
        else builder.appendNull();
      }
      return builder.finish();
    });
    await writer.write({ length: rows.length, columns });
    const { defaultSpecId: specId } = base.metadata;
    return parquetDataFile(await writer.finish(), { filePath, specId, partition: [] });
  }

  async #commit(
    base: LoadedTable,
    files: Partial<
      Record<"addedDataFiles" | "addedDeleteFiles", readonly DataFile[]> &
        Record<"removedDataFiles" | "removedDeleteFiles", readonly LiveFile[]>
    >,
  ): Promise<void> {
    const number = this.#next();
    const changes = { ...files, snapshotId: BigInt(1_000_000 + number) };
    await this.#send(base, await newSnapshot(this.#warehouse.io, base.metadata, changes, `foreign-${number}`));
  }

  async #send(base: LoadedTable, updates: readonly TableUpdate[]): Promise<void> {
    const { tableUuid, currentSnapshotId } = base.metadata;
    const outcome = await this.#warehouse.catalog.commit([
      {
        ident: base.ident,
        requirements: [
          { type: "assert-table-uuid", uuid: tableUuid },
          { type: "assert-ref-snapshot-id", ref: "main", snapshotId: currentSnapshotId },
        ],
        updates,
      },
    ]);
    if (outcome.outcome !== "committed") throw new Error(`the foreign commit failed: ${outcome.outcome}`);
  }
}
