import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import type { Runtime } from "../../../src/core/runtime.ts";
import { runCompaction } from "../../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../../src/maintenance/compact/plan.ts";
import { openWarehouse, type Warehouse } from "../../../src/warehouse.ts";
import {
  createManifestCache,
  currentSchema,
  currentSnapshot,
  deletedPositions,
  explicitLineage,
  fieldByName,
  type LiveFile,
  type LoadedTable,
  must,
  parsePartitionBy,
  planSnapshot,
  readDataFile,
  type Schema,
  valueAt,
  withLineage,
} from "../../../table-format/index.ts";
import { canonicalLines } from "../../readers/canonical.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { scanLines } from "../../support/canonical-cells.ts";
import { ForeignTable } from "../../support/foreign-table.ts";

const missing = await requireServers("spark");

const SCHEMA: Schema = {
  schemaId: 0,
  fields: [
    { id: 1, name: "id", required: true, type: { kind: "long" } },
    { id: 2, name: "part", required: false, type: { kind: "string" } },
    { id: 3, name: "value", required: false, type: { kind: "long" } },
  ],
  identifierFieldIds: [1],
};

/** A row but for its id. */
type Row = { readonly part: string | null; readonly value: bigint | null };
type Rows = Map<bigint, Row>;

const part = (id: bigint): string => `p${id % 3n}`;
const range = (from: number, to: number): bigint[] => Array.from({ length: to - from }, (_, i) => BigInt(from + i));
/** What Spark's `range` gives, as rows of the table. */
const source = (from: number, to: number): string =>
  `SELECT id, concat('p', id % 3) AS part, id * 10 AS value FROM range(${from}, ${to})`;

/** What Spark does, round by round, and what becomes of the rows. `before` in a statement is the snapshot before the round. */
const ROUNDS: readonly {
  readonly name: string;
  readonly sql: readonly string[];
  readonly apply: (rows: Rows) => void;
  /** It gives all rows new ids, which it should not. */
  readonly renumbers?: boolean;
}[] = [
  {
    name: "appends",
    sql: [`INSERT INTO {table} ${source(100, 120)}`],
    apply: (rows) => range(100, 120).forEach((id) => rows.set(id, { part: part(id), value: id * 10n })),
  },
  {
    name: "merges on read",
    sql: [
      "ALTER TABLE {table} SET TBLPROPERTIES ('write.merge.mode'='merge-on-read', 'write.delete.mode'='merge-on-read', 'write.update.mode'='copy-on-write')",
      `MERGE INTO {table} t USING (${source(90, 125)}) s ON t.id = s.id WHEN MATCHED AND s.id % 4 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET value = s.value + 1 WHEN NOT MATCHED THEN INSERT *`,
    ],
    apply(rows) {
      for (const id of range(90, 125)) {
        const row = rows.get(id);
        if (row === undefined) rows.set(id, { part: part(id), value: id * 10n });
        else if (id % 4n === 0n) rows.delete(id);
        else rows.set(id, { ...row, value: id * 10n + 1n });
      }
    },
  },
  {
    name: "updates by copying",
    sql: ["UPDATE {table} SET value = -id, part = 'p9' WHERE id % 11 = 5"],
    apply: (rows) =>
      [...rows.keys()].filter((id) => id % 11n === 5n).forEach((id) => rows.set(id, { part: "p9", value: -id })),
  },
  {
    name: "deletes",
    sql: ["DELETE FROM {table} WHERE id % 13 = 1"],
    apply: (rows) => [...rows.keys()].filter((id) => id % 13n === 1n).forEach((id) => rows.delete(id)),
  },
  {
    name: "compacts",
    sql: [
      "CALL {catalog}.system.rewrite_data_files(table => 'ns.t', options => map('rewrite-all', 'true'))",
      "CALL {catalog}.system.rewrite_position_delete_files(table => 'ns.t', options => map('rewrite-all', 'true'))",
    ],
    apply() {},
  },
  {
    name: "adds a column",
    sql: [
      "ALTER TABLE {table} ADD COLUMN note STRING",
      `INSERT INTO {table} SELECT *, NULL FROM (${source(200, 215)})`,
    ],
    apply: (rows) => range(200, 215).forEach((id) => rows.set(id, { part: part(id), value: id * 10n })),
  },
  {
    name: "partitions otherwise",
    sql: [
      "ALTER TABLE {table} ADD PARTITION FIELD bucket(2, id)",
      `INSERT INTO {table} SELECT *, NULL FROM (${source(300, 310)})`,
    ],
    apply: (rows) => range(300, 310).forEach((id) => rows.set(id, { part: part(id), value: id * 10n })),
  },
  {
    name: "rewrites manifests",
    sql: ["CALL {catalog}.system.rewrite_manifests('ns.t')"],
    apply() {},
    renumbers: true,
  },
  {
    name: "expires",
    sql: [
      "CALL {catalog}.system.expire_snapshots(table => 'ns.t', older_than => TIMESTAMP'2100-01-01 00:00:00', retain_last => 2)",
    ],
    apply() {},
  },
  {
    name: "appends and rolls back",
    sql: [
      `INSERT INTO {table} SELECT *, 'gone' FROM (${source(400, 420)})`,
      "CALL {catalog}.system.rollback_to_snapshot('ns.t', {before})",
    ],
    apply() {},
  },
];

