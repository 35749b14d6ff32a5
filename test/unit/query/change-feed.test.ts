import { expect, it } from "vitest";
import { parsePosition } from "../../../src/core/position.ts";
import { type FollowOptions, tableChanges } from "../../../src/query/changes.ts";
import { openDiff } from "../../../src/query/diff.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { ancestors, type LoadedTable, type Snapshot } from "../../../table-format/index.ts";
import { FED_TABLE, type FedRows, feedTable, randomScript, rowText, tableAfter } from "../../support/fed-table.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";
import { jsonLines, queryLines, temporaryWarehouse } from "./local-warehouse.ts";

const CHECKPOINTS = 200;

/** The feed from the oldest snapshot on, commit by commit: no commit moves rows only, and each leads to its snapshot's table. */
async function follow(
  warehouse: Warehouse,
  table: LoadedTable,
  rowsAt: (snapshot: Snapshot) => FedRows,
): Promise<void> {
  const rows = new Map<number, string>();
  const options: FollowOptions = {
    from: "earliest",
    follow: false,
    stop: new AbortController().signal,
    clock: { sleep: async () => undefined },
    pollMs: 1,
    notice: (message) => expect.fail(message),
  };
  for await (const { snapshot, ...changed } of tableChanges(warehouse, table, options)) {
    expect(snapshot.summary.get("operation")).not.toBe("replace");
    for (const line of await jsonLines(changed)) {
      const row = JSON.parse(line) as { _op: string; id: number; part: string; value: number | null };
      if (row._op === "insert" || row._op === "update_after") rows.set(row.id, rowText(row));
      if (row._op === "delete") rows.delete(row.id);
    }
    expect(rows).toEqual(rowsAt(snapshot));
  }
}

/** Plays a change feed into rows, and fails on a change that does not fit them. */
async function replay(warehouse: Warehouse, table: LoadedTable, range: string, before: FedRows): Promise<FedRows> {
  const rows = new Map(before);
  const diff = await openDiff(warehouse, table, range);
  const lines = await jsonLines(diff);
  await diff.close();
  for (const line of lines) {
    const row = JSON.parse(line) as { _op: string; id: number; part: string; value: number | null };
    const was = rows.get(row.id);
    if (row._op === "insert") expect(was, `${range}: ${line}`).toBeUndefined();
    if (row._op === "delete" || row._op === "update_before") expect(was, `${range}: ${line}`).toBe(rowText(row));
    if (row._op === "update_after") expect(was, `${range}: ${line}`).not.toBe(rowText(row));
    if (row._op === "insert" || row._op === "update_after") rows.set(row.id, rowText(row));
    if (row._op === "delete") rows.delete(row.id);
  }
  return rows;
}

it.each([
  [3, CHECKPOINTS],
  [2, 24],
] as const)(
  "a keyed table's change feed over checkpoints and compactions is its story, in format version %i (%i checkpoints)",
  async (formatVersion, checkpoints) => {
    const seed = 41;
    const random = seededRandom(seed);
    const changes = randomScript(random, checkpoints * 5);
    await using warehouse = await temporaryWarehouse();
    await feedTable(warehouse, changes, seed, formatVersion);
    const table = (await warehouse.catalog.loadTable(FED_TABLE)) as LoadedTable;
    const { snapshots } = table.metadata;
    // What only moved rows has its parent's.
    const rowsAt = (snapshot: Snapshot): FedRows => {
      const { summary } = [...ancestors(table.metadata, snapshot.snapshotId)].find((each) =>
        each.summary.has("ingest.position"),
      ) as Snapshot;
      return tableAfter(changes, Number(parsePosition(summary.get("ingest.position") ?? "{}").get("t/0")));
    };
    const moves = snapshots.filter(({ summary }) => summary.get("operation") === "replace");
    expect(moves.length).toBeGreaterThan(checkpoints / 8);
    expect(snapshots.length - moves.length).toBeGreaterThan(checkpoints);
    for (const { snapshotId, parentSnapshotId } of moves) {
      const diff = await openDiff(warehouse, table, `${parentSnapshotId}..${snapshotId}`);
      expect(await jsonLines(diff)).toEqual([]);
      await diff.close();
    }
    await follow(warehouse, table, rowsAt);

    const [first, ...later] = snapshots as [Snapshot, ...Snapshot[]];
    let previous = first;
    let rows = await replay(warehouse, table, `..${first.snapshotId}`, new Map());
    for (const snapshot of later) {
      rows = await replay(warehouse, table, `${previous.snapshotId}..${snapshot.snapshotId}`, rows);
      expect(rows).toEqual(rowsAt(snapshot));
      previous = snapshot;
    }
    expect(rows).toEqual(tableAfter(changes, changes.length));

    for (let pair = 0; pair < 15; pair++) {
      const [from, to] = [snapshots[random.uint32() % snapshots.length], snapshots[random.uint32() % snapshots.length]];
      if (from === undefined || to === undefined) throw new Error("no snapshots");
      const replayed = await replay(warehouse, table, `${from.snapshotId}..${to.snapshotId}`, rowsAt(from));
      expect(replayed, `${from.snapshotId}..${to.snapshotId}`).toEqual(rowsAt(to));
    }

    for (let k = 0; k < 5; k++) {
      const snapshot = snapshots[random.uint32() % snapshots.length] as Snapshot;
      const found = await queryLines(warehouse, "SELECT * FROM shop.t ORDER BY id", String(snapshot.snapshotId));
      const expected = [...rowsAt(snapshot)].sort(([a], [b]) => a - b).map(([, row]) => row);
      expect(found.map((line) => rowText(JSON.parse(line) as Parameters<typeof rowText>[0]))).toEqual(expected);
    }
  },
);
