import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseTableMetadata } from "../../../table-format/index.ts";
import { metadataFile } from "../../readers/reader.ts";
import { openSpark } from "../../readers/spark.ts";
import { runFlinkSql } from "../../services/flink.ts";
import { progressOnStderr } from "../../services/progress.ts";

type Row = Readonly<Record<string, string | number | boolean | null>>;
/** A change: what was and what is, as Debezium says it. */
type Change = readonly [before: Row | null, after: Row | null];

/** Tables, their columns, and the changes of each commit. */
const TABLES: Readonly<
  Record<string, { readonly columns: string; readonly options: string; readonly commits: readonly (readonly Change[])[] }>
> = {
  plain: {
    columns: "id BIGINT NOT NULL, name STRING, amount DECIMAL(10, 2), `at` TIMESTAMP(6), PRIMARY KEY (id) NOT ENFORCED",
    options: "WITH ('format-version' = '2', 'write.upsert.enabled' = 'true')",
    commits: keyed((id, version) => ({
      id,
      name: version % 3 === 0 ? null : `n${id}v${version}`,
      amount: id + 0.25,
      at: `1969-12-31 23:59:${59 - (id % 10)}.000001`,
    })),
  },
  // Without upserts, what was before an update is deleted by its key, too.
  partitioned: {
    columns:
      "d DATE NOT NULL, code STRING NOT NULL, num DECIMAL(9, 2) NOT NULL, n INT, PRIMARY KEY (d, code, num) NOT ENFORCED",
    options: "PARTITIONED BY (code) WITH ('format-version' = '3')",
    commits: keyed((id, version) => ({ d: `1969-12-${20 + (id % 9)}`, code: `ü${id % 3}`, num: id - 7.25, n: version })),
  },
};

/** Rows come, change, twice within a commit too, go, and come back. */
function keyed(row: (id: number, version: number) => Row): Change[][] {
  const add = (id: number, version: number): Change => [null, row(id, version)];
  const change = (id: number, from: number, to: number): Change => [row(id, from), row(id, to)];
  const drop = (id: number, version: number): Change => [row(id, version), null];
  return [
    Array.from({ length: 12 }, (_, id) => add(id, 1)),
    [change(1, 1, 2), drop(2, 1), drop(3, 1), add(20, 2), change(20, 2, 3), add(21, 2), drop(21, 2)],
    [change(1, 2, 4), add(2, 5), drop(20, 3), change(4, 1, 6), change(4, 6, 7)],
  ];
}

const target = fileURLToPath(new URL(".", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "flink-tables-"));
const warehouse = join(folder, "warehouse");
mkdirSync(warehouse);
const statements = [
  `CREATE CATALOG c WITH ('type' = 'iceberg', 'catalog-impl' = 'org.apache.iceberg.jdbc.JdbcCatalog', 'uri' = 'jdbc:sqlite:${warehouse}/catalog.sqlite', 'warehouse' = '${warehouse}', 'jdbc.schema-version' = 'V1')`,
  "CREATE DATABASE c.n",
  "SET 'table.local-time-zone' = 'UTC'",
];
for (const [name, { columns, options, commits }] of Object.entries(TABLES)) {
  statements.push(`CREATE TABLE c.n.${name} (${columns}) ${options}`);
  commits.forEach((changes, i) => {
    const path = join(folder, `${name}-${i}.json`);
    const lines = changes.map(([before, after]) =>
      JSON.stringify({ before, after, op: before === null ? "c" : after === null ? "d" : "u" }),
    );
    writeFileSync(path, `${lines.join("\n")}\n`);
    statements.push(
      `CREATE TEMPORARY TABLE ${name}${i} (${columns}) WITH ('connector' = 'filesystem', 'path' = 'file://${path}', 'format' = 'debezium-json')`,
      `INSERT INTO c.n.${name} SELECT * FROM ${name}${i}`,
    );
  });
}
await runFlinkSql(statements, { folder: join(folder, "run"), timeoutMs: 1_700_000, progress: progressOnStderr });

await using spark = await openSpark({ timeoutMs: 900_000 });
for (const name of Object.keys(TABLES)) {
  const table = { sqlite: join(warehouse, "catalog.sqlite"), table: `n.${name}`, catalog: "c" };
  const location = metadataFile(table).replace(/^file:(\/\/)?/, "");
  const metadata = parseTableMetadata(readFileSync(location), location);
  const rows: Record<string, readonly string[]> = {};
  for (const { snapshotId } of metadata.snapshots) {
    rows[String(snapshotId)] = (await spark.read(table, { snapshotId })).lines;
  }
  const out = join(target, name);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out);
  const isKept = (path: string): boolean => !/\.crc$|metadata\.json$/.test(path);
  cpSync(join(metadata.location.replace(/^file:(\/\/)?/, ""), "metadata"), out, { recursive: true, filter: isKept });
  cpSync(join(metadata.location.replace(/^file:(\/\/)?/, ""), "data"), join(out, "data"), { recursive: true, filter: isKept });
  cpSync(location, join(out, "table.metadata.json"));
  const text = Object.entries(rows).map(([id, lines]) => `"${id}": ${JSON.stringify(lines, null, 2)}`);
  writeFileSync(join(out, "rows.json"), `{\n${text.join(",\n")}\n}\n`);
}
rmSync(folder, { recursive: true });
