import { expect, it } from "vitest";
import type { Runtime } from "../../../../src/core/runtime.ts";
import { Lease } from "../../../../src/maintenance/service/lease.ts";
import { memoryWarehouse, storeGone } from "../../../support/checkpoints.ts";
import { simulatedClock } from "../../../support/simulated-clock.ts";
import { seededRandom, virtualRuntime } from "../../../support/virtual-runtime.ts";

const LASTS_MS = 30_000;

/** Two services that see one store, each with a clock of its own. */
function rivals() {
  const warehouse = memoryWarehouse("memory");
  const clock = simulatedClock(Date.UTC(2026, 10, 21));
  // Its clock is a year ahead, which is of no matter.
  const ahead = { ...clock, nowMs: () => clock.nowMs() + 365 * 86_400_000 };
  const lease = (of: Runtime["clock"], seed: number) =>
    new Lease(warehouse.io, "mem://w", { ...virtualRuntime(seed), clock: of, random: seededRandom(seed) }, LASTS_MS);
  return { warehouse, clock, a: lease(clock, 1), b: lease(ahead, 2) };
}

it("lets one lead as long as it renews, and another take over a lease's time after its last renewal", async () => {
  const { clock, a, b } = rivals();
  expect(await a.tryToLead()).toEqual({ from: null });
  for (let round = 0; round < 20; round++) {
    expect([await b.tryToLead(), b.leads, a.leads]).toEqual([false, false, true]);
    await clock.advance(a.everyMs);
    expect(await a.renew()).toBe(true);
  }
  // Not renewed any more: seen unchanged from here on.
  expect(await b.tryToLead()).toBe(false);
  await clock.advance(LASTS_MS - 1);
  expect([await b.tryToLead(), a.leads]).toEqual([false, true]);
  await clock.advance(1);
  expect(a.leads).toBe(false);
  expect(await b.tryToLead()).toMatchObject({ from: expect.stringMatching(/^[0-9a-f-]{36}$/) as string });
  expect(b.leads).toBe(true);
  expect(await a.renew()).toBe(false);
  expect(await a.tryToLead()).toBe(false);
});

it("is free at once when it is given back", async () => {
  const { a, b } = rivals();
  await a.tryToLead();
  expect(await b.tryToLead()).toBe(false);
  await a.release();
  expect(await b.tryToLead()).toEqual({ from: null });
});

it("is taken by one of those who try at the same time", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const { a, b } = rivals();
    const taken = await Promise.all([a.tryToLead(), b.tryToLead()]);
    expect(taken.filter((each) => each !== false)).toHaveLength(1);
    expect([a.leads, b.leads].filter(Boolean)).toHaveLength(1);
  }
});

it("knows its own renewal although the answer was lost", async () => {
  const { warehouse, a } = rivals();
  await a.tryToLead();
  const { io } = warehouse;
  const replace = io.replace.bind(io);
  io.replace = async (...given) => {
    await replace(...given);
    throw storeGone();
  };
  expect(await a.renew()).toBe(true);
  io.replace = replace;
  expect(await a.renew()).toBe(true);
});
