import { expect, it } from "vitest";
import { type Arrangement, sortArrangement } from "../../../../src/maintenance/compact/arrangement.ts";
import { runCompaction } from "../../../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../../../src/maintenance/compact/plan.ts";
import type { QueryWarehouse } from "../../../../src/query/query-warehouse.ts";
import { openScratchFolder } from "../../../../src/storage/local-scratch.ts";
import {
  appendFiles,
  batchOfRows,
  cellAt,
  type CellStruct,
  createManifestCache,
  currentSchema,
  deletedPositions,
  encodeVariant,
  explicitLineage,
  type LiveFile,
  must,
  openDataFileWriter,
  parquetDataFile,
  RoaringBitmap,
  readColumns,
  rowDelta,
  type TableMetadata,
  updateSchema,
  type Variant,
  type VariantValue,
  withLineage,
} from "../../../../table-format/index.ts";
import { list, map, struct } from "../../../support/nested-types.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";
import { queryLines } from "../../query/local-warehouse.ts";
import { WrittenTable } from "../../table-format/transaction/written-table.ts";

const LONG = { kind: "long" } as const;
const STRING = { kind: "string" } as const;

/** Adds a data file. Fields that a struct of the schema lacks are left out of it. */
async function append(table: WrittenTable, name: string, rows: readonly CellStruct[]): Promise<void> {
  const schema = currentSchema((await table.load()).metadata);
  const filePath = `mem://w/ns/t/data/${name}.parquet`;
  const writer = openDataFileWriter({ schema, output: await table.io.openWrite(filePath) });
  await writer.write(batchOfRows(schema, rows));
  const file = parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] });
  await table.commit(appendFiles({ dataFiles: [file] }));
}

/** An object of values whose types JSON has not. */
function noteOf(id: number): Variant {
  const total = { kind: "decimal16", unscaled: BigInt(id) * 10n ** 20n, scale: 3 } as const;
  const at = { kind: "timestamp_ns", value: BigInt(id) } as const;
  return encodeVariant({
    kind: "object",
    fields: new Map<string, VariantValue>([
      ["total", total],
      [`at ${id}`, at],
    ]),
  });
}

/** A point as well-known binary. */
function pointOf(x: number): Uint8Array {
  const bytes = new Uint8Array(21);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  view.setUint32(1, 1, true);
  view.setFloat64(5, x, true);
  return bytes;
}

/** Rows with every kind of nothing in them. */
function rowsOf(first: number, count: number, extra: (id: number) => CellStruct): CellStruct[] {
  return Array.from({ length: count }, (_, k) => {
    const id = first + k;
    return {
      id: BigInt(id),
      part: `p${id % 3}`,
      place:
        id % 5 === 0
          ? null
          : { city: id % 4 === 0 ? null : `city ${id}`, spots: [{ x: BigInt(id) }, null], ...extra(id) },
      marks: [null, [], [null], [BigInt(id), 7n]][id % 4] ?? null,
      note: [null, encodeVariant({ kind: "null" }), noteOf(id)][id % 3] ?? null,
      shape: id % 4 === 0 ? null : pointOf(id),
      tags:
        id % 6 === 0 ? null : Array.from({ length: id % 3 }, (_, tag) => [`k${tag}`, tag === 1 ? null : [`v${id}`]]),
    };
  });
}

