import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ChangeBatch, Op, offsetPoints } from "../../../src/core/change-batch.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import { MemoryCatalog, type PrimitiveType } from "../../../table-format/index.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { columnOf } from "../../unit/table-format/columns.ts";

const missing = await requireServers("readers");

const TYPES: Record<string, PrimitiveType> = {
  id: { kind: "long" },
  region: { kind: "string" },
  total: { kind: "decimal", precision: 25, scale: 2 },
  ratio: { kind: "double" },
};
const REGIONS = ["eu", "us"];
const TOTALS = [10n ** 24n, -1n, 0n, 2n ** 64n, -(2n ** 64n), 5n, 1n];
const RATIOS = [NaN, -0, 0, 1.5, -Infinity, Infinity];

/** Rows whose every column has ties, nulls and edges. */
function batch(process: Process, ids: readonly bigint[], from: number): ChangeBatch {
  const pick = <T>(values: readonly T[], id: bigint, by: bigint) =>
    values[Number((id * by) % BigInt(values.length))] as T;
  const columns = [
    columnOf(TYPES["id"]!, ids),
    columnOf(
      TYPES["region"]!,
      ids.map((id) => pick(REGIONS, id, 7n)),
    ),
    columnOf(
      TYPES["total"]!,
      ids.map((id) => (id % 5n === 0n ? null : pick(TOTALS, id, 11n))),
    ),
    columnOf(
      TYPES["ratio"]!,
      ids.map((id) => (id % 4n === 0n ? null : pick(RATIOS, id, 13n))),
    ),
  ];
  return {
    table: process.router.byStream("a")?.table as number,
    split: "t/0",
    length: ids.length,
    ops: new Uint8Array(ids.length).fill(Op.insert),
    fields: Object.entries(TYPES).map(([name, type]) => ({ name, type, required: false })),
    columns,
    absent: columns.map(() => null),
    key: ["id"],
    points: offsetPoints(BigInt64Array.from(ids, (_, row) => BigInt(from + row + 1))),
    sizeBytes: 100,
  };
}

describe.skipIf(missing !== null)(withReason("PyIceberg and DuckDB know a table's sort order", missing), () => {
  let readers: Readers;
  let folder: string;
  beforeAll(async () => {
    readers = await openReaders();
    folder = mkdtempSync(join(tmpdir(), "frazil-sort-"));
  });
  afterAll(async () => {
    await readers?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([2, 3] as const)("and its files follow it, in format version %i", async (formatVersion) => {
    const io = createLocalStorage();
    let nowMs = 1_795_000_000_000;
    let uuids = 0;
    const catalog = new MemoryCatalog("frazil", io, join(folder, `v${formatVersion}`), {
      nowMs: () => nowMs++,
      uuid: () => `00000000-0000-4000-8000-${String(uuids++).padStart(12, "0")}`,
    });
    const warehouse: Warehouse = { io, catalog, fault: () => undefined };
    const sortBy = ["total desc nulls first", "ratio nulls last", "bucket(3, id)", "id desc"];
    const process = await Process.start(warehouse, [
      upsertRule("a", { partitionBy: ["region"], sortBy, formatVersion }),
    ]);
    const ids = Array.from({ length: 300 }, (_, id) => BigInt((id * 77) % 300));
    await process.checkpointOf([batch(process, ids, 0)], 300);
    await process.checkpointOf([batch(process, ids.slice(0, 90), 300)], 390);

    const loaded = await catalog.loadTable({ namespace: ["shop"], name: "a" });
    const location = loaded?.metadataLocation ?? "";
    const described = await readers.describe({ location });
    expect(described.sortOrder).toEqual({
      id: 1,
      fields: [
        "identity(total) DESC NULLS FIRST",
        "identity(ratio) ASC NULLS LAST",
        "bucket[3](id) ASC NULLS FIRST",
        "identity(id) DESC NULLS LAST",
      ],
    });
    expect(described.files.map(({ sortOrderId }) => sortOrderId)).toEqual([1, 1, 1, 1]);
    for (const reader of ["pyiceberg", "duckdb"] as const) {
      const { lines } = await readers[reader]({ location }, { columns: ["id"] });
      expect(lines).toHaveLength(300);
    }

    // DuckDB, which has -0 equal to 0 and NaN after all numbers, sorts each file's rows to the order that they stand in.
    const duckdb = await (await DuckDBInstance.create()).connect();
    for (const { path } of described.files) {
      const stand = `SELECT total, ratio + 0 AS ratio FROM read_parquet('${path}', file_row_number = true)`;
      const [as, sorted] = await Promise.all([
        duckdb.runAndReadAll(`${stand} ORDER BY file_row_number`),
        duckdb.runAndReadAll(`${stand} ORDER BY total DESC NULLS FIRST, ratio ASC NULLS LAST`),
      ]);
      const rows = as.getRowsJson();
      expect(rows.length).toBeGreaterThan(40);
      expect(rows).toEqual(sorted.getRowsJson());
    }
  });
});
