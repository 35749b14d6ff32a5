import { describe, expect, test } from "vitest";
import { scanAppends, type SnapshotRange } from "../../../../table-format/scan/appends.ts";
import type { ScanOptions } from "../../../../table-format/scan/rows.ts";
import { timeTravel } from "../../../../table-format/scan/time-travel.ts";
import { ROW_SCHEMA, TestTable } from "../test-table.ts";

const row = (id: bigint) => ({ id, name: `n${id}`, day: Number(id) });

/** Appends 1 and 2, deletes 1, compacts, appends 3 and 4; small manifests are merged at every commit. */
async function lived() {
  const table = await TestTable.inMemory({
    formatVersion: 3,
    properties: new Map([["commit.manifest.min-count-to-merge", "2"]]),
  });
  const ids: bigint[] = [];
  const next = async (change: Parameters<TestTable["change"]>[0]) => ids.push((await table.change(change)).snapshotId);
  await next({ insert: [row(1n)] });
  await next({ insert: [row(2n)] });
  await next({ delete: [1n] });
  await next({ rewrite: table.paths, operation: "replace" });
  await next({ insert: [row(3n)] });
  await next({ insert: [row(4n)] });
  return { table, ids };
}

async function idsOf(table: TestTable, range: SnapshotRange, options: ScanOptions = {}): Promise<bigint[]> {
  const found: bigint[] = [];
  for await (const { length, columns } of scanAppends(table.io, table.metadata, range, options)) {
    for (let at = 0; at < length; at++) found.push((columns[0]!.values as BigInt64Array)[at]!);
  }
  return found;
}

describe("appends between snapshots", () => {
  test("are those of snapshots that appended, oldest first; others are passed over", async () => {
    const { table, ids } = await lived();
    const [first, second, deleted, replaced, third] = ids as [bigint, bigint, bigint, bigint, bigint, bigint];
    expect(await idsOf(table, {})).toEqual([1n, 2n, 3n, 4n]);
    expect(await idsOf(table, { afterSnapshotId: first })).toEqual([2n, 3n, 4n]);
    expect(await idsOf(table, { fromSnapshotId: second, toSnapshotId: third })).toEqual([2n, 3n]);
    expect(await idsOf(table, { fromSnapshotId: deleted, toSnapshotId: replaced })).toEqual([]);
    expect(await idsOf(table, { afterSnapshotId: third, toSnapshotId: third })).toEqual([]);
    expect(await idsOf(table, { afterSnapshotId: first }, { filter: { type: "gt", term: "id", value: 2n } })).toEqual([
      3n,
      4n,
    ]);
    const filter = { type: "lt", term: "day", value: 4 } as const;
    expect(await idsOf(table, { afterSnapshotId: first }, { filter, fields: ROW_SCHEMA.fields.slice(0, 1) })).toEqual([
      2n,
      3n,
    ]);
  });

  test("a range begins with an ancestor of its end, of which only the child need be held", async () => {
    const { table, ids } = await lived();
    const [first, second, deleted] = ids as [bigint, bigint, bigint];
    await expect(idsOf(table, { afterSnapshotId: deleted, toSnapshotId: second })).rejects.toThrow(
      /expected an ancestor of snapshot \d+ as the beginning/,
    );
    await expect(idsOf(table, { fromSnapshotId: 7n })).rejects.toThrow(/found 7/);
    await expect(idsOf(table, { toSnapshotId: 7n })).rejects.toThrow("the table holds no snapshot 7");
    await expect(idsOf(table, { fromSnapshotId: first, afterSnapshotId: first })).rejects.toThrow(/one beginning/);
    const { metadata } = table;
    const snapshots = metadata.snapshots.filter(({ snapshotId }) => snapshotId !== first);
    table.table = { ...table.table, metadata: { ...metadata, snapshots } };
    expect(await idsOf(table, { afterSnapshotId: first })).toEqual([2n, 3n, 4n]);
    await expect(idsOf(table, { fromSnapshotId: first })).rejects.toThrow(/expected an ancestor/);
  });

  test("of an empty table are none", async () => {
    const table = await TestTable.inMemory({ formatVersion: 2 });
    expect(await idsOf(table, {})).toEqual([]);
    await expect(idsOf(table, { afterSnapshotId: 1n })).rejects.toThrow(/an ancestor of snapshot \(none\)/);
  });
});

test("a point in time is a snapshot, a time, a branch or a tag", async () => {
  const { table, ids } = await lived();
  const [first, second] = ids as [bigint, bigint];
  const [wider, { metadata }] = [{ ...ROW_SCHEMA, schemaId: 1 }, table];
  const told = {
    ...metadata,
    schemas: [...metadata.schemas, wider],
    currentSchemaId: 1,
    refs: new Map([
      ...metadata.refs,
      ["side", { snapshotId: first, type: "branch" as const }],
      ["kept", { snapshotId: first, type: "tag" as const }],
    ]),
  };
  const at = (point: Parameters<typeof timeTravel>[1]) => {
    const { snapshot, schema } = timeTravel(told, point);
    return [snapshot.snapshotId, schema.schemaId];
  };
  expect(at({ snapshotId: second })).toEqual([second, 0]);
  expect(at({ ref: "main" })).toEqual([ids.at(-1), 1]);
  expect(at({ ref: "side" })).toEqual([first, 1]);
  expect(at({ ref: "kept" })).toEqual([first, 0]);
  const { timestampMs } = metadata.snapshotLog[1]!;
  expect(at({ asOfTimestampMs: timestampMs })).toEqual([second, 0]);
  expect(at({ asOfTimestampMs: timestampMs - 1n })).toEqual([first, 0]);
  expect(() => at({ ref: "gone" })).toThrow("the table has no branch or tag gone");
  expect(() => at({ snapshotId: 7n })).toThrow("the table holds no snapshot 7, of 6");
  expect(() => at({ asOfTimestampMs: 5n })).toThrow(/no snapshot as of 5 ms/);
});
