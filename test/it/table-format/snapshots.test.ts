import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLocalStorage } from "../../../src/storage/local.ts";
import { MemoryCatalog, parsePartitionBy } from "../../../table-format/index.ts";
import { canonicalLines } from "../../readers/canonical.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { ROW_SCHEMA, type Row, TestTable } from "../../unit/table-format/test-table.ts";

const missing = await requireServers("readers");

describe.skipIf(missing !== null)(
  withReason("PyIceberg and DuckDB read what the snapshot producer writes", missing),
  () => {
    let readers: Readers;
    let folder: string;
    let tables = 0;
    beforeAll(async () => {
      readers = await openReaders();
      folder = mkdtempSync(join(tmpdir(), "frazil-snapshots-"));
    });
    afterAll(async () => {
      await readers?.[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    });

    const create = (options: Parameters<typeof TestTable.create>[2]) => {
      const io = createLocalStorage();
      let nowMs = 1_795_000_000_000;
      let uuids = 0;
      const catalog = new MemoryCatalog("frazil", io, join(folder, `warehouse-${tables++}`), {
        nowMs: () => nowMs++,
        uuid: () => `00000000-0000-4000-8000-${String(uuids++).padStart(12, "0")}`,
      });
      return TestTable.create(io, catalog, options);
    };

    /** Every snapshot, read by both, is what the model held then. */
    const expectEqual = async (table: TestTable, snapshotIds = [...table.history.keys()]) => {
      const location = table.table.metadataLocation;
      for (const snapshotId of snapshotIds) {
        const rows = table.history
          .get(snapshotId)!
          .map((row) => ({ id: String(row.id), name: row.name, day: date(row.day) }));
        const expected = canonicalLines(["id", "name", "day"], rows);
        for (const reader of ["pyiceberg", "duckdb"] as const) {
          const found = await readers[reader]({ location }, { snapshotId });
          expect({ reader, snapshotId, lines: found.lines }).toEqual({ reader, snapshotId, lines: expected });
        }
      }
    };
    const date = (day: number | null) => (day === null ? null : new Date(day * 86_400_000).toISOString().slice(0, 10));
    const row = (id: number, name: string | null = `n${id}`, day: number | null = 20_000 + (id % 3)): Row => ({
      id: BigInt(id),
      name,
      day,
    });
    const ids = (...each: number[]) => each.map(BigInt);

    test.each([2, 3] as const)("an upsert story in format version %i", async (formatVersion) => {
      const table = await create({ formatVersion });
      await table.change({});
      await table.change({ insert: [row(1), row(2), row(3, null, null), row(4)] });
      await table.change({ insert: [row(5), row(6)] });
      // A first vector, then one that replaces it, beside one of another file and new rows.
      await table.change({ delete: ids(1), insert: [row(1, "eins")] });
      await table.change({ delete: ids(2, 5), insert: [row(2, "zwei"), row(7)] });
      await table.change({});
      // A file that loses its last row is dropped with its vector.
      await table.change({ delete: ids(6) });
      await table.change({ delete: ids(3), insert: [row(3, "drei", -1)] });
      await table.change({ rewrite: [table.paths[0]!, table.paths[1]!], operation: "replace" });
      await table.change({ delete: ids(1, 2, 3, 4, 7) });
      expect(table.history.size).toBe(10);
      await expectEqual(table);
      expect(table.snapshot.summary.get("total-data-files")).toBe("0");
      expect(table.snapshot.summary.get("total-position-deletes")).toBe("0");
    });

    test.each([2, 3] as const)(
      "many commits with merged manifests, partitioned, in format version %i",
      async (formatVersion) => {
        const table = await create({
          formatVersion,
          spec: parsePartitionBy(["day", "bucket(3, id)", "truncate(2, name)"], ROW_SCHEMA),
          properties: new Map([
            ["commit.manifest.min-count-to-merge", "4"],
            ["commit.manifest.target-size-bytes", "30000"],
          ]),
        });
        let seed = 7;
        const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
        let next = 0;
        for (let commit = 0; commit < 30; commit++) {
          const live = table.rows();
          const gone = Array.from({ length: Math.min(live.length, random(5)) }, () => live[random(live.length)]!.id);
          const insert = Array.from({ length: random(7) }, () => {
            const id = next++;
            return row(id, id % 11 === 0 ? null : `n${id}`, id % 7 === 0 ? null : 20_000 + (id % 2));
          });
          const rewrite = commit % 10 === 9 ? table.paths.slice(0, 3) : [];
          await table.change({ insert, delete: gone, rewrite });
        }
        const all = [...table.history.keys()];
        await expectEqual(table, [...all.filter((_, i) => i % 9 === 3), all.at(-1)!]);
        const described = await readers.describe({ location: table.table.metadataLocation });
        expect(described.snapshots.at(-1)!.summary["total-data-files"]).toBe(String(table.paths.length));
      },
    );
  },
);
