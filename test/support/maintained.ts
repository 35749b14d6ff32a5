import { createCommitQueue } from "../../src/commit/commit-queue.ts";
import type { MaintenanceTask } from "../../src/core/maintenance.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import { createHistoryWriter } from "../../src/maintenance/history/history-writer.ts";
import { LastRuns } from "../../src/maintenance/history/last-runs.ts";
import type { RunRecord } from "../../src/maintenance/history/run-record.ts";
import { listTables } from "../../src/maintenance/service/known-tables.ts";
import { runSchedules } from "../../src/maintenance/service/scheduler.ts";
import { createManifestCache } from "../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "./checkpoints.ts";
import { type SimulatedClock, simulatedClock } from "./simulated-clock.ts";
import { seededRandom, virtualRuntime } from "./virtual-runtime.ts";

export const HOUR_MS = 3_600_000;

/** A warehouse with the table `shop.a`, written by one process, on a clock that the test moves. Starts on 2 March 2026, 00:30 UTC. */
export interface World {
  readonly warehouse: Warehouse;
  readonly clock: SimulatedClock;
  readonly process: Process;
  /** Commits `count` checkpoints of one new key each. */
  write(count: number): Promise<void>;
}

export async function maintainedWorld(kind: "memory" | "object-store" = "memory"): Promise<World> {
  const warehouse = memoryWarehouse(kind);
  const clock = simulatedClock(Date.UTC(2026, 2, 2, 0, 30));
  const process = await Process.start(warehouse, [upsertRule("a")]);
  process.runtime.clock.nowMs = () => clock.nowMs();
  let keys = 0;
  return {
    warehouse,
    clock,
    process,
    async write(count) {
      for (let i = 0; i < count; i++) await process.checkpoint([change("a", `+${++keys}:p:${keys}`)]);
    },
  };
}

export function runtimeOf({ clock }: World, seed: number): Runtime {
  return { ...virtualRuntime(seed), clock, random: seededRandom(90_000 + seed) };
}

/** Maintenance in a process of its own that has just started. */
export async function startMaintenance(world: World, tasks: readonly MaintenanceTask[], seed = 1) {
  const { catalog, io } = world.warehouse;
  const runtime = runtimeOf(world, seed);
  const stop = new AbortController();
  const runs: RunRecord[] = [];
  const lastRuns = new LastRuns(io, "mem://w", "service", runtime.log);
  await lastRuns.load();
  const done = runSchedules(
    {
      by: "service",
      place: {
        io,
        catalog,
        runtime,
        manifests: createManifestCache(1_000),
        queue: createCommitQueue(),
        warehouseLocation: "mem://w",
        memoryBytes: 1 << 26,
        locations: async () => [],
        stop: stop.signal,
      },
      tables: () => listTables(catalog),
      listLeastMs: 600_000,
      tasksOf: () => tasks,
      concurrency: 2,
      history: createHistoryWriter(io, "mem://w", runtime, 30 * 24 * HOUR_MS),
      lastRuns,
      mayBegin: () => true,
      ended: (run) => void runs.push(run),
    },
    false,
  );
  return {
    runs,
    /** Ends it after what is being done. */
    async end(): Promise<void> {
      stop.abort();
      await world.clock.advance(0);
      await done;
    },
  };
}
