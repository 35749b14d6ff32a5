import { expect, it } from "vitest";
import { tableChanges } from "../../../src/query/changes.ts";
import { Consumer } from "../../../src/query/consumer.ts";
import type { QueryWarehouse } from "../../../src/query/query-warehouse.ts";
import { openScratchFolder } from "../../../src/storage/local-scratch.ts";
import { type LoadedTable, must } from "../../../table-format/index.ts";
import { memoryWarehouse } from "../../support/checkpoints.ts";
import { randomEraChanges, throughCrashes } from "../../support/era-changes.ts";
import { compactTable, copyTable, expireTable, identOf, type Place, writeChanges } from "../../support/table-chain.ts";
import { tableRows } from "../../support/table-rows.ts";
import { seededRandom, virtualRuntime } from "../../support/virtual-runtime.ts";
import { jsonLines } from "../query/local-warehouse.ts";

/** More of them by FRAZIL_FEED_ROUNDS. */
const ROUNDS = Number(process.env["FRAZIL_FEED_ROUNDS"] ?? 18);
const CHANGES_A_ROUND = 12;

type Rows = Map<string, Record<string, string | number | null>>;

/** As `tableRows` shows rows, with the last columns as nulls where they came later. */
function shown(rows: Rows): string[] {
  return [...rows.values()]
    .map((row) => ["id", "count", "note"].map((name) => String(row[name] ?? null)).join("|"))
    .sort();
}

const padded = (rows: readonly string[]): string[] =>
  rows.map((row) => (row.split("|").length < 3 ? `${row}|null` : row));

/** Plays what lies behind a point up to the head into rows; fails on a change that does not fit them. */
async function play(rows: Rows, warehouse: QueryWarehouse, table: LoadedTable, from: string, consumer?: Consumer) {
  const options = {
    from,
    follow: false,
    stop: new AbortController().signal,
    clock: { sleep: async () => undefined },
    pollMs: 1,
    notice: () => undefined,
    consumer,
  };
  for await (const changes of tableChanges(warehouse, table, options)) {
    for (const line of await jsonLines(changes)) {
      const { _op: op, _snapshot_id, _commit_ts, ...row } = JSON.parse(line) as Record<string, string | number | null>;
      const key = String(row["id"]);
      expect(rows.has(key), `${String(op)} of ${key} in ${String(_snapshot_id)} at ${String(_commit_ts)}`).toBe(
        op !== "insert" && (op !== "update_after" || rows.has(key)),
      );
      if (op === "delete") rows.delete(key);
      else if (op !== "update_before") rows.set(key, row);
    }
    await changes.commit();
  }
}

async function tag(place: Place, table: string, name: string): Promise<bigint> {
  const { ident, metadata } = must(await place.catalog.loadTable(identOf(table)), table);
  const snapshotId = must(metadata.currentSnapshotId, "a snapshot");
  const ref = { type: "tag", snapshotId } as const;
  const updates = [{ action: "set-snapshot-ref", name, ref } as const];
  const { outcome } = await place.catalog.commit([{ ident, requirements: [], updates }]);
  expect(outcome).toBe("committed");
  return snapshotId;
}

it.each(["memory", "object-store"] as const)(
  "the feed of a table under ingest, compaction and expiry leads to it at every tag, in another table and in a map (%s)",
  { timeout: 900_000 },
  async (kind) => {
    const place = memoryWarehouse(kind);
    const warehouse = { ...place, location: "mem://w", localPath: null, scratch: openScratchFolder };
    const random = seededRandom(kind.length);
    const changes = randomEraChanges(random, ROUNDS * CHANGES_A_ROUND);
    const load = async () => must(await place.catalog.loadTable(identOf("shop.a")), "shop.a");
    const copy = () =>
      throughCrashes(random, (given) => copyTable(place, "shop.a", "shop.b", { ...given, holds: true }));
    const map: Rows = new Map();
    const tags: { readonly name: string; readonly snapshotId: bigint; readonly rows: readonly string[] }[] = [];
    let expired = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      await throughCrashes(random, (given) => writeChanges(place, changes.slice(0, round * CHANGES_A_ROUND), given));
      if (random.uint32() % 2 === 0) await compactTable(place, "shop.a", random.uint32());
      if (round % 2 === 0) {
        const name = `at-${round}`;
        const snapshotId = await tag(place, "shop.a", name);
        const rows = await tableRows(place.io, place.catalog, identOf("shop.a"));
        tags.push({ name, snapshotId, rows });
        const table = await load();
        const place_ = { ...warehouse, runtime: virtualRuntime(round) };
        await play(map, warehouse, table, "now", await Consumer.claim(place_, table, "map", "now"));
        expect(shown(map), name).toEqual(padded(rows));
        await copy();
        await tag(place, "shop.b", name);
      } else if (round % 3 === 0) {
        await copy();
      }
      if (round > 2) expired += await expireTable(place, "shop.a", 1, random.uint32(), "always");
    }
    expect(expired).toBeGreaterThan(ROUNDS);

    const table = await load();
    const between: Rows = new Map();
    for (const [index, { name, snapshotId, rows }] of tags.entries()) {
      expect(padded(await tableRows(place.io, place.catalog, identOf("shop.a"), name)), name).toEqual(padded(rows));
      expect(padded(await tableRows(place.io, place.catalog, identOf("shop.b"), name)), name).toEqual(padded(rows));
      // Also where nothing is held any more of what lay between two tags.
      const at = { ...table, metadata: { ...table.metadata, currentSnapshotId: snapshotId } };
      await play(between, warehouse, at, tags[index - 1]?.name ?? "now");
      expect(shown(between), name).toEqual(padded(rows));
    }
  },
);
