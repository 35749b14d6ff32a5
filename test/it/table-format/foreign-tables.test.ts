import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLocalStorage } from "../../../src/storage/local.ts";
import {
  currentSchema,
  currentSnapshot,
  parseTableMetadata,
  scanRows,
  type Snapshot,
  snapshotSchema,
  type TableMetadata,
} from "../../../table-format/index.ts";
import { metadataFile } from "../../readers/reader.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { scanLines } from "../../support/canonical-cells.ts";
import { changelogLines } from "../../support/changelog-rows.ts";

const missing = await requireServers("readers");
const io = createLocalStorage();

/** Tables that Spark writes, statement by statement, with the features that the name says; `{table}` is the table. */
const STORIES: Readonly<Record<string, readonly string[]>> = {
  "format version 1": [
    "CREATE TABLE {table} (id BIGINT NOT NULL, name STRING, day DATE) USING iceberg PARTITIONED BY (day) TBLPROPERTIES ('format-version'='1')",
    "INSERT INTO {table} VALUES (1, 'a', DATE'2024-02-29'), (2, NULL, DATE'1969-12-31'), (3, 'c', NULL)",
    "ALTER TABLE {table} DROP PARTITION FIELD day",
    "ALTER TABLE {table} ADD PARTITION FIELD bucket(4, id)",
    "INSERT INTO {table} SELECT id + 10, name, day FROM {table}",
    "DELETE FROM {table} WHERE id = 2",
  ],
  "nested columns that change": [
    "CREATE TABLE {table} (id BIGINT, s STRUCT<a: INT, b: STRUCT<x: FLOAT, y: STRING>, c: DECIMAL(9,2)>, l ARRAY<STRUCT<p: INT, q: ARRAY<STRING>>>, m MAP<STRING, STRUCT<v: INT, kept: STRING>>, mm MAP<STRUCT<k: INT>, ARRAY<INT>>) USING iceberg TBLPROPERTIES ('format-version'='2')",
    "INSERT INTO {table} VALUES (1, named_struct('a', 1, 'b', named_struct('x', 0.1f, 'y', 'why'), 'c', 1.25), array(named_struct('p', 1, 'q', array('a', NULL, 'c')), NULL, named_struct('p', NULL, 'q', array())), map('k', named_struct('v', 1, 'kept', 'one'), 'n', NULL), map(named_struct('k', 1), array(1, NULL)))",
    "INSERT INTO {table} VALUES (2, NULL, NULL, NULL, NULL), (3, named_struct('a', NULL, 'b', NULL, 'c', NULL), array(), map(), map()), (4, named_struct('a', 4, 'b', named_struct('x', NULL, 'y', ''), 'c', -0.01), array(named_struct('p', 4, 'q', NULL)), map('z', named_struct('v', NULL, 'kept', NULL)), map(named_struct('k', 4), NULL))",
    "ALTER TABLE {table} ADD COLUMN s.d TIMESTAMP",
    "ALTER TABLE {table} ADD COLUMN s.b.z BINARY FIRST",
    "ALTER TABLE {table} ALTER COLUMN s.a TYPE BIGINT",
    "ALTER TABLE {table} ALTER COLUMN s.b.x TYPE DOUBLE",
    "ALTER TABLE {table} ALTER COLUMN s.c TYPE DECIMAL(20,2)",
    "ALTER TABLE {table} RENAME COLUMN s.b.y TO yy",
    "ALTER TABLE {table} ADD COLUMN l.element.r DATE",
    "ALTER TABLE {table} ALTER COLUMN l.element.p TYPE BIGINT",
    "ALTER TABLE {table} ADD COLUMN m.value.w STRING",
    "ALTER TABLE {table} DROP COLUMN m.value.v",
    "ALTER TABLE {table} ALTER COLUMN mm.value.element TYPE BIGINT",
    "INSERT INTO {table} SELECT 5, named_struct('a', 5L, 'b', named_struct('z', X'00ff', 'x', 0.1D, 'yy', 'y'), 'c', CAST(5 AS DECIMAL(20,2)), 'd', TIMESTAMP'1969-12-31 23:59:59.999999'), array(named_struct('p', 5L, 'q', array('q'), 'r', DATE'2024-02-29')), map('k', named_struct('kept', 'five', 'w', 'w')), map(named_struct('k', 5), array(9007199254740993L))",
    "ALTER TABLE {table} ALTER COLUMN l FIRST",
    "ALTER TABLE {table} DROP COLUMN s.b.x",
    "ALTER TABLE {table} RENAME COLUMN s TO renamed",
  ],
  "position deletes of files": [
    "CREATE TABLE {table} (id BIGINT, name STRING, part INT) USING iceberg PARTITIONED BY (truncate(2, name)) TBLPROPERTIES ('format-version'='2', 'write.delete.mode'='merge-on-read', 'write.update.mode'='merge-on-read', 'write.merge.mode'='merge-on-read', 'write.delete.granularity'='file')",
    "INSERT INTO {table} SELECT id, concat('n', id % 7), id % 3 FROM range(100)",
    "DELETE FROM {table} WHERE id % 5 = 0",
    "UPDATE {table} SET name = 'ünïcödé' WHERE id % 7 = 1",
    "DELETE FROM {table} WHERE id = 99",
  ],
  "position deletes of partitions": [
    "CREATE TABLE {table} (id BIGINT, name STRING, part INT) USING iceberg PARTITIONED BY (part) TBLPROPERTIES ('format-version'='2', 'write.delete.mode'='merge-on-read', 'write.update.mode'='merge-on-read', 'write.delete.granularity'='partition')",
    "INSERT INTO {table} SELECT /*+ COALESCE(1) */ id, concat('n', id), id % 2 FROM range(20)",
    "INSERT INTO {table} SELECT /*+ COALESCE(1) */ id, concat('n', id), id % 2 FROM range(20, 40)",
    "DELETE FROM {table} WHERE id % 5 = 0",
    "ALTER TABLE {table} ADD PARTITION FIELD bucket(2, id)",
    "INSERT INTO {table} SELECT id, concat('n', id), id % 2 FROM range(40, 60)",
    "UPDATE {table} SET name = NULL WHERE id % 9 = 1",
  ],
  "Avro files of data and deletes": [
    "CREATE TABLE {table} (id BIGINT, flag BOOLEAN, i INT, f FLOAT, d DOUBLE, dec DECIMAL(20,4), day DATE, at TIMESTAMP, local TIMESTAMP_NTZ, name STRING, raw BINARY, s STRUCT<a: INT, b: ARRAY<STRING>>, m MAP<INT, STRING>, mm MAP<STRING, INT>) USING iceberg TBLPROPERTIES ('format-version'='2', 'write.format.default'='avro', 'write.delete.format.default'='avro', 'write.delete.mode'='merge-on-read')",
    "INSERT INTO {table} VALUES (1, true, -2147483648, 0.1f, 1e-7, -1.5, DATE'1969-12-31', TIMESTAMP'1969-12-31 23:59:59.999999', TIMESTAMP_NTZ'2024-02-29 12:00:00', 'Ä', X'', named_struct('a', 1, 'b', array('x', NULL)), map(1, 'one'), map('one', 1)), (2, NULL, NULL, float('-inf'), double('nan'), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (3, false, 3, -0.0f, -0.0d, 99999.9999, NULL, NULL, NULL, '', X'00ff', named_struct('a', NULL, 'b', NULL), map(), map())",
    "DELETE FROM {table} WHERE id = 2",
    "ALTER TABLE {table} ALTER COLUMN i TYPE BIGINT",
    "ALTER TABLE {table} ADD COLUMN s.c STRING",
  ],
  "vectors after an upgrade": [
    "CREATE TABLE {table} (id BIGINT, name STRING) USING iceberg TBLPROPERTIES ('format-version'='2', 'write.delete.mode'='merge-on-read', 'write.merge.mode'='merge-on-read', 'write.metadata.compression-codec'='gzip')",
    "INSERT INTO {table} SELECT /*+ COALESCE(1) */ id, concat('n', id) FROM range(100)",
    "DELETE FROM {table} WHERE id % 5 = 0",
    "ALTER TABLE {table} SET TBLPROPERTIES ('format-version'='3')",
    "DELETE FROM {table} WHERE id % 7 = 0",
    "MERGE INTO {table} t USING (SELECT id, 'merged' AS name FROM range(95, 105)) u ON t.id = u.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
  ],
  "codecs and transforms": [
    "CREATE TABLE {table} (id BIGINT, at TIMESTAMP, name STRING, raw BINARY, dec DECIMAL(9,2)) USING iceberg PARTITIONED BY (years(at), bucket(3, name), truncate(2, raw), truncate(10, dec)) TBLPROPERTIES ('format-version'='2', 'write.parquet.compression-codec'='gzip', 'write.avro.compression-codec'='zstd')",
    "INSERT INTO {table} SELECT id, timestampadd(DAY, id * 100 - 400, TIMESTAMP'1970-01-01 00:00:00'), concat('n', id), cast(concat('ü', id) AS binary), cast(id - 4.5 AS DECIMAL(9,2)) FROM range(8)",
    "ALTER TABLE {table} SET TBLPROPERTIES ('write.parquet.compression-codec'='snappy', 'write.avro.compression-codec'='snappy')",
    "INSERT INTO {table} SELECT id + 100, at, name, raw, dec FROM {table}",
    "ALTER TABLE {table} SET TBLPROPERTIES ('write.parquet.compression-codec'='uncompressed', 'write.avro.compression-codec'='uncompressed')",
    "INSERT INTO {table} VALUES (200, NULL, NULL, NULL, NULL)",
  ],
};

