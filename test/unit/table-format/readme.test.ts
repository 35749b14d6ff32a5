import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { createLocalStorage } from "../../../src/storage/local.ts";
import {
  appendRows,
  type Catalog,
  createTable,
  currentSchema,
  currentSnapshot,
  type DataFile,
  type EncodedFile,
  type ExpiredSnapshots,
  type FileIO,
  type LoadedTable,
  MemoryCatalog,
  newSchema,
  planSnapshot,
  type PositionDelta,
  RoaringBitmap,
  type TableIdent,
  type WriteContext,
  writeRows,
} from "../../../table-format/index.ts";
import { NO_SOURCES, readParquetColumns } from "../../../table-format/parquet/reader.ts";
import { scanLines } from "../../support/canonical-cells.ts";
import { TestTable } from "./test-table.ts";

const folder = mkdtempSync(join(tmpdir(), "frazil-table-format-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const library = new URL("../../../table-format/index.ts", import.meta.url).href;
const readme = readFileSync(new URL("../../../table-format/README.md", import.meta.url), "utf8");
/** The examples as programs beside each other. */
const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code], i) => {
  const file = join(folder, `example-${i}.ts`);
  writeFileSync(file, (code ?? "").replaceAll('"frazil/table-format"', JSON.stringify(library)));
  return file;
});

/** The address of the example that exports a function. */
function exampleOf(name: string): string {
  const found = examples.find((file) => readFileSync(file, "utf8").includes(`export async function ${name}(`));
  if (found === undefined) throw new Error(`no example exports ${name}`);
  return pathToFileURL(found).href;
}

async function table(): Promise<{ made: TestTable; catalog: Catalog }> {
  const io = createLocalStorage();
  let uuids = 0;
  const uuid = () => `00000000-0000-4000-8000-${String(uuids++).padStart(12, "0")}`;
  const catalog = new MemoryCatalog("frazil", io, join(folder, "w"), { nowMs: () => 1_795_000_000_000, uuid });
  const made = await TestTable.create(io, catalog, { formatVersion: 3 });
  const row = (id: bigint) => ({ id, name: `n${id}`, day: null });
  await made.change({ insert: [row(1n), row(2n), row(3n)] });
  await made.change({ delete: [2n] });
  return { made, catalog };
}

test("the examples run as they stand", async () => {
  expect(examples).toHaveLength(11);
  const { made, catalog } = await table();
  const { table: loaded, io, metadata } = made;
  const printed = execFileSync(process.execPath, [examples[0]!, loaded.metadataLocation], { encoding: "utf8" });
  expect(printed).toBe("[ 1n, 'n1', null ]\n[ 3n, 'n3', null ]\n");
  const { countRows } = (await import(/* @vite-ignore */ exampleOf("countRows"))) as {
    countRows: (store: typeof io, of: typeof metadata, folders: readonly string[]) => Promise<number>;
  };
  expect(await countRows(io, metadata, [])).toBe(2);
  const elsewhere = { ...metadata, location: "/elsewhere" };
  await expect(countRows(io, elsewhere, [])).rejects.toMatchObject({ code: "OUTSIDE_TABLE" });
  const { countNamed } = (await import(/* @vite-ignore */ exampleOf("countNamed"))) as {
    countNamed: (store: typeof io, of: typeof metadata, prefix: string) => Promise<number>;
  };
  expect([await countNamed(io, metadata, "n"), await countNamed(io, metadata, "m")]).toEqual([1, 0]);
  const { changesSince } = (await import(/* @vite-ignore */ exampleOf("changesSince"))) as {
    changesSince: (store: typeof io, of: typeof metadata, from: bigint) => Promise<string[]>;
  };
  const [first, second] = metadata.snapshots.map(({ snapshotId }) => snapshotId);
  expect(await changesSince(io, metadata, first!)).toEqual([
    `id=2 name=n2 day=null _change_type=DELETE _change_ordinal=0 _commit_snapshot_id=${second}`,
  ]);
  const { publish } = (await import(/* @vite-ignore */ exampleOf("publish"))) as {
    publish: (
      lake: Catalog,
      store: FileIO,
      ident: TableIdent,
      dataFiles: readonly never[],
      deletedRows: readonly PositionDelta[],
    ) => Promise<bigint | null>;
  };
  const [dataFile] = (await planSnapshot(io, metadata, currentSnapshot(metadata)!)).dataFiles;
  const id = await publish(catalog, io, made.ident, [], [{ dataFile: dataFile!, positions: RoaringBitmap.from([0]) }]);
  const after = (await catalog.loadTable(made.ident))!.metadata;
  expect([...after.refs].map(([name, ref]) => [name, ref.snapshotId])).toEqual([
    ["main", id],
    ["before", metadata.currentSnapshotId],
    ["after", id],
  ]);
  expect(await countRows(io, after, [])).toBe(1);
});

