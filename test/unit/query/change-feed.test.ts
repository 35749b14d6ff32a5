import { expect, it } from "vitest";
import { parsePosition } from "../../../src/core/position.ts";
import type { JobObserver } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { openDiff } from "../../../src/query/diff.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import type { LoadedTable, Snapshot } from "../../../table-format/index.ts";
import { upsertRule } from "../../support/checkpoints.ts";
import { type ScriptedChange, scriptSource } from "../../support/script-source.ts";
import { seededRandom, virtualRuntime } from "../../support/virtual-runtime.ts";
import { jsonLines, queryLines, temporaryWarehouse } from "./local-warehouse.ts";

const CHECKPOINTS = 200;
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
async function runScript(warehouse: Warehouse, changes: readonly ScriptedChange[], seed: number): Promise<void> {
  for (let run = 0; ; run++) {
    const runtime = virtualRuntime(seed * 100 + run);
    const { reason } = await runJob({
      pipeline: "feed",
      rules: [upsertRule("t", { partitionBy: ["part"] })],
      checkpoint: { intervalMs: 3_600_000, maxRows: 1, maxSizeBytes: 1 << 20, idleCommitMs: 3_600_000 },
      memoryBytes: 1 << 26,
      warehouseLocation: warehouse.location,
      catalog: warehouse.catalog,
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

it(`a keyed table's change feed over ${CHECKPOINTS} checkpoints is its story`, { timeout: 300_000 }, async () => {
  const seed = 41;
  const random = seededRandom(seed);
  const changes = randomScript(random, CHECKPOINTS * 5);
  await using warehouse = await temporaryWarehouse();
  await runScript(warehouse, changes, seed);
  const table = (await warehouse.catalog.loadTable({ namespace: ["shop"], name: "t" })) as LoadedTable;
  const { snapshots } = table.metadata;
  const rowsAt = ({ summary }: Snapshot): Rows =>
    tableAfter(changes, Number(parsePosition(summary.get("ingest.position") ?? "{}").get("t/0")));
  expect(snapshots.length).toBeGreaterThan(CHECKPOINTS);

  const [first, ...later] = snapshots as [Snapshot, ...Snapshot[]];
  let previous = first;
  let rows = await replay(warehouse, table, `..${first.snapshotId}`, new Map());
  for (const snapshot of later) {
    rows = await replay(warehouse, table, `${previous.snapshotId}..${snapshot.snapshotId}`, rows);
    expect(rows).toEqual(rowsAt(snapshot));
    previous = snapshot;
  }
  expect(rows).toEqual(tableAfter(changes, changes.length));

  for (let pair = 0; pair < 40; pair++) {
    const [from, to] = [snapshots[random.uint32() % snapshots.length], snapshots[random.uint32() % snapshots.length]];
    if (from === undefined || to === undefined) throw new Error("no snapshots");
    const replayed = await replay(warehouse, table, `${from.snapshotId}..${to.snapshotId}`, rowsAt(from));
    expect(replayed, `${from.snapshotId}..${to.snapshotId}`).toEqual(rowsAt(to));
  }

  for (let k = 0; k < 10; k++) {
    const snapshot = snapshots[random.uint32() % snapshots.length] as Snapshot;
    const found = await queryLines(warehouse, "SELECT * FROM shop.t ORDER BY id", String(snapshot.snapshotId));
    const expected = [...rowsAt(snapshot)].sort(([a], [b]) => a - b).map(([, row]) => row);
    expect(found.map((line) => rowText(JSON.parse(line) as Parameters<typeof rowText>[0]))).toEqual(expected);
  }
});
