import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSqliteCatalog } from "../../../src/catalogs/sqlite.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import {
  addFiles,
  appendFiles,
  appendRows,
  cherryPick,
  commitOperations,
  createBranch,
  createTable,
  createTag,
  currentSchema,
  currentSnapshot,
  deleteDataFiles,
  expireSnapshots,
  fastAppend,
  fastForwardBranch,
  newSchema,
  overwriteFiles,
  planSnapshot,
  replacePartitions,
  rewriteFiles,
  rollbackTo,
  rowDelta,
  type Schema,
  type TableMetadata,
  type TableOperation,
  unionByName,
  updateProperties,
  updateSchema,
  updateSpec,
  upgradeFormatVersion,
  type WriteContext,
} from "../../../table-format/index.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { scanLines } from "../../support/canonical-cells.ts";
import { WrittenTable } from "../../unit/table-format/transaction/written-table.ts";
import { placesOf, type WrittenRow, writeRows } from "./written-rows.ts";

const missing = await requireServers("readers", "spark");

const SCHEMA: Schema = {
  schemaId: 0,
  fields: [
    { id: 1, name: "id", required: true, type: { kind: "long" } },
    { id: 2, name: "part", required: false, type: { kind: "string" } },
    { id: 3, name: "n", required: false, type: { kind: "int" } },
  ],
  identifierFieldIds: [1],
};

