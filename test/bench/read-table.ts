import { join } from "node:path";
import { Op, offsetPoints } from "../../src/core/change-batch.ts";
import { must } from "../../src/core/errors.ts";
import { COMPACT_DELETE_RATIO } from "../../src/core/limits.ts";
import { randomUuid } from "../../src/core/runtime.ts";
import { openSqliteCatalog } from "../../src/catalogs/sqlite.ts";
import { planCompaction } from "../../src/maintenance/compact/plan.ts";
import { runCompaction } from "../../src/maintenance/compact/compact.ts";
import { createLocalStorage } from "../../src/storage/local.ts";
import { systemRandom } from "../../src/system.ts";
import { createManifestCache, currentSchema, openDataFileWriter } from "../../table-format/index.ts";
import { Process, upsertRule, type Warehouse } from "../support/checkpoints.ts";
import { ForeignWriter } from "../support/foreign-writer.ts";
import type { SqliteTable } from "../readers/requests.ts";
import { columnsOf, READ_COLUMNS, type RowVersion } from "./read-rows.ts";

const ROWS_A_BATCH = 50_000;
const KEY_MEMORY_BYTES = 256 * 2 ** 20;
const MIN_FILES = 8;

/** A table of rows that was written by somebody, and is changed by a pipeline. */
export interface ReadTable {
  readonly place: SqliteTable;
  /** Adds rows, in this order, in files of at most so many. */
  fill(rows: Iterable<RowVersion>, rowsAFile: number): Promise<void>;
  /** The same files as another table's. */
  fillLike(other: ReadTable): Promise<void>;
  readonly files: Parameters<ForeignWriter["addFiles"]>[0];
  /** Commits changes of rows as one checkpoint. */
  commit(changes: readonly RowVersion[]): Promise<void>;
  /**
   * As somebody does it by hand, or as a schedule does it again and again, with files of the size of those that it was filled with.
   * @returns groups that were rewritten.
   */
  compact(by: "hand" | "schedule"): Promise<number>;
}

/** Makes a table with the row 0 in a warehouse of its own below a folder. */
export async function makeReadTable(folder: string): Promise<ReadTable> {
  const io = createLocalStorage();
  const location = join(folder, "warehouse");
  const path = join(location, "catalog.sqlite");
  const clock = { nowMs: () => Date.now(), uuid: () => randomUuid(systemRandom) };
  const catalog = openSqliteCatalog({ path, name: "frazil", warehouseLocation: location, io, ...clock });
  const warehouse: Warehouse = { io, location, catalog, fault: () => undefined };
  const keys = { folder: join(folder, "keys"), limitBytes: KEY_MEMORY_BYTES };
  const start = () => Process.start(warehouse, [upsertRule("a", {})], systemRandom.uint32(), keys);
  const foreign = new ForeignWriter(warehouse, "a");
  let files: Parameters<ForeignWriter["addFiles"]>[0] = [];
  let writer = await start();
  await commit(writer, [{ id: 0, version: 0 }], Op.insert);
  const add = async (added: typeof files): Promise<void> => {
    files = added;
    await foreign.addFiles(added);
    // What it knows of the keys is from before.
    writer = await start();
  };
  return {
    place: { sqlite: path, table: "shop.a" },
    get files() {
      return files;
    },
    fill: async (rows, rowsAFile) => add(await filesOf(foreign, io, rows, rowsAFile)),
    fillLike: async (other) => add(other.files),
    commit: async (changes) => commit(writer, changes, Op.update),
    async compact(by) {
      const context = { ...warehouse, runtime: writer.runtime, manifests: createManifestCache(1_000) };
      const targetSizeBytes = Math.max(...files.map(({ fileSizeBytes }) => Number(fileSizeBytes)));
      const plan = await planCompaction(context, await foreign.load(), {
        targetSizeBytes,
        minFiles: MIN_FILES,
        ...(by === "schedule" ? { recurring: true, deleteRatio: COMPACT_DELETE_RATIO } : {}),
      });
      let groups = 0;
      for await (const { snapshotId } of runCompaction(context, plan)) groups += Number(snapshotId !== null);
      return groups;
    },
  };
}

async function filesOf(
  foreign: ForeignWriter,
  io: Warehouse["io"],
  rows: Iterable<RowVersion>,
  rowsAFile: number,
): Promise<Parameters<ForeignWriter["addFiles"]>[0]> {
  const { metadata } = await foreign.load();
  const files: Parameters<ForeignWriter["addFiles"]>[0][number][] = [];
  const source = rows[Symbol.iterator]();
  for (let left = true; left;) {
    const filePath = `${metadata.location}/data/filled-${files.length}.parquet`;
    const output = openDataFileWriter({ schema: currentSchema(metadata), output: await io.openWrite(filePath) });
    let written = 0;
    while (written < rowsAFile) {
      const batch: RowVersion[] = [];
      while (batch.length < Math.min(ROWS_A_BATCH, rowsAFile - written)) {
        const next = source.next();
        if (next.done === true) break;
        batch.push(next.value);
      }
      if (batch.length > 0) await output.write({ length: batch.length, columns: columnsOf(batch) });
      written += batch.length;
      left = batch.length > 0;
      if (!left) break;
    }
    const encoded = await output.finish();
    if (written > 0) files.push({ filePath, ...encoded });
  }
  return files;
}

async function commit(writer: Process, rows: readonly RowVersion[], op: number): Promise<void> {
  const { length } = rows;
  const from = Number(writer.reached.get("t/0"));
  const batch = {
    table: must(writer.router.byStream("a"), "the table").table,
    split: "t/0",
    length,
    ops: new Uint8Array(length).fill(op),
    fields: READ_COLUMNS,
    columns: columnsOf(rows),
    absent: READ_COLUMNS.map(() => null),
    key: ["id"],
    points: offsetPoints(BigInt64Array.from({ length }, (_, i) => BigInt(from + i + 1))),
    sizeBytes: length * 120,
  };
  await writer.checkpointOf([batch], from + length);
  const { inserts, updates } = must(writer.events.at(-1), "a commit");
  if ((op === Op.insert ? inserts : updates) !== length) {
    throw new Error(`expected ${length} rows to be changed, found ${updates} updates and ${inserts} inserts`);
  }
}
