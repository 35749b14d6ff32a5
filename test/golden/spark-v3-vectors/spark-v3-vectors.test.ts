import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { createMemoryStorage } from "../../../src/storage/memory.ts";
import {
  deletedPositions,
  diffSnapshots,
  parseTableMetadata,
  planSnapshot,
  type Snapshot,
} from "../../../table-format/index.ts";

const here = (location: string) => new URL(basename(location), import.meta.url);
const metadata = parseTableMetadata(readFileSync(here("table.metadata.json")), "table.metadata.json");
const expected = JSON.parse(readFileSync(here("rows.json"), "utf8")) as Record<string, [string, number, number][]>;
/** The files lie here; the locations in them are those of the machine that wrote them. */
const io = Object.assign(createMemoryStorage(), {
  read: async (location: string) => new Uint8Array(readFileSync(here(location))),
  readRange: async (location: string, offset: number, length: number) =>
    new Uint8Array(readFileSync(here(location))).subarray(offset, offset + length),
});

/** File, position and row id of every live row. */
async function rowsOf(snapshot: Snapshot): Promise<[string, number, number][]> {
  const { dataFiles, deletes } = await planSnapshot(io, metadata, snapshot);
  const reader = deletedPositions(io);
  const rows: [string, number, number][] = [];
  for (const { file } of dataFiles) {
    const dead = await reader.of(file, deletes.get(file.filePath) ?? []);
    for (let position = 0; position < Number(file.recordCount); position++) {
      if (dead.has(position)) continue;
      rows.push([basename(file.filePath), position, Number(file.firstRowId) + position]);
    }
  }
  return rows;
}

const sorted = (rows: readonly (readonly [string, number, ...unknown[]])[]) =>
  rows.map((row) => JSON.stringify(row)).sort();

test("every snapshot has the rows and row ids that Spark reads", async () => {
  expect(metadata.snapshots).toHaveLength(7);
  for (const snapshot of metadata.snapshots) {
    expect(sorted(await rowsOf(snapshot))).toEqual(sorted(expected[String(snapshot.snapshotId)]!));
  }
});

test("the changes between any two snapshots are those of Spark's rows", async () => {
  for (const from of metadata.snapshots) {
    for (const to of metadata.snapshots) {
      const plan = await diffSnapshots(io, metadata, from, to);
      const places = (lists: typeof plan.inserted) =>
        sorted(
          lists.flatMap(({ file, positions }) =>
            [...(positions?.toArray() ?? Array.from({ length: Number(file.recordCount) }).keys())].map(
              (position) => [basename(file.filePath), position] as const,
            ),
          ),
        );
      const rows = (snapshot: Snapshot) =>
        new Set(sorted(expected[String(snapshot.snapshotId)]!.map(([file, position]) => [file, position])));
      expect(places(plan.inserted)).toEqual([...rows(to).difference(rows(from))].sort());
      expect(places(plan.deleted)).toEqual([...rows(from).difference(rows(to))].sort());
    }
  }
});
