import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalLines, canonicalNumber, digestOf } from "../../readers/canonical.ts";
import { installReaders } from "../../readers/install.ts";
import { metadataFile, openReaders, type Readers } from "../../readers/reader.ts";
import type { S3Location, SqliteTable } from "../../readers/requests.ts";
import { requireServers, withReason } from "../../require.ts";
import { startMinio } from "../../services/minio.ts";
import type { RunningS3 } from "../../services/s3-server.ts";
import { progressOnStderr } from "../../services/progress.ts";
import { runTool } from "../../services/tools.ts";

const missing = await requireServers("readers");
const missingStore = await requireServers("readers", "minio");

/** The rows that `write_fixture.py` leaves in its second snapshot's table, beside those whose other columns are null. */
const empty = { flag: null, small: null, real: null, ratio: null, total: null, name: null };
const second = {
  ...empty,
  id: "2",
  real: canonicalNumber(-Infinity),
  ratio: canonicalNumber(-0),
  total: "-0.0000000001",
};
const third = { ...empty, id: "3", ratio: 123456789012345680000, name: "added" };
const full = {
  id: "9223372036854775807",
  flag: true,
  small: -2147483648,
  real: Math.fround(0.1),
  ratio: 1e-7,
  total: "1234567890123456789012345678.0123456789",
  day: "1969-12-31",
  at_time: "23:59:59.999999",
  local: "1969-12-31T23:59:59.999999",
  instant: "2024-02-29T12:00:00.000001+00:00",
  name: 'Ä "quoted" \u{1f9ca}\n',
  token: "f79c3e09-677c-4bbd-a479-3f349cb785e7",
  code: "0001feff",
  raw: "",
  tags: ["b", null, "a"],
  counts: [
    ["a", null],
    ["z", "9007199254740993"],
  ],
  nested: { a: "-1", b: "NaN" },
};

type Fixture = { snapshotIds: [string, string]; location: string; metadata: string };

async function writeFixture(table: SqliteTable, warehouse: string, s3?: S3Location): Promise<Fixture> {
  const python = await installReaders(progressOnStderr);
  const script = fileURLToPath(new URL("../../readers/write_fixture.py", import.meta.url));
  const catalog = { uri: `sqlite:///${table.sqlite}`, catalog: "frazil", warehouse, table: table.table };
  const output = await runTool(python, ["-B", script, JSON.stringify(s3 === undefined ? catalog : { ...catalog, s3 })]);
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Fixture;
}

describe.skipIf(missing !== null)(withReason("the readers of the tests, on a local table", missing), () => {
  const folder = mkdtempSync(join(tmpdir(), "frazil-readers-"));
  const table: SqliteTable = { sqlite: join(folder, "catalog.db"), table: "shop.everything" };
  let readers: Readers;
  let fixture: Fixture;
  beforeAll(async () => {
    readers = await openReaders();
    fixture = await writeFixture(table, `file://${folder}/warehouse`);
  });
  afterAll(async () => {
    await readers?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const reader of ["pyiceberg", "duckdb"] as const) {
    it(`${reader} gives every type in canonical form`, async () => {
      const contents = await readers[reader](table, { snapshotId: BigInt(fixture.snapshotIds[0]) });
      expect(contents.rows).toHaveLength(2);
      expect(contents.rows[0]).toMatchObject(second);
      expect(contents.rows[1]).toEqual(full);
      const columns = contents.columns.map((column) => column.name);
      expect(contents.lines).toEqual(canonicalLines(columns, contents.rows));
      expect(contents.digest).toBe(digestOf(contents.lines));
    });

    it(`${reader} reads the current rows from a metadata file, and only the columns asked for`, async () => {
      expect(metadataFile(table)).toBe(fixture.metadata);
      const columns = Object.keys(empty);
      const contents = await readers[reader]({ location: fixture.metadata }, { columns: ["id", ...columns] });
      expect(contents.rows).toEqual([second, third]);
      const types = contents.columns.map((column) => column.type);
      expect(types).toEqual(["long", "boolean", "int", "float", "double", "decimal(38, 10)", "string"]);
    });

    it(`${reader} gives only count and digest when asked`, async () => {
      const whole = await readers[reader](table);
      const summary = await readers[reader](table, { rows: false });
      expect(summary).toMatchObject({ count: 2, digest: whole.digest, rows: [], lines: [] });
    });

    it(`${reader} fails on a table that is not there, and then goes on`, async () => {
      await expect(readers[reader]({ location: join(folder, "nowhere.metadata.json") })).rejects.toThrow();
      expect((await readers[reader](table)).count).toBe(2);
    });
  }

  it("describes the metadata", async () => {
    const description = await readers.describe(table);
    expect(description.formatVersion).toBe(2);
    expect(description.snapshots.map((snapshot) => snapshot.operation)).toEqual(["append", "append", "overwrite"]);
    expect(description.refs).toEqual({ main: fixture.snapshotIds[1] });
    expect(description.columns[0]).toEqual({ id: 1, name: "id", type: "long", required: true });
  });

  it("gives up on a reader that takes too long", async () => {
    await using hasty = await openReaders({ timeoutMs: 1 });
    await expect(hasty.duckdb(table)).rejects.toThrow("no answer in 1 ms");
    await expect(hasty.pyiceberg(table)).rejects.toThrow("no answer in 1 ms");
  });
});

describe.skipIf(missingStore !== null)(withReason("the readers of the tests, on MinIO", missingStore), () => {
  const folder = mkdtempSync(join(tmpdir(), "frazil-readers-"));
  const table: SqliteTable = { sqlite: join(folder, "catalog.db"), table: "shop.everything" };
  let minio: RunningS3;
  let readers: Readers;
  let fixture: Fixture;
  beforeAll(async () => {
    [minio, readers] = await Promise.all([startMinio(), openReaders()]);
    fixture = await writeFixture(table, `s3://${minio.bucket}/warehouse`, minio);
  });
  afterAll(async () => {
    await readers?.[Symbol.asyncDispose]();
    await minio?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it("both read a table from the catalog and from its metadata file", async () => {
    const s3 = { s3: minio };
    const readings = await Promise.all([
      readers.pyiceberg(table, s3),
      readers.pyiceberg({ location: fixture.metadata }, s3),
      readers.duckdb(table, s3),
      readers.duckdb({ location: fixture.metadata }, s3),
    ]);
    for (const { rows } of readings) expect(rows).toMatchObject([second, third]);
    expect(new Set(readings.map((reading) => reading.digest)).size).toBe(1);
  });
});