describe.skipIf(missing !== null)(withReason("what the operations write", missing), () => {
  let readers: Readers;
  let spark: SparkReader;
  let folder: string;
  const io = createLocalStorage();
  beforeAll(async () => {
    [readers, spark] = await Promise.all([openReaders({ timeoutMs: 600_000 }), openSpark({ timeoutMs: 600_000 })]);
    folder = mkdtempSync(join(tmpdir(), "frazil-writes-"));
  }, 600_000);
  afterAll(async () => {
    await Promise.all([readers?.[Symbol.asyncDispose](), spark?.[Symbol.asyncDispose]()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Ids of the rows of `main`, after PyIceberg, and Spark where it is asked, have read the same of them as we. */
  const readAlike = async (metadata: TableMetadata, location: string, bySpark = true): Promise<number[]> => {
    const { fields } = currentSchema(metadata);
    const lines = await scanLines(io, metadata, currentSnapshot(metadata)!, fields);
    const found = await readers.pyiceberg({ location });
    expect(found.lines).toEqual(lines);
    if (bySpark) expect((await spark.read({ location })).lines).toEqual(lines);
    return found.rows.map((row) => Number(row["id"])).sort((one, other) => one - other);
  };
  const rows = (ids: readonly number[], part: string, more: WrittenRow = {}): WrittenRow[] =>
    ids.map((id) => ({ id: BigInt(id), part, n: id % 3, ...more }));

  /** A table that Spark makes, and that we commit to. */
  const sparkTable = async (name: string, statements: readonly string[]) => {
    const place = { sqlite: join(folder, "catalog.sqlite"), table: `n.${name}`, catalog: "j" };
    const sql = (statement: string) => spark.sql(place, statement);
    await sql("CREATE NAMESPACE IF NOT EXISTS {catalog}.n");
    for (const statement of statements) await sql(statement);
    let uuids = 0;
    const handed = {
      nowMs: () => Date.now(),
      uuid: () => `00000000-0000-4000-8000-${String(++uuids).padStart(12, "0")}`,
    };
    const catalog = openSqliteCatalog({
      path: place.sqlite,
      name: "j",
      warehouseLocation: join(folder, "j"),
      io,
      ...handed,
    });
    const context: WriteContext = { catalog, io, ...handed, sleep: async () => undefined };
    const load = async () => (await catalog.loadTable({ namespace: ["n"], name }))!;
    const commit = async (...operations: TableOperation[]) => commitOperations(context, await load(), ...operations);
    return { place, sql, load, commit, close: asDisposable(catalog) };
  };

  test("is read by Spark and PyIceberg as the operations say, step by step", { timeout: 600_000 }, async () => {
    const table = await WrittenTable.create({
      io,
      warehouse: join(folder, "w"),
      schema: SCHEMA,
      spec: { specId: 0, fields: [{ sourceId: 2, fieldId: 1000, name: "part", transform: "identity" }] },
      formatVersion: 2,
    });
    const write = async (some: readonly WrittenRow[]) => writeRows(io, (await table.load()).metadata, some);
    const idsAfter = async (...operations: TableOperation[]) => {
      const { metadata, metadataLocation } = await table.commit(...operations);
      return readAlike(metadata, metadataLocation, false);
    };
    const idsBySpark = async (...operations: TableOperation[]) => {
      const { metadata, metadataLocation } = await table.commit(...operations);
      return readAlike(metadata, metadataLocation);
    };
    const places = async (...ids: number[]) =>
      placesOf(io, (await table.load()).metadata, "id", (id) => ids.includes(Number(id)));

    const first = await write([...rows([1, 2, 3, 4], "a"), ...rows([5, 6], "b")]);
    expect(await idsAfter(appendFiles({ dataFiles: first }))).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await idsAfter(fastAppend({ dataFiles: await write(rows([7, 8], "c")) }))).toHaveLength(8);
    // Merge-on-read in version 2: position deletes.
    const delta = rowDelta({ deletedRows: await places(1, 5), dataFiles: await write(rows([9], "a")) });
    expect(await idsBySpark(delta)).toEqual([2, 3, 4, 6, 7, 8, 9]);
    const beforeBranches = (await table.head()).snapshotId;

    const overwrite = overwriteFiles({
      overwriteByRowFilter: { type: "eq", term: "part", value: "c" },
      addedFiles: await write(rows([10], "c")),
      validateAddedFilesMatchOverwriteFilter: true,
      validateNoConflictingData: true,
      validateNoConflictingDeletes: true,
    });
    expect(await idsAfter(overwrite)).toEqual([2, 3, 4, 6, 9, 10]);
    const replaced = replacePartitions({ dataFiles: await write(rows([11, 12], "b")) });
    expect(await idsBySpark(replaced)).toEqual([2, 3, 4, 9, 10, 11, 12]);

    // The upgrade: row ids for all, and deletes of version 2 in the vectors of version 3.
    expect(await idsAfter(upgradeFormatVersion(3))).toHaveLength(7);
    expect(await idsBySpark(rowDelta({ deletedRows: await places(2) }))).toEqual([3, 4, 9, 10, 11, 12]);
    const { metadata, metadataLocation } = await table.load();
    const plan = await planSnapshot(io, metadata, currentSnapshot(metadata)!);
    const deleteFormats = [...plan.deletes.values()].flat().map(({ file }) => file.fileFormat);
    expect(deleteFormats).toEqual(["PUFFIN"]);
    const lineage = await spark.sql({ location: metadataLocation }, "SELECT id, _row_id FROM {table}");
    const rowIds = lineage.rows.map((row) => row["_row_id"]);
    expect(new Set(rowIds).size).toBe(6);
    expect(rowIds).not.toContain(null);

    // Two files of one partition become one; what a vector took does not come back.
    const ofA = plan.dataFiles.filter(({ file }) => file.partition[0] === "a");
    const rewritten = rewriteFiles({ deletedFiles: ofA, addedFiles: await write(rows([3, 4, 9], "a")) });
    expect(await idsBySpark(rewritten)).toEqual([3, 4, 9, 10, 11, 12]);
    expect((await table.plan()).deletes.size).toBe(0);

    // Another schema and another spec; old rows have the default.
    const evolve = [
      updateSchema([
        { change: "rename-column", name: "n", to: "m" },
        { change: "update-column", name: "m", type: { kind: "long" } },
        { change: "add-column", name: "since", type: { kind: "date" }, default: "2020-02-29" },
      ]),
      updateSpec([{ change: "add-field", term: "bucket(4, id)" }]),
    ];
    expect(await idsAfter(...evolve)).toHaveLength(6);
    const wide = (ids: readonly number[], part: string) =>
      rows(ids, part).map(({ id, part: where }) => ({ id: id!, part: where!, m: 2n ** 40n, since: 20_000 }));
    expect(await idsBySpark(appendFiles({ dataFiles: await write(wide([20, 21, 22], "b")) }))).toHaveLength(9);

    // A branch beside main, a staged change, and both published.
    await table.commit(createBranch("dev"), createTag("before"));
    await table.commit(appendFiles({ dataFiles: await write(wide([30], "a")), branch: "dev" }));
    const onDev = (await table.load()).metadata.refs.get("dev")!.snapshotId;
    const staged = { stageOnly: true, summary: new Map([["wap.id", "one"]]) };
    const withStaged = await table.commit(appendFiles({ dataFiles: await write(wide([31], "a")), ...staged }));
    expect(await readAlike(withStaged.metadata, withStaged.metadataLocation, false)).toHaveLength(9);
    const devRows = await spark.read({ location: withStaged.metadataLocation }, { snapshotId: onDev });
    expect(devRows.count).toBe(10);
    expect(await idsAfter(fastForwardBranch("main", "dev"))).toContain(30);
    expect(await idsBySpark(cherryPick(withStaged.metadata.snapshots.at(-1)!.snapshotId))).toHaveLength(11);
    const headId = (await table.head()).snapshotId;
    expect(await idsAfter(rollbackTo(beforeBranches))).toEqual([2, 3, 4, 6, 7, 8, 9]);
    const forward = await table.commit({
      ...createTag("lost", headId),
      name: "tag what was rolled back",
    });
    expect(forward.metadata.refs.get("lost")?.snapshotId).toBe(headId);

    // Files of others: DuckDB states no field ids.
    const folderOfC = join(folder, "given", "part=c");
    const duckdb = await (await DuckDBInstance.create()).connect();
    await io.write(join(folderOfC, "empty"), new Uint8Array());
    await duckdb.run(
      `COPY (SELECT 40::BIGINT AS id, 5::BIGINT AS m, DATE '1999-12-31' AS since) TO '${folderOfC}/x.parquet' (FORMAT parquet)`,
    );
    duckdb.closeSync();
    expect(await idsBySpark(addFiles({ locations: [join(folderOfC, "x.parquet")] }))).toContain(40);

    // Whole files of a condition, then everything that is old.
    const gone = deleteDataFiles({ rowFilter: { type: "eq", term: "part", value: "b" } });
    expect(await idsAfter(gone)).toEqual([2, 3, 4, 7, 8, 9, 40]);
    table.nowMs += 10 * 86_400_000;
    await table.commit(updateProperties({ note: "kept" }));
    const expired = await expireSnapshots(table.context, await table.load());
    expect(expired.snapshotIds.length).toBeGreaterThan(5);
    expect(expired.files.dataFiles.length).toBeGreaterThan(0);
    expect(await readAlike(expired.table.metadata, expired.table.metadataLocation)).toEqual([2, 3, 4, 7, 8, 9, 40]);
    const tagged = await spark.sql(
      { location: expired.table.metadataLocation },
      "SELECT count(*) AS rows FROM {table} VERSION AS OF 'lost'",
    );
    expect(tagged.rows).toEqual([{ rows: "11" }]);
  });

  test.each([1, 3] as const)(
    "a table of version %i that is made and filled in a few calls is read by Spark and PyIceberg",
    { timeout: 600_000 },
    async (formatVersion) => {
      const { context } = await WrittenTable.create({ io, warehouse: join(folder, `made${formatVersion}`) });
      const options = { partitionSpec: ["truncate(1, part)", "bucket(2, id)"], sortOrder: ["n desc"], formatVersion };
      const created = await createTable(context, { namespace: ["ns"], name: "made" }, SCHEMA, options);
      const filled = await appendRows(context, created, rows([1, 2, 3], "a"));
      const note = { name: "note", required: false, type: { kind: "string" } as const };
      const n = { name: "n", required: false, type: { kind: "long" } as const };
      const wider = await commitOperations(context, filled, unionByName(newSchema([note, n], [])));
      const { metadata, metadataLocation } = await appendRows(context, wider, [
        { id: 4n, part: "b", n: 2n ** 40n, note: "new" },
      ]);
      expect(await readAlike(metadata, metadataLocation)).toEqual([1, 2, 3, 4]);
    },
  );

  test("Spark's table of version 1 is written as it is, and Spark goes on with it", { timeout: 600_000 }, async () => {
    const { place, sql, load, commit, close } = await sparkTable("v1", [
      "CREATE TABLE {table} (id BIGINT NOT NULL, part STRING, n INT) USING iceberg PARTITIONED BY (part) TBLPROPERTIES ('format-version'='1', 'commit.manifest.min-count-to-merge'='3')",
      "INSERT INTO {table} VALUES (1, 'a', 1), (2, 'a', 2), (3, 'b', NULL)",
    ]);
    await using _catalog = close;
    const own = async (...given: Parameters<typeof rows>) => writeRows(io, (await load()).metadata, rows(...given));
    const idsAfter = async (bySpark: boolean, ...operations: TableOperation[]) => {
      const { metadata, metadataLocation } = await commit(...operations);
      expect(metadata.formatVersion).toBe(1);
      return readAlike(metadata, metadataLocation, bySpark);
    };
    expect(await idsAfter(false, appendFiles({ dataFiles: await own([4, 5], "b") }))).toEqual([1, 2, 3, 4, 5]);
    expect(await idsAfter(true, fastAppend({ dataFiles: await own([6], "c") }))).toHaveLength(6);
    const overwrite = overwriteFiles({
      overwriteByRowFilter: { type: "eq", term: "part", value: "b" },
      addedFiles: await own([7], "b"),
    });
    expect(await idsAfter(true, overwrite)).toEqual([1, 2, 6, 7]);
    expect(await idsAfter(false, replacePartitions({ dataFiles: await own([8], "c") }))).toEqual([1, 2, 7, 8]);
    const gone = deleteDataFiles({ rowFilter: { type: "eq", term: "part", value: "c" } });
    expect(await idsAfter(false, gone, updateProperties({ note: "ours" }))).toEqual([1, 2, 7]);
    const { metadata } = await load();
    const { dataFiles } = await planSnapshot(io, metadata, currentSnapshot(metadata)!);
    const ofA = dataFiles.filter(({ file }) => file.partition[0] === "a");
    const rewritten = rewriteFiles({ deletedFiles: ofA, addedFiles: await own([1, 2], "a") });
    expect(await idsAfter(true, rewritten)).toEqual([1, 2, 7]);
    const evolve = [
      updateSchema([
        { change: "update-column", name: "n", type: { kind: "long" } },
        { change: "add-column", name: "since", type: { kind: "date" } },
      ]),
      updateSpec([
        { change: "remove-field", name: "part" },
        { change: "add-field", term: "bucket(2, id)" },
      ]),
    ];
    await commit(...evolve);
    const wide = rows([9, 10], "a").map(({ id, part }) => ({ id: id!, part: part!, n: 2n ** 40n, since: 1 }));
    const files = await writeRows(io, (await load()).metadata, wide);
    expect(await idsAfter(true, appendFiles({ dataFiles: files }))).toEqual([1, 2, 7, 9, 10]);

    // Spark goes on, in version 1 and by manifests that it merges with ours.
    await sql("INSERT INTO {table} VALUES (11, 'd', 1, DATE'2024-02-29')");
    await sql("DELETE FROM {table} WHERE id = 9");
    await sql("CALL {catalog}.system.rewrite_manifests(table => 'n.v1')");
    const after = await load();
    expect(after.metadata.formatVersion).toBe(1);
    expect(await readAlike(after.metadata, after.metadataLocation)).toEqual([1, 2, 7, 10, 11]);
    expect(
      await idsAfter(true, appendFiles({ dataFiles: await writeRows(io, after.metadata, [{ ...wide[0]!, id: 12n }]) })),
    ).toHaveLength(6);
    expect((await spark.read(place)).rows).toHaveLength(6);
  });

  test("Spark's table of version 1 is upgraded twice, and Spark goes on with it", { timeout: 600_000 }, async () => {
    const { place, sql, load, commit, close } = await sparkTable("old", [
      "CREATE TABLE {table} (id BIGINT NOT NULL, part STRING, n INT) USING iceberg PARTITIONED BY (part) TBLPROPERTIES ('format-version'='1')",
      "INSERT INTO {table} VALUES (1, 'a', 1), (2, 'a', 2), (3, 'b', NULL)",
    ]);
    await using _catalog = close;

    await commit(upgradeFormatVersion(2));
    const own = async (id: number, part: string) => writeRows(io, (await load()).metadata, rows([id], part));
    await commit(appendFiles({ dataFiles: await own(4, "b") }));
    const twoDeleted = await placesOf(io, (await load()).metadata, "id", (id) => id === 2n);
    await commit(rowDelta({ deletedRows: twoDeleted, dataFiles: await own(5, "a") }));
    expect((await spark.read(place)).rows.map(({ id }) => id)).toEqual(["1", "3", "4", "5"]);
    await commit(upgradeFormatVersion(3));
    const oneDeleted = await placesOf(io, (await load()).metadata, "id", (id) => id === 1n);
    await commit(rowDelta({ deletedRows: oneDeleted }));
    const merged = await sql("SELECT id, _row_id IS NOT NULL AS has FROM {table}");
    expect(merged.rows).toEqual(["3", "4", "5"].map((id) => ({ id, has: true })));

    await sql("INSERT INTO {table} VALUES (6, 'a', 6)");
    await sql("DELETE FROM {table} WHERE id = 3");
    const { metadata } = await load();
    const lines = await scanLines(io, metadata, currentSnapshot(metadata)!, currentSchema(metadata).fields);
    expect(lines).toEqual((await spark.read(place)).lines);
    expect(lines).toHaveLength(3);
  });
});

function asDisposable<T extends { close(): Promise<void> }>(value: T): T & AsyncDisposable {
  return Object.assign(value, { [Symbol.asyncDispose]: () => value.close() });
}
