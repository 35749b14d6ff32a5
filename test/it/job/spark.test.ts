import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { warehouseAt } from "../../../src/config/load.ts";
import type { ChangeBatch } from "../../../src/core/change-batch.ts";
import { parsePosition, type Position } from "../../../src/core/position.ts";
import type { Clock } from "../../../src/core/runtime.ts";
import type { Source } from "../../../src/core/source.ts";
import type { TableRouter } from "../../../src/core/table-binding.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { type PlainRow, type PlainValue, shopChangelog } from "../../../src/sources/generator/expected.ts";
import { SHOP_TABLES } from "../../../src/sources/generator/shop.ts";
import { createGeneratorSource } from "../../../src/sources/generator/source.ts";
import { openWarehouse } from "../../../src/warehouse.ts";
import { createBuilder, type PrimitiveType, typeText, valueAt } from "../../../table-format/index.ts";
import { type CanonicalValue, canonicalLines, canonicalNumber } from "../../readers/canonical.ts";
import { openReaders, type Readers, type TableDescription } from "../../readers/reader.ts";
import type { TableContents } from "../../readers/requests.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";

const missing = await requireServers("readers", "spark");

const FORMAT_VERSIONS = [2, 3] as const;
const SHOP = { type: "generator", seed: 5, rate: 16_000, splits: 2 } as const;
/** Events before and after the columns come that the first run does not have. */
const EVENTS = { narrow: 5000, all: 12_000 };
const TABLES = ["customers", "orders", "order_events"] as const;
const NOT_AT_FIRST: Readonly<Record<string, readonly string[]>> = {
  "shop.customers": ["vip", "credit", "joined"],
  "shop.orders": ["note", "exact", "trace_id", "reference", "gift", "placed_on"],
  "shop.order_events": ["detail"],
};
/** Spark has no type for a time of day and refuses any table with one. */
const NEVER = ["pickup"];
const FILTERS = {
  customers: ["region", "asia"],
  orders: ["id", "9007199254741993"],
  order_events: ["kind", "paid"],
} as const;
const PARTITIONS: Readonly<Record<string, readonly string[]>> = {
  customers: ["region"],
  orders: ["bucket(3, id)", "month(placed_at)"],
  order_events: ["hour(at)", "truncate(3, kind)"],
};

const LONG: PrimitiveType = { kind: "long" };

/**
 * The generator's changes as a database would send them whose columns were added on the way: at first without some, and with
 * `quantity` as an int, which becomes a long.
 */
function evolving(source: Source, router: TableRouter, phase: "narrow" | "all"): Source {
  const streams = new Map(SHOP_TABLES.map(({ stream }) => [router.byStream(stream)?.table, stream]));
  const reshape = (batch: ChangeBatch): ChangeBatch => {
    const left = new Set([
      ...NEVER,
      ...(phase === "narrow" ? (NOT_AT_FIRST[streams.get(batch.table) ?? ""] ?? []) : []),
    ]);
    const kept = batch.fields.flatMap((field, index) => {
      const column = batch.columns[index];
      if (column === undefined || left.has(field.name)) return [];
      if (field.name !== "quantity" || phase === "narrow") return [{ field, column }];
      const builder = createBuilder(LONG);
      for (let row = 0; row < batch.length; row++) {
        const value = valueAt(column, row);
        if (value === null) builder.appendNull();
        else builder.appendI64(BigInt(value as number));
      }
      return [{ field: { ...field, type: LONG }, column: builder.finish() }];
    });
    return {
      ...batch,
      fields: kept.map(({ field }) => field),
      columns: kept.map(({ column }) => column),
      absent: kept.map(() => null),
    };
  };
  return {
    ...source,
    async *read(from, signal) {
      for await (const batch of source.read(from, signal)) yield { ...batch, changes: batch.changes.map(reshape) };
    },
  };
}

/** Time that passes only while the generator waits, so that its pulls are equal in every run: 800 events each. */
function patientClock(): Clock {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: async (durationMs) => void (nowMs += durationMs),
  };
}

/** The rows at a position, by playing the plain changes into maps. A row has the columns of the time when it was last written. */
function expectedRows(table: string, position: Position): PlainRow[] {
  const key = SHOP_TABLES.find(({ stream }) => stream === table)?.key ?? ["event_id"];
  const ends = Array.from({ length: SHOP.splits }, (_, split) => Number(position.get(`generator/${split}`) ?? 0));
  const rows = new Map<string, PlainRow>();
  let sequence = 0;
  for (const changes of shopChangelog({ ...SHOP, events: EVENTS.all })) {
    const place = sequence++;
    if (Math.floor(place / SHOP.splits) >= (ends[place % SHOP.splits] as number)) continue;
    for (const change of changes.filter((each) => each.table === table)) {
      const id = JSON.stringify(key.map((name) => String(change.row[name])));
      const left = [...NEVER, ...(place < EVENTS.narrow ? (NOT_AT_FIRST[table] ?? []) : [])];
      const kept = Object.entries(change.row).filter(([name]) => !left.includes(name));
      if (change.op === "delete") rows.delete(id);
      else rows.set(id, Object.fromEntries(kept));
    }
  }
  return [...rows.values()];
}