describe.skipIf(missing !== null)(withReason("Java goes on after us, and we after Java", missing), () => {
  let spark: SparkReader;
  beforeAll(async () => {
    spark = await openSpark({ timeoutMs: 600_000 });
  }, 600_000);
  afterAll(() => spark?.[Symbol.asyncDispose]());

  test.each([3, 2] as const)("over ten rounds in format version %i", { timeout: 900_000 }, async (formatVersion) => {
    const folder = mkdtempSync(join(tmpdir(), "frazil-java-"));
    const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);
    const warehouse = await openWarehouse(warehouseAt(folder, {}), runtime, "create");
    try {
      await goOn(new SharedTable(spark, warehouse, runtime, join(folder, "catalog.sqlite")), formatVersion);
    } finally {
      await warehouse.catalog.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

async function goOn(table: SharedTable, formatVersion: 2 | 3): Promise<void> {
  await table.create(formatVersion);
  const rows: Rows = new Map();
  let next = 0;
  const write = async (dies: (id: bigint) => boolean, count: number) => {
    for (const id of [...rows.keys()].filter(dies)) rows.delete(id);
    const added = range(next, (next += count));
    for (const id of added) rows.set(id, { part: id % 5n === 0n ? null : part(id), value: id });
    await table.write(
      dies,
      added.map((id) => ({ id, ...must(rows.get(id), "a row") })),
    );
  };
  await write(() => false, 60);
  await write((id) => id % 9n === 0n, 20);
  await table.expectRows("at first", rows);
  // Beyond the ids that Spark inserts.
  next = 1_000;
  for (const [round, { name, sql, apply, renumbers }] of ROUNDS.entries()) {
    await table.bySpark(sql);
    apply(rows);
    await table.expectRows(`Spark ${name}`, rows, renumbers);
    await write((id) => id % 10n === BigInt(round), 3);
    if (round % 3 === 1) await table.compact();
    await table.expectRows(`after Spark ${name} we write`, rows);
  }
}

/** A table in an SQLite catalog that Spark and this library write in turn. */
class SharedTable {
  readonly #spark: SparkReader;
  readonly #warehouse: Warehouse;
  readonly #runtime: Runtime;
  readonly #place: { readonly sqlite: string; readonly table: string };
  readonly #ours: ForeignTable;
  /** Of the last look: values, row id and sequence number by id. */
  #seen = new Map<string, readonly [row: string, rowId: string, sequenceNumber: string]>();

  constructor(spark: SparkReader, warehouse: Warehouse, runtime: Runtime, sqlite: string) {
    this.#spark = spark;
    this.#warehouse = warehouse;
    this.#runtime = runtime;
    this.#place = { sqlite, table: "ns.t" };
    this.#ours = new ForeignTable({ ...warehouse, fault: () => undefined }, { namespace: ["ns"], name: "t" });
  }

  async create(formatVersion: 2 | 3): Promise<void> {
    const { catalog } = this.#warehouse;
    const ident = { namespace: ["ns"], name: "t" };
    await catalog.ensureNamespace(ident.namespace);
    const outcome = await catalog.commit([
      {
        ident,
        requirements: [{ type: "assert-create" }],
        updates: [
          { action: "assign-uuid", uuid: "8a3c4d5e-0000-4000-8000-000000000001" },
          { action: "upgrade-format-version", formatVersion },
          { action: "add-schema", schema: SCHEMA, lastColumnId: 3 },
          { action: "set-current-schema", schemaId: -1 },
          { action: "add-spec", spec: parsePartitionBy(["part"], SCHEMA) },
          { action: "set-default-spec", specId: -1 },
          { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
          { action: "set-default-sort-order", sortOrderId: -1 },
          { action: "set-location", location: catalog.defaultLocation(ident) },
        ],
      },
    ]);
    expect(outcome.outcome).toBe("committed");
  }

  /** Deletes rows by id and appends others, in one commit of ours. */
  write(dies: (id: bigint) => boolean, added: readonly ({ readonly id: bigint } & Row)[]): Promise<void> {
    return this.#ours.replace((row) => dies(row["id"] as bigint), added);
  }

  async compact(): Promise<void> {
    const { io, catalog, location } = this.#warehouse;
    const context = {
      io,
      catalog,
      runtime: this.#runtime,
      manifests: createManifestCache(100),
      warehouseLocation: location,
    };
    const plan = await planCompaction(context, await this.#load(), { targetSizeBytes: 1 << 20, minFiles: 2 });
    expect(plan.groups.length).toBeGreaterThan(0);
    await Array.fromAsync(runCompaction(context, plan));
  }

  async bySpark(statements: readonly string[]): Promise<void> {
    const before = String((await this.#load()).metadata.currentSnapshotId);
    for (const sql of statements) await this.#spark.sql(this.#place, sql.replace("{before}", before));
  }

  /** Both of us read the rows, and of version 3 the same lineage; rows that did not change keep theirs. */
  async expectRows(when: string, rows: Rows, renumbered = false): Promise<void> {
    const { metadata } = await this.#load();
    const { fields } = currentSchema(metadata);
    const names = fields.map(({ name }) => name);
    const expected = canonicalLines(
      names,
      [...rows].map(([id, row]) => ({
        id: String(id),
        part: row.part,
        value: row.value === null ? null : String(row.value),
      })),
    );
    const snapshot = must(currentSnapshot(metadata), "a snapshot");
    const ours = await scanLines(this.#warehouse.io, metadata, snapshot, fields);
    expect({ when, ours }).toEqual({ when, ours: expected });
    const lineage = metadata.formatVersion === 3 ? ", _row_id, _last_updated_sequence_number" : "";
    const { lines } = await this.#spark.sql(this.#place, `SELECT ${names.join(", ")}${lineage} FROM {table}`);
    if (lineage === "") {
      expect({ when, spark: lines }).toEqual({ when, spark: expected });
      return;
    }
    const theirs = lines.map((line) => JSON.parse(line) as string[]);
    expect({ when, spark: theirs.map((row) => JSON.stringify(row.slice(0, -2))) }).toEqual({ when, spark: expected });
    const seen = new Map(
      theirs.map((row) => {
        const [id = "", rowId = "", sequenceNumber = ""] = [row[0], row.at(-2), row.at(-1)];
        return [id, [JSON.stringify(row.slice(0, 3)), rowId, sequenceNumber] as const];
      }),
    );
    expect({ when, lineage: sorted(await this.#lineage()) }).toEqual({
      when,
      lineage: sorted([...seen].map(([id, [, rowId, sequenceNumber]]) => [id, rowId, sequenceNumber])),
    });
    expect(new Set([...seen.values()].map(([, rowId]) => rowId)).size).toBe(rows.size);
    for (const [id, [row, ...kept]] of this.#seen) {
      const now = seen.get(id);
      if (now?.[0] === row && !renumbered) expect({ when, id, kept: now.slice(1) }).toEqual({ when, id, kept });
    }
    this.#seen = seen;
  }

  /** Id, row id and sequence number of every live row, by us. */
  async #lineage(): Promise<string[][]> {
    const { io } = this.#warehouse;
    const { metadata } = await this.#load();
    const plan = await planSnapshot(io, metadata, must(currentSnapshot(metadata), "a snapshot"));
    const rows: string[][] = [];
    for (const live of plan.dataFiles) {
      const dead = await deletedPositions(io).of(live.file, plan.deletes.get(live.file.filePath) ?? []);
      for await (const [position, row] of this.#rowsOf(live, currentSchema(metadata))) {
        if (!dead.has(position)) rows.push(row);
      }
    }
    return rows;
  }

  async *#rowsOf(live: LiveFile, schema: Schema): AsyncGenerator<readonly [position: number, row: string[]]> {
    const all = withLineage(schema);
    const ids = [must(fieldByName(schema, "id"), "the key").id, ...all.fields.slice(-2).map(({ id }) => id)];
    let start = 0;
    for await (const batch of readDataFile(this.#warehouse.io, live.file, all, ids)) {
      const { columns } = explicitLineage(batch, live, start);
      for (let row = 0; row < batch.length; row++) {
        yield [start + row, columns.map((column) => String(valueAt(column, row)))];
      }
      start += batch.length;
    }
  }

  async #load(): Promise<LoadedTable> {
    return must(await this.#warehouse.catalog.loadTable({ namespace: ["ns"], name: "t" }), "the table");
  }
}

function sorted(rows: readonly (readonly string[])[]): string[] {
  return rows.map((row) => row.join(" ")).sort();
}