describe.skipIf(missing !== null)(withReason("tables that Spark wrote", missing), () => {
  let spark: SparkReader;
  let folder: string;
  beforeAll(async () => {
    spark = await openSpark({ timeoutMs: 900_000 });
    folder = mkdtempSync(join(tmpdir(), "frazil-foreign-"));
    await spark.sql(tableOf("none"), "CREATE NAMESPACE IF NOT EXISTS {catalog}.n");
  }, 900_000);
  afterAll(async () => {
    await spark?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const tableOf = (name: string) => ({ sqlite: join(folder, "catalog.sqlite"), table: `n.${name}`, catalog: "j" });
  const load = async (name: string): Promise<TableMetadata> => {
    const location = metadataFile(tableOf(name)).replace(/^file:/, "");
    return parseTableMetadata(await readFile(location), location);
  };
  const write = async (name: string, statements: readonly string[]) => {
    for (const statement of statements) await spark.sql(tableOf(name), statement.replaceAll("{name}", name));
  };
  /** Rows by the schema that Spark takes for the snapshot. */
  const expectEqual = async (name: string, metadata: TableMetadata, snapshot: Snapshot, atHead: boolean) => {
    const { fields } = atHead ? currentSchema(metadata) : snapshotSchema(metadata, snapshot);
    const ours = await scanLines(io, metadata, snapshot, fields);
    const options = atHead ? {} : { snapshotId: snapshot.snapshotId };
    const { lines } = await spark.read(tableOf(name), options);
    expect(ours).toEqual(lines);
    return lines.length;
  };

  test.each(Object.entries(STORIES))("%s", { timeout: 900_000 }, async (title, statements) => {
    const name = title.replaceAll(/\W+/g, "_");
    await write(name, statements);
    const metadata = await load(name);
    expect(await expectEqual(name, metadata, currentSnapshot(metadata)!, true)).toBeGreaterThan(0);
    for (const snapshot of metadata.snapshots) await expectEqual(name, metadata, snapshot, false);
  });

  test(
    "files without ids that were added to the table: by name, partitions from their folders, INT96",
    { timeout: 900_000 },
    async () => {
      const source = join(folder, "hive");
      await spark.sql(tableOf("none"), "SET spark.sql.parquet.outputTimestampType=INT96");
      await spark.sql(
        tableOf("none"),
        `INSERT OVERWRITE DIRECTORY '${source}/part=7' USING parquet SELECT id, timestampadd(MICROSECOND, id - 2, TIMESTAMP'1970-01-01 00:00:00') AS at, array(named_struct('x', id)) AS l, map('k', id) AS m FROM range(4)`,
      );
      await write("added", [
        "CREATE TABLE {table} (id BIGINT, at TIMESTAMP, l ARRAY<STRUCT<x: BIGINT>>, m MAP<STRING, BIGINT>, part INT) USING iceberg PARTITIONED BY (part) TBLPROPERTIES ('format-version'='2')",
        `CALL {catalog}.system.add_files(table => 'n.added', source_table => '\`parquet\`.\`${source}\`')`,
        "ALTER TABLE {table} RENAME COLUMN id TO key",
        "INSERT INTO {table} VALUES (9, NULL, NULL, NULL, 8)",
      ]);
      const metadata = await load("added");
      expect(metadata.properties.has("schema.name-mapping.default")).toBe(true);
      expect(await expectEqual("added", metadata, currentSnapshot(metadata)!, true)).toBe(5);
    },
  );

  test.each([2, 3])(
    "changes of a table of version %i that is copied on write are those of Spark's changelog view",
    { timeout: 900_000 },
    async (formatVersion) => {
      const name = `changed_${formatVersion}`;
      await write(name, [
        `CREATE TABLE {table} (id BIGINT NOT NULL, name STRING, n INT) USING iceberg PARTITIONED BY (bucket(2, id)) TBLPROPERTIES ('format-version'='${formatVersion}')`,
        "ALTER TABLE {table} SET IDENTIFIER FIELDS id",
        "INSERT INTO {table} SELECT id, concat('n', id), 1 FROM range(20)",
        "UPDATE {table} SET name = IF(id % 3 = 0, 'three', name) WHERE id < 12",
        "CALL {catalog}.system.rewrite_data_files(table => 'n.{name}', options => map('rewrite-all', 'true'))",
        "ALTER TABLE {table} ADD COLUMN since DATE",
        "MERGE INTO {table} t USING (SELECT id + 15 AS id, DATE'2024-02-29' AS since FROM range(10)) s ON t.id = s.id WHEN MATCHED AND t.id % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET since = s.since WHEN NOT MATCHED THEN INSERT (id, name, n, since) VALUES (s.id, 'new', 2, s.since)",
        "INSERT OVERWRITE {table} SELECT id, name, n + 1, since FROM {table} WHERE id < 3 OR id > 20",
        "DELETE FROM {table} WHERE n = 2",
      ]);
      await write(name, [
        "CALL {catalog}.system.create_changelog_view(table => 'n.{name}', changelog_view => '{name}_view', identifier_columns => array('id'))",
      ]);
      const { lines } = await spark.sql(tableOf(name), `SELECT * FROM ${name}_view`);
      const metadata = await load(name);
      const ours = await changelogLines(io, metadata, {});
      expect(ours).toEqual(lines);
      const kinds = ["INSERT", "DELETE", "UPDATE_BEFORE", "UPDATE_AFTER"];
      for (const kind of kinds) expect(ours.filter((line) => line.includes(kind)).length).toBeGreaterThan(2);
    },
  );

  test("ORC is refused by name", { timeout: 900_000 }, async () => {
    await write("orc", [
      "CREATE TABLE {table} (id BIGINT) USING iceberg TBLPROPERTIES ('write.format.default'='orc')",
      "INSERT INTO {table} VALUES (1)",
    ]);
    const metadata = await load("orc");
    const rows = scanRows(io, metadata, currentSnapshot(metadata)!);
    await expect(rows.next()).rejects.toThrow(/\.orc: Parquet and Avro files are read, found ORC$/);
  });
});