/** A generator's plain value in the readers' canonical form. */
function canonical(value: PlainValue, type: string): CanonicalValue {
  if (value === null) return null;
  if (type === "long") return String(value);
  if (type === "float" || type === "double") return canonicalNumber(value as number);
  if (type === "date") return new Date((value as number) * 86_400_000).toISOString().slice(0, 10);
  if (type === "binary") return (value as string).toLowerCase();
  if (type !== "timestamp" && type !== "timestamptz") return value as CanonicalValue;
  const us = BigInt.asUintN(64, ((value as bigint) % 1000n) + 1000n) % 1000n;
  const iso = new Date(Number(((value as bigint) - us) / 1000n)).toISOString().slice(0, 23);
  return `${iso}${String(us).padStart(3, "0")}${type === "timestamptz" ? "+00:00" : ""}`;
}

describe.skipIf(missing !== null).each(FORMAT_VERSIONS)(
  withReason("tables of format version %i that a job wrote over a change of their schema", missing),
  (formatVersion) => {
    let readers: Readers;
    let spark: SparkReader;
    let folder: string;
    let sqlite: string;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "frazil-spark-"));
      sqlite = join(folder, "catalog.sqlite");
      const opened = Promise.all([openReaders(), openSpark()]);
      await runShop("narrow");
      await runShop("all");
      [readers, spark] = await opened;
    });
    afterAll(async () => {
      await Promise.all([readers?.[Symbol.asyncDispose](), spark?.[Symbol.asyncDispose]()]);
      rmSync(folder, { recursive: true, force: true });
    });

    async function runShop(phase: "narrow" | "all"): Promise<void> {
      const log = { debug() {}, info() {}, warn() {}, error() {} };
      const runtime = { ...createRuntime(log, undefined), random: seededRandom(EVENTS[phase]) };
      const warehouse = await openWarehouse(warehouseAt(folder, {}), runtime, "create");
      const summary = await runJob({
        pipeline: "shop",
        rules: TABLES.map((name): TableRule => ({
          from: `shop.${name}`,
          to: `shop.${name}`,
          mode: name === "order_events" ? "append" : "upsert",
          key: null,
          columns: new Map(),
          partitionBy: PARTITIONS[name] ?? [],
          sortBy: null,
          formatVersion,
          schemaChanges: "evolve",
        })),
        checkpoint: { intervalMs: 3_600_000, maxRows: 1000, maxSizeBytes: 1 << 28, idleCommitMs: 3_600_000 },
        memoryBytes: 1 << 28,
        warehouseLocation: warehouse.location,
        catalog: warehouse.catalog,
        io: warehouse.io,
        runtime,
        createSource: (router) => {
          const source = createGeneratorSource(
            { ...SHOP, events: EVENTS[phase] },
            { router, runtime: { clock: patientClock() } },
          );
          return evolving(source, router, phase);
        },
        end: { caughtUp: true, afterMs: null, maxRows: null },
        stop: new AbortController().signal,
        observer: { started() {}, progress() {}, committed() {}, notice() {} },
      });
      await warehouse.catalog.close();
      expect(summary.checkpoints).toBeGreaterThan(1);
    }

    const located = (name: string) => ({ sqlite, table: `shop.${name}` });

    function expectedLines(name: string, position: Position, { columns }: TableContents): string[] {
      const rows = expectedRows(`shop.${name}`, position).map((row) =>
        Object.fromEntries(columns.map((column) => [column.name, canonical(row[column.name] ?? null, column.type)])),
      );
      return canonicalLines(
        columns.map((column) => column.name),
        rows,
      );
    }

    async function expectRows(name: string, snapshot: TableDescription["snapshots"][number]): Promise<void> {
      const options = { snapshotId: BigInt(snapshot.snapshotId) };
      const seen = await spark.read(located(name), options);
      const position = parsePosition(snapshot.summary["ingest.position"] ?? "{}");
      const expected = expectedLines(name, position, seen);
      expect(expected.length).toBeGreaterThan(0);
      expect(seen.lines, `${name} by Spark`).toEqual(expected);
      expect((await readers.pyiceberg(located(name), options)).lines, `${name} by PyIceberg`).toEqual(expected);
      expect((await readers.duckdb(located(name), options)).lines, `${name} by DuckDB`).toEqual(expected);
    }

    describe.each(TABLES)("shop.%s", (name) => {
      it("is read equal by Spark, PyIceberg and DuckDB, now and at older snapshots of either schema", async () => {
        const { snapshots, refs } = await readers.describe(located(name));
        const written = snapshots.filter(({ summary }) => summary["total-records"] !== "0");
        expect(refs["main"]).toBe(snapshots.at(-1)?.snapshotId);
        expect(written.length).toBeGreaterThan(5);
        // The first that holds rows, the last of the old schema, one in the middle of the new one, and the head.
        const old = written.filter(({ summary }) => endOf(summary["ingest.position"]) <= EVENTS.narrow);
        const late = written.slice(old.length);
        for (const at of [old[0], old.at(-1), late[late.length >> 1], late.at(-1)]) {
          await expectRows(name, at as TableDescription["snapshots"][number]);
        }
      });

      it("has the evolved schema in Spark", async () => {
        const { columns } = await spark.read(located(name), { rows: false });
        const fields = SHOP_TABLES.find(({ stream }) => stream === `shop.${name}`)?.fields ?? [];
        const added = NOT_AT_FIRST[`shop.${name}`] ?? [];
        const kept = fields.filter((field) => !NEVER.includes(field.name) && !added.includes(field.name));
        const all = [...kept, ...fields.filter((field) => added.includes(field.name))];
        const types = all.map((field) => ({
          name: field.name,
          // Spark has no uuid and shows text.
          type: field.name === "quantity" ? "long" : typeText(field.type).replace("uuid", "string"),
        }));
        expect(columns).toEqual(types);
      });

      it("has its rows in the partitions that Iceberg's own transforms give them", async () => {
        const transforms: Readonly<Record<string, string>> = {
          customers: "_partition.region <> region",
          orders: `_partition.id_bucket <> {catalog}.system.bucket(3, id)
            OR NOT (_partition.placed_at_month <=> {catalog}.system.months(placed_at))`,
          order_events: `_partition.at_hour <> {catalog}.system.hours(at)
            OR _partition.kind_trunc <> {catalog}.system.truncate(3, kind)`,
        };
        const sql = `SELECT count(*), count_if(${transforms[name]}), count(DISTINCT _partition) FROM {table}`;
        const { lines } = await spark.sql(located(name), sql);
        const [rows, misplaced, partitions] = JSON.parse(lines[0] as string) as string[];
        expect(Number(rows)).toBeGreaterThan(0);
        expect(misplaced).toBe("0");
        expect(Number(partitions)).toBeGreaterThan(2);
      });

      it("finds the rows of one partition and of one key, whose other files it skips by their bounds", async () => {
        const [column, value] = FILTERS[name];
        const { columns, lines } = await spark.read(located(name));
        const found = await spark.sql(located(name), `SELECT * FROM {table} WHERE ${column} = '${value}'`);
        const place = columns.findIndex((each) => each.name === column);
        const matching = lines.filter((line) => (JSON.parse(line) as CanonicalValue[])[place] === value);
        expect(matching.length).toBeGreaterThan(0);
        expect(found.lines).toEqual(matching);
      });

      it("has totals in the summary that Spark counts too", async () => {
        const sql = `SELECT s.summary['total-records'], s.summary['total-data-files'], s.summary['total-delete-files'],
            s.summary['total-position-deletes'], s.summary['total-files-size']
          FROM {table}.snapshots s JOIN {table}.refs r ON s.snapshot_id = r.snapshot_id WHERE r.name = 'main'`;
        const [summary] = (await spark.sql(located(name), sql)).lines;
        const counted = `SELECT
            cast(sum(if(content = 0, record_count, 0)) AS string), cast(count_if(content = 0) AS string),
            cast(count_if(content <> 0) AS string), cast(sum(if(content <> 0, record_count, 0)) AS string),
            cast((SELECT sum(file_size_in_bytes) FROM (SELECT DISTINCT file_path, file_size_in_bytes FROM {table}.files WHERE content = 0))
              + coalesce((SELECT sum(if(file_format = 'PUFFIN', content_size_in_bytes, file_size_in_bytes)) FROM {table}.files WHERE content <> 0), 0) AS string)
          FROM {table}.files`;
        const [files] = (await spark.sql(located(name), counted)).lines;
        expect(summary).toBe(files);
        const [records, , , deletes] = JSON.parse(summary as string) as string[];
        const live = await spark.sql(located(name), "SELECT count(*) FROM {table}");
        expect(live.lines).toEqual([`["${Number(records) - Number(deletes)}"]`]);
        expect(Number(deletes) > 0).toBe(name !== "order_events");
      });

      it.runIf(formatVersion >= 3)(
        "gives each row an id of its own and the sequence number of its last change",
        async () => {
          const sql = `SELECT count(*), count(_row_id), count(DISTINCT _row_id), count(_last_updated_sequence_number),
            count_if(_last_updated_sequence_number NOT BETWEEN 1 AND (SELECT max(sequence_number) FROM {table}.entries)),
            count(DISTINCT _last_updated_sequence_number)
          FROM {table}`;
          const { lines } = await spark.sql(located(name), sql);
          const [rows, ids, distinct, sequences, strange, commits] = JSON.parse(lines[0] as string) as string[];
          expect([ids, distinct, sequences, strange]).toEqual([rows, rows, rows, "0"]);
          expect(Number(commits)).toBeGreaterThan(2);
        },
      );
    });

    it("refuses no table: Spark lists them in the catalog", async () => {
      const { lines } = await spark.sql(located("orders"), "SHOW TABLES IN {catalog}.shop");
      expect(new Set(lines.map((line) => (JSON.parse(line) as string[])[1]))).toEqual(new Set(TABLES));
    });
  },
);

/** How many events a position has behind it. */
function endOf(position: string | undefined): number {
  return [...parsePosition(position ?? "{}").values()].reduce((sum, point) => sum + Number(point), 0);
}