test("the example that writes nested columns writes what is read again", async () => {
  const { writeOrders } = (await import(/* @vite-ignore */ exampleOf("writeOrders"))) as {
    writeOrders: (io: FileIO, location: string) => Promise<EncodedFile>;
  };
  const io = createLocalStorage();
  const filePath = join(folder, "orders.parquet");
  const { fileSizeBytes, recordCount } = await writeOrders(io, filePath);
  expect(recordCount).toBe(3n);
  const text = { kind: "string" } as const;
  const price = { kind: "decimal", precision: 9, scale: 2 } as const;
  const element = {
    kind: "struct",
    fields: [
      { id: 4, name: "sku", required: true, type: text },
      { id: 5, name: "price", required: false, type: price },
    ],
  } as const;
  const type = { kind: "list", elementId: 3, elementRequired: true, element } as const;
  const fields = [{ id: 2, name: "lines", required: false, type }];
  for await (const { columns } of readParquetColumns(io, { filePath, fileSizeBytes }, fields, NO_SOURCES)) {
    expect(columns[0]).toMatchObject({
      values: [
        [
          { sku: "A-1", price: 1299n },
          { sku: "B-7", price: null },
        ],
        [],
        null,
      ],
    });
  }
});

test("the example that makes a table has filled it", async () => {
  const { firstRows } = (await import(/* @vite-ignore */ exampleOf("firstRows"))) as {
    firstRows: (context: WriteContext, ident: TableIdent) => Promise<LoadedTable>;
  };
  const io = createLocalStorage();
  const handed = { nowMs: () => Date.now(), uuid: () => randomUUID() };
  const catalog = new MemoryCatalog("frazil", io, join(folder, "made"), handed);
  const context = { catalog, io, ...handed, sleep: async () => undefined };
  const { metadata } = await firstRows(context, { namespace: ["sales"], name: "orders" });
  const snapshot = currentSnapshot(metadata)!;
  const fields = currentSchema(metadata).fields;
  expect(await scanLines(io, metadata, snapshot, fields)).toEqual([
    '["1","eu",null]',
    '["2",null,null]',
    '["3","eu","new"]',
  ]);
});

describe("the examples that change a table", () => {
  const id = { name: "id", type: { kind: "long" }, required: true } as const;
  const region = { name: "region", type: { kind: "string" }, required: false } as const;

  async function regions(name: string) {
    const io = createLocalStorage();
    const handed = { nowMs: () => Date.now(), uuid: () => randomUUID() };
    const catalog = new MemoryCatalog("frazil", io, join(folder, name), handed);
    const context: WriteContext = { catalog, io, ...handed, sleep: async () => undefined };
    await catalog.ensureNamespace(["sales"]);
    const options = { partitionSpec: ["region"], formatVersion: 2 } as const;
    const made = await createTable(
      context,
      { namespace: ["sales"], name: "t" },
      newSchema([id, region], ["id"]),
      options,
    );
    return { context, made };
  }
  const lines = (context: WriteContext, { metadata }: LoadedTable) =>
    scanLines(context.io, metadata, currentSnapshot(metadata)!, currentSchema(metadata).fields);

  test("its rows", async () => {
    const { context, made } = await regions("rows");
    const [foreign] = await writeRows(context, made.metadata, [{ id: 9n, region: "asia" }]);
    const { changeRows } = (await import(/* @vite-ignore */ exampleOf("changeRows"))) as {
      changeRows: (given: WriteContext, table: LoadedTable, parquet: string) => Promise<LoadedTable>;
    };
    const changed = await changeRows(context, made, foreign!.filePath);
    expect(await lines(context, changed)).toEqual(['["2","eu"]']);
    const operations = changed.metadata.snapshots.map(({ summary }) => summary.get("operation"));
    expect(operations.join(" ")).toBe("append overwrite overwrite overwrite replace append delete delete");
  });

  test("its history", async () => {
    const { context, made } = await regions("history");
    const filled = await appendRows(context, made, [{ id: 1n, region: "eu" }]);
    const write = (row: bigint) => writeRows(context, made.metadata, [{ id: row, region: "eu" }]);
    const { changeHistory } = (await import(/* @vite-ignore */ exampleOf("changeHistory"))) as {
      changeHistory: (
        given: WriteContext,
        table: LoadedTable,
        audited: readonly DataFile[],
        tried: readonly DataFile[],
      ) => Promise<ExpiredSnapshots>;
    };
    const { table: left, snapshotIds } = await changeHistory(context, filled, await write(2n), await write(3n));
    expect(await lines(context, left)).toEqual(['["1","eu"]', '["2","eu"]', '["3","eu"]']);
    expect([...left.metadata.refs.keys()]).toEqual(["main", "audited"]);
    expect([left.metadata.snapshots.length, snapshotIds.length]).toEqual([1, 2]);
  });

  test("its layout", async () => {
    const { context, made } = await regions("layout");
    const filled = await appendRows(context, made, [{ id: 1n, region: "eu" }]);
    const { changeLayout } = (await import(/* @vite-ignore */ exampleOf("changeLayout"))) as {
      changeLayout: (given: WriteContext, table: LoadedTable) => Promise<LoadedTable>;
    };
    const { metadata } = await changeLayout(context, filled);
    const again = await appendRows(context, { ...filled, metadata }, [{ id: 2n, country: "us", amount: 5n }]);
    expect(await lines(context, again)).toEqual(['[null,"1","eu","0"]', '[null,"2","us","5"]']);
    expect([metadata.formatVersion, metadata.metadataLog.length]).toEqual([3, 2]);
  });
});
