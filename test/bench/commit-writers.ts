import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ChangeBatch, type ChangeColumn, Op, offsetPoints } from "../../src/core/change-batch.ts";
import { must } from "../../src/core/errors.ts";
import { randomSnapshotId, randomUuid } from "../../src/core/runtime.ts";
import { systemRandom } from "../../src/system.ts";
import {
  type Catalog,
  createBuilder,
  currentSchema,
  currentSnapshot,
  type DataFile,
  type FileIO,
  type LoadedTable,
  planSnapshot,
  type TableIdent,
  type TableUpdate,
} from "../../table-format/index.ts";
import { Process, upsertRule } from "../support/checkpoints.ts";
import { newSnapshot } from "../support/new-snapshot.ts";
import type { Requests } from "./commit-requests.ts";

/** Where a writer writes. */
interface Place {
  readonly io: FileIO;
  readonly catalog: Catalog;
  readonly location: string;
}

/** What one commit took. */
export interface Commit {
  /** From when the data files were durable until it was acknowledged; milliseconds. */
  readonly ms: number;
  /** With encoding and writing them. */
  readonly totalMs: number;
  readonly requests: number;
  readonly metadataBytes: number;
  readonly dataBytes: number;
}

const OURS: TableIdent = { namespace: ["shop"], name: "a" };
const BARE: TableIdent = { namespace: ["bare"], name: "a" };
const FIELDS: readonly ChangeColumn[] = [
  { name: "id", type: { kind: "long" }, required: true },
  { name: "part", type: { kind: "string" }, required: false },
  { name: "value", type: { kind: "long" }, required: false },
];

/** A job's table, checkpoint by checkpoint, as a job commits it. */
export async function openPipeline(place: Place, requests: Requests) {
  const { io, catalog } = place;
  const rules = [upsertRule("a", { mode: "append", key: null })];
  const writer = await Process.start({ ...place, fault: () => undefined }, rules, systemRandom.uint32());
  let taken = 0;

  async function lastFiles(): Promise<readonly DataFile[]> {
    const { metadata } = must(await catalog.loadTable(OURS), "the job's table");
    const head = must(currentSnapshot(metadata), "a snapshot");
    const { dataFiles } = await planSnapshot(io, metadata, head);
    return dataFiles.filter(({ snapshotId }) => snapshotId === head.snapshotId).map(({ file }) => file);
  }

  return {
    lastFiles,
    async checkpoint(rows: number): Promise<Commit> {
      const batch = inserts(rows, taken, must(writer.router.byStream("a"), "the table's rule").table);
      taken += rows;
      requests.clear();
      const startMs = performance.now();
      await writer.checkpointOf([batch], taken);
      return costOf(requests, startMs);
    },
    /** Copies the data files of the last checkpoint. @returns their paths on this machine */
    async copyLast(folder: string, n: number): Promise<string[]> {
      mkdirSync(folder, { recursive: true });
      const paths: string[] = [];
      for (const { filePath } of await lastFiles()) {
        const path = join(folder, `${n}-${paths.length}.parquet`);
        writeFileSync(path, await io.read(filePath));
        paths.push(path);
      }
      return paths;
    },
    rows: () => rowsOf(place, OURS),
  };
}

/** A table that is appended to with no more than an append needs: manifests, a manifest list, metadata, and a swap that asserts `main`. */
export async function openBareTable({ io, catalog, location }: Place, requests: Requests) {
  let table: LoadedTable | null = null;
  let files = 0;

  async function create(): Promise<LoadedTable> {
    const model = must(await catalog.loadTable(OURS), "the job's table, which this one is like").metadata;
    const schema = currentSchema(model);
    const updates: TableUpdate[] = [
      { action: "assign-uuid", uuid: randomUuid(systemRandom) },
      { action: "upgrade-format-version", formatVersion: 3 },
      { action: "add-schema", schema, lastColumnId: model.lastColumnId },
      { action: "set-current-schema", schemaId: -1 },
      { action: "add-spec", spec: must(model.partitionSpecs[0], "a spec") },
      { action: "set-default-spec", specId: -1 },
      { action: "add-sort-order", sortOrder: must(model.sortOrders[0], "a sort order") },
      { action: "set-default-sort-order", sortOrderId: -1 },
      { action: "set-location", location: catalog.defaultLocation(BARE) },
      { action: "set-properties", updates: model.properties },
    ];
    await catalog.ensureNamespace(BARE.namespace);
    return committed(await catalog.commit([{ ident: BARE, requirements: [{ type: "assert-create" }], updates }]));
  }

  return {
    /** Copies the files to the table's folder and appends them in one commit. */
    async append(added: readonly DataFile[]): Promise<Commit> {
      const base = (table ??= await create());
      const { metadata } = base;
      requests.clear();
      const own: DataFile[] = [];
      for (const file of added) {
        const filePath = `${metadata.location}/data/bare-${files++}.parquet`;
        await io.write(filePath, await io.read(file.filePath));
        own.push({ ...file, filePath });
      }
      // The reads were for the bench.
      requests.count -= added.length;
      const startMs = performance.now();
      const snapshotId = randomSnapshotId(systemRandom);
      const changes = { snapshotId, timestampMs: BigInt(Date.now()), addedDataFiles: own };
      const outcome = await catalog.commit([
        {
          ident: BARE,
          requirements: [
            { type: "assert-table-uuid", uuid: metadata.tableUuid },
            { type: "assert-ref-snapshot-id", ref: "main", snapshotId: metadata.currentSnapshotId },
          ],
          updates: await newSnapshot(io, metadata, changes),
        },
      ]);
      table = committed(outcome);
      return costOf(requests, startMs);
    },
    rows: () => rowsOf({ io, catalog, location }, BARE),
  };
}

function costOf({ count, dataBytes, metadataBytes, dataWrittenMs }: Requests, startMs: number): Commit {
  const endMs = performance.now();
  const fromMs = Math.max(startMs, dataWrittenMs);
  return { ms: endMs - fromMs, totalMs: endMs - startMs, requests: count, metadataBytes, dataBytes };
}

function committed(outcome: Awaited<ReturnType<Catalog["commit"]>>): LoadedTable {
  if (outcome.outcome !== "committed") throw new Error(`the append is ${outcome.outcome}`);
  return must(outcome.tables[0], "one table a change");
}

async function rowsOf({ io, catalog }: Place, ident: TableIdent): Promise<number> {
  const { metadata } = must(await catalog.loadTable(ident), "the table");
  const { dataFiles } = await planSnapshot(io, metadata, must(currentSnapshot(metadata), "a snapshot"));
  return dataFiles.reduce((sum, { file }) => sum + Number(file.recordCount), 0);
}

function inserts(length: number, from: number, table: number): ChangeBatch {
  const builders = FIELDS.map(({ type }) => createBuilder(type));
  const [id, part, value] = builders as [(typeof builders)[0], (typeof builders)[0], (typeof builders)[0]];
  for (let row = from; row < from + length; row++) {
    id.appendI64(BigInt(row));
    part.appendString(`part ${Math.imul(row, 0x9e3779b1) >>> 12}`);
    value.appendI64(BigInt(Math.imul(row, 0x85ebca6b) >>> 0));
  }
  return {
    table,
    split: "t/0",
    length,
    ops: new Uint8Array(length).fill(Op.insert),
    fields: FIELDS,
    columns: builders.map((builder) => builder.finish()),
    absent: FIELDS.map(() => null),
    key: [],
    points: offsetPoints(BigInt64Array.from({ length }, (_, row) => BigInt(from + row + 1))),
    sizeBytes: length * 40,
  };
}
