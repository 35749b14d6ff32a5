import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { createRuntime } from "../../../src/cli/runtime.ts";
import { parseJob } from "../../../src/config/load.ts";
import type { Runtime } from "../../../src/core/runtime.ts";
import { readHistory } from "../../../src/maintenance/history/read-history.ts";
import { SOURCES } from "../../../src/registry.ts";
import { run } from "../../../src/run.ts";
import { expectedTables } from "../../../src/sources/generator/expected.ts";
import { openWarehouse } from "../../../src/warehouse.ts";
import { snapshotAsOf } from "../../../table-format/index.ts";
import { tableRows } from "../../support/table-rows.ts";

const HOUR_MS = 3_600_000;
const ORDERS = { namespace: ["shop"], name: "orders" };

const folder = mkdtempSync(join(tmpdir(), "frazil-bound-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const runtime = createRuntime({ debug() {}, info() {}, warn() {}, error() {} }, undefined);

/** The same by a clock that is behind. */
function hoursAgo(hours: number): Runtime {
  const { clock } = runtime;
  return {
    ...runtime,
    clock: {
      nowMs: () => clock.nowMs() - hours * HOUR_MS,
      monotonicMs: () => clock.monotonicMs(),
      sleep: (durationMs, signal) => clock.sleep(durationMs, signal),
    },
  };
}

it("a job keeps no more snapshots than it is told, but for those of the last hour", { timeout: 120_000 }, async () => {
  const source = { type: "generator", seed: 7, events: 5_000, splits: 1 } as const;
  const job = (maxRows: number, rate?: number) =>
    parseJob(
      {
        name: "bounded",
        source: { ...source, ...(rate === undefined ? {} : { rate }) },
        warehouse: { location: folder },
        tables: [{ from: "shop.orders", to: "shop.orders", mode: "upsert" }],
        checkpoint: { max_rows: maxRows },
        maintenance: { expire: { every: "1s", max_snapshots: 10 } },
      },
      SOURCES,
    );
  const runAt = (at: Runtime, what: ReturnType<typeof job>, end: number | null) =>
    run(what, at, {
      end: { caughtUp: true, afterMs: null, maxRows: end },
      stop: new AbortController().signal,
      observer: { started() {}, progress() {}, committed() {}, notice() {} },
    });
  const { io, catalog, location } = await openWarehouse(job(1).warehouse, runtime, "create");
  const snapshots = async () => (await catalog.loadTable(ORDERS))!.metadata.snapshots;
  const now = runtime.clock.nowMs();
  const isOld = ({ timestampMs }: { timestampMs: bigint }) => Number(timestampMs) < now - HOUR_MS;

  // Each run commits its fence and its rows.
  for (let turn = 0; turn < 8; turn++) await runAt(hoursAgo(3), job(1_000), 200);
  // By the clock of then all of them are of the last hour.
  const before = await snapshots();
  expect(before.length).toBeGreaterThan(14);
  expect(before.every(isOld)).toBe(true);

  // Slowly enough that expiry gets its turns.
  await runAt(runtime, job(1_000, 2_000), null);
  const after = await snapshots();
  expect(after.filter(isOld).length).toBeLessThan(10);
  expect(after.some((snapshot) => !isOld(snapshot))).toBe(true);
  const { metadata } = (await catalog.loadTable(ORDERS))!;
  // Time travel ends where the history does, and nowhere in between.
  for (const { timestampMs } of metadata.snapshotLog) expect(snapshotAsOf(metadata, timestampMs)).not.toBeNull();
  const runs = (await readHistory(io, location, 100)).filter(({ outcome }) => outcome === "done");
  expect(runs[0]?.reason).toMatch(/there were more than 10/);
  const rows = await tableRows(io, catalog, ORDERS);
  expect(rows.length).toBe(expectedTables(source).get("shop.orders")!.length);
  await catalog.close();
});