/** A version 3 table with structs, lists, maps, variants and shapes; a field came into a struct behind the first file, and rows are deleted. */
async function nestedTable(): Promise<WrittenTable> {
  const table = await WrittenTable.create();
  const place = struct(["city", STRING], ["spots", list(struct(["x", LONG]))]);
  await table.commit(
    updateSchema([
      { change: "add-column", name: "place", type: place },
      { change: "add-column", name: "marks", type: list(LONG) },
      { change: "add-column", name: "tags", type: map(STRING, list(STRING)) },
      { change: "add-column", name: "note", type: { kind: "variant" } },
      { change: "add-column", name: "shape", type: { kind: "geometry", crs: "OGC:CRS84" } },
    ]),
  );
  await append(
    table,
    "a",
    rowsOf(0, 40, () => ({})),
  );
  await table.commit(updateSchema([{ change: "add-column", parent: "place", name: "area", type: LONG }]));
  await append(
    table,
    "b",
    rowsOf(40, 30, (id) => ({ area: id % 2 === 0 ? null : BigInt(id) })),
  );
  await append(
    table,
    "c",
    rowsOf(70, 30, (id) => ({ area: BigInt(-id) })),
  );
  const dataFile = must((await table.plan()).dataFiles[0], "a file");
  const positions = RoaringBitmap.from([0, 3, 4, 39 % Number(dataFile.file.recordCount)]);
  await table.commit(rowDelta({ deletedRows: [{ dataFile, positions }] }));
  return table;
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${part}n` : part));

/** Every live row with its lineage, in the order of the files and of the rows in them. */
async function storedRows(table: WrittenTable): Promise<string[]> {
  const { metadata } = await table.load();
  const { dataFiles, deletes } = await table.plan();
  const rows: string[] = [];
  for (const live of dataFiles) {
    const gone = await deletedPositions(table.io).of(live.file, deletes.get(live.file.filePath) ?? []);
    rows.push(...(await fileRows(table, metadata, live, gone)));
  }
  return rows;
}

async function fileRows(
  { io }: WrittenTable,
  metadata: TableMetadata,
  live: LiveFile,
  gone: RoaringBitmap,
): Promise<string[]> {
  const { fields } = withLineage(currentSchema(metadata));
  const rows: string[] = [];
  for await (const batch of readColumns(io, metadata, live.file, fields)) {
    const { columns } = explicitLineage(batch, live, batch.start);
    for (let row = 0; row < batch.length; row++) {
      if (!gone.has(batch.start + row)) rows.push(text(columns.map((column) => cellAt(column, row))));
    }
  }
  return rows;
}

async function compact(table: WrittenTable, arrangement?: Arrangement): Promise<void> {
  const context = {
    io: table.io,
    catalog: table.context.catalog,
    runtime: virtualRuntime(1),
    manifests: createManifestCache(100),
    warehouseLocation: "mem://w",
  };
  const settings = { targetSizeBytes: 1 << 20, minFiles: 2, memoryBytes: 20_000, arrangement };
  const plan = await planCompaction(context, await table.load(), settings);
  const done = await Array.fromAsync(runCompaction(context, plan));
  expect(done.map(({ filesBefore, skipped }) => [filesBefore, skipped])).toEqual([[3, null]]);
}

function asWarehouse({ io, context: { catalog } }: WrittenTable): QueryWarehouse {
  return { io, catalog, location: "mem://w", localPath: null, scratch: openScratchFolder };
}

const idOf = (row: string): number => Number(/^\["(\d+)n"/.exec(row)?.[1]);

it("joins files with structs, lists, maps, variants and shapes, each row as it was, in its place", async () => {
  const table = await nestedTable();
  const before = await storedRows(table);
  expect(before).toHaveLength(96);
  const byDuckdb = () => queryLines(asWarehouse(table), "FROM ns.t ORDER BY id");
  const queried = await byDuckdb();
  await compact(table);
  expect(await byDuckdb()).toEqual(queried);
  expect((await table.plan()).deletes.size).toBe(0);
  expect(await storedRows(table)).toEqual(before);
});

it("sorts them, beyond its memory too", async () => {
  const table = await nestedTable();
  const before = await storedRows(table);
  const { metadata } = await table.load();
  await compact(table, sortArrangement(metadata, currentSchema(metadata), ["part", "id desc"]));
  const part = (row: string) => idOf(row) % 3;
  expect(await storedRows(table)).toEqual(before.toSorted((a, b) => part(a) - part(b) || idOf(b) - idOf(a)));
});
