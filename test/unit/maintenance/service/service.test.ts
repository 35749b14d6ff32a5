import { expect, it } from "vitest";
import type { MaintenanceTask } from "../../../../src/core/maintenance.ts";
import { readHistory } from "../../../../src/maintenance/history/read-history.ts";
import type { RunRecord } from "../../../../src/maintenance/history/run-record.ts";
import { runService, tasksByPattern } from "../../../../src/maintenance/service/service.ts";
import { HOUR_MS, maintainedWorld, runtimeOf, type World } from "../../../support/maintained.ts";
import { tableRows } from "../../../support/table-rows.ts";
import { IDENT } from "../../../support/maintenance.ts";

const MINUTE_MS = 60_000;
const compact: MaintenanceTask = {
  kind: "compact",
  schedule: { everyMs: 10 * MINUTE_MS },
  targetSizeBytes: 1 << 20,
  minFiles: 2,
  deleteRatio: 0.15,
  pace: 1,
  arrange: null,
  where: null,
};

/** A service in a process that can be killed: from then on nothing that it asked for ever comes back. */
function startService(world: World, seed: number, once = false) {
  let killed = false;
  const stop = new AbortController();
  const runs: RunRecord[] = [];
  const events: string[] = [];
  const mortal = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(of, property) {
        const value: unknown = Reflect.get(of, property, of);
        if (typeof value !== "function") return value;
        return (...given: unknown[]): unknown => (killed ? new Promise(() => {}) : value.apply(of, given));
      },
    });
  const runtime = { ...runtimeOf(world, seed), step: (name: string) => service.onStep(name) };
  const service = {
    runs,
    events,
    stop,
    onStep: (_name: string): void => undefined,
    kill: () => void (killed = true),
    ended: runService({
      io: mortal(world.warehouse.io),
      catalog: mortal(world.warehouse.catalog),
      warehouseLocation: "mem://w",
      runtime,
      tasksOf: tasksByPattern([{ tables: "shop.*", tasks: [compact] }]),
      concurrency: 1,
      leaseMs: 30_000,
      historyMs: 24 * HOUR_MS,
      memoryBytes: 1 << 26,
      once,
      stop: stop.signal,
      observer: {
        leads: (from) => void events.push(from === null ? "leads" : "takes over"),
        waits: () => void events.push("waits"),
        found: () => undefined,
        ended: (run) => void runs.push(run),
      },
    }),
  };
  return service;
}

it("is taken over from a service that was killed in the middle of a run, and every run is told of", async () => {
  const world = await maintainedWorld();
  await world.write(3);
  const first = startService(world, 1);
  await world.clock.advance(1_000);
  const second = startService(world, 2);
  await world.clock.advance(9 * MINUTE_MS);
  expect([first.events, second.events, second.runs]).toEqual([["leads"], ["waits"], []]);
  expect(first.runs.map(({ outcome }) => outcome)).toEqual(["done"]);

  await world.write(3);
  first.onStep = (name) => (name === "maintenance.begun" ? first.kill() : undefined);
  await world.clock.advance(MINUTE_MS);
  expect(second.events).toEqual(["waits"]);
  await world.clock.advance(MINUTE_MS);
  expect(second.events).toEqual(["waits", "takes over"]);
  expect(second.runs.map(({ outcome }) => outcome)).toEqual(["interrupted", "done"]);

  second.stop.abort();
  await world.clock.advance(0);
  expect(await second.ended).toBe(true);
  const history = await readHistory(world.warehouse.io, "mem://w", 100);
  expect(history.map(({ outcome }) => outcome)).toEqual(["done", "interrupted", "done"]);
  const { io, catalog } = world.warehouse;
  expect(await tableRows(io, catalog, IDENT)).toEqual([1, 2, 3, 4, 5, 6].map((id) => `${id}|p|${id}`));
});

it("gives way at once when it is told to end, and --once leaves the work to the one that leads", async () => {
  const world = await maintainedWorld();
  await world.write(3);
  const first = startService(world, 1);
  await world.clock.advance(1_000);
  const once = startService(world, 2, true);
  await world.clock.advance(2 * MINUTE_MS);
  expect([await once.ended, once.events, once.runs]).toEqual([false, ["waits"], []]);
  first.stop.abort();
  await world.clock.advance(0);
  await first.ended;
  await world.write(3);
  await world.clock.advance(8 * MINUTE_MS);
  const next = startService(world, 3, true);
  await world.clock.advance(1_000);
  expect(await next.ended).toBe(true);
  expect(next.events).toEqual(["leads"]);
  expect(next.runs.map(({ outcome }) => outcome)).toEqual(["done"]);
  // What was seen to is remembered: nothing is due a moment later.
  const again = startService(world, 4, true);
  await world.clock.advance(1_000);
  expect([await again.ended, again.runs]).toEqual([true, []]);
});
