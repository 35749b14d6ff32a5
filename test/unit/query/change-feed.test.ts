import { expect, it } from "vitest";
import { parsePosition } from "../../../src/core/position.ts";
import { runCompaction } from "../../../src/maintenance/compact/compact.ts";
import { type CompactPlan, planCompaction } from "../../../src/maintenance/compact/plan.ts";
import type { JobObserver } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { type FollowOptions, tableChanges } from "../../../src/query/changes.ts";
import { openDiff } from "../../../src/query/diff.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import {
  ancestors,
  type Catalog,
  createManifestCache,
  type LoadedTable,
  type Snapshot,
} from "../../../table-format/index.ts";
import { upsertRule } from "../../support/checkpoints.ts";
import { type ScriptedChange, scriptSource } from "../../support/script-source.ts";
import { seededRandom, virtualRuntime } from "../../support/virtual-runtime.ts";
import { jsonLines, queryLines, temporaryWarehouse } from "./local-warehouse.ts";

const CHECKPOINTS = 200;
const IDENT = { namespace: ["shop"], name: "t" };
const silent: JobObserver = { started() {}, progress() {}, committed() {}, notice() {} };

/** Inserts, updates that move rows between partitions, deletes of present and absent keys, keys that come back, and truncates. */
function randomScript(random: { uint32(): number }, count: number): ScriptedChange[] {
  const ops = ["insert", "insert", "insert", "update", "update", "update", "delete", "delete"] as const;
  return Array.from({ length: count }, () => ({
    stream: "t",
    op: random.uint32() % 100 === 0 ? "truncate" : (ops[random.uint32() % ops.length] as (typeof ops)[number]),
    id: BigInt(random.uint32() % 24),
    part: `p${random.uint32() % 3}`,
    value: random.uint32() % 8 === 0 ? null : BigInt(random.uint32() % 3),
  }));
}

type Rows = ReadonlyMap<number, string>;

/** The table after the first `count` changes, by a plain map. */
function tableAfter(changes: readonly ScriptedChange[], count: number): Rows {
  const rows = new Map<number, string>();
  for (const { op, id, part, value } of changes.slice(0, count)) {
    if (op === "truncate") rows.clear();
    else if (op === "delete") rows.delete(Number(id));
    else rows.set(Number(id), rowText({ id: Number(id), part, value: value === null ? null : Number(value) }));
  }
  return rows;
}

function rowText({ id, part, value }: { id: number; part: string; value: number | null }): string {
  return `${id}|${part}|${value}`;
}

/** Runs the whole script, a checkpoint a pull, over several processes of the job. */
async function runScript(
  warehouse: Warehouse,
  changes: readonly ScriptedChange[],
  seed: number,
  formatVersion: 2 | 3,
): Promise<void> {
  const catalog = withCompactions(warehouse, seed);
  for (let run = 0; ; run++) {
    const runtime = virtualRuntime(seed * 100 + run);
    const { reason } = await runJob({
      pipeline: "feed",
      rules: [upsertRule("t", { partitionBy: ["part"], formatVersion })],
      checkpoint: { intervalMs: 3_600_000, maxRows: 1, maxSizeBytes: 1 << 20, idleCommitMs: 3_600_000 },
      memoryBytes: 1 << 26,
      warehouseLocation: warehouse.location,
      catalog,
      io: warehouse.io,
      runtime,
      createSource: (router) => scriptSource(new Map([["t/0", changes]]), router, runtime.random),
      end: { caughtUp: true, afterMs: null, maxRows: 300 },
      stop: new AbortController().signal,
      observer: silent,
    });
    if (reason === "caught-up") return;
  }
}

/** The catalog of a job; ahead of every fourth commit somebody else compacts, by a plan that is some commits old every other time. */
function withCompactions(warehouse: Warehouse, seed: number): Catalog {
  const { io, catalog } = warehouse;
  const context = { io, catalog, runtime: virtualRuntime(seed + 7_000), manifests: createManifestCache(1_000) };
  let commits = 0;
  let plan: CompactPlan | null = null;
  const commit: Catalog["commit"] = async (...given) => {
    const turn = commits++ % 8;
    const table = turn === 1 || turn === 3 ? await catalog.loadTable(IDENT) : null;
    if (table !== null) plan = await planCompaction(context, table, { targetSizeBytes: 1 << 20, minFiles: 2 });
    if (plan !== null && (turn === 1 || turn === 6)) {
      const due = plan;
      plan = null;
      // A job of a newer epoch has begun since the plan.
      await Array.fromAsync(runCompaction(context, due)).catch((error: unknown) =>
        expect(error).toMatchObject({ code: "EPOCH_CHANGED" }),
      );
    }
    return catalog.commit(...given);
  };
  return new Proxy(catalog, {
    get(target, property) {
      if (property === "commit") return commit;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The feed from the oldest snapshot on, commit by commit: no commit moves rows only, and each leads to its snapshot's table. */
async function follow(warehouse: Warehouse, table: LoadedTable, rowsAt: (snapshot: Snapshot) => Rows): Promise<void> {
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
async function replay(warehouse: Warehouse, table: LoadedTable, range: string, before: Rows): Promise<Rows> {
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
  { timeout: 300_000 },
  async (formatVersion, checkpoints) => {
    const seed = 41;
    const random = seededRandom(seed);
    const changes = randomScript(random, checkpoints * 5);
    await using warehouse = await temporaryWarehouse();
    await runScript(warehouse, changes, seed, formatVersion);
    const table = (await warehouse.catalog.loadTable(IDENT)) as LoadedTable;
    const { snapshots } = table.metadata;
    // What only moved rows has its parent's.
    const rowsAt = (snapshot: Snapshot): Rows => {
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
