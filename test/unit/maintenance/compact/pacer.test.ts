import { expect, it } from "vitest";
import { createPacer } from "../../../../src/maintenance/compact/pacer.ts";

/** Time that passes by work and by sleep; a sleep takes longer by what others do in it. */
function machine(othersMs: (at: number) => number = () => 0) {
  const state = { now: 0, slept: [] as number[] };
  const clock = {
    nowMs: () => state.now,
    monotonicMs: () => state.now,
    async sleep(ms: number) {
      state.slept.push(ms);
      state.now += ms + othersMs(state.slept.length);
    },
  };
  const work = (ms: number): void => void (state.now += ms);
  return { state, clock, work };
}

it("rests as long as its share says, once there was work to speak of", async () => {
  const { state, clock, work } = machine();
  const pacer = createPacer(clock, 0.25);
  work(0.6);
  await pacer.breathe();
  expect(state.slept).toEqual([]);
  work(9.4);
  await pacer.breathe();
  expect(state.slept).toEqual([30, 4]);
});

it("only gives way when it may take all of the time", async () => {
  const { state, clock, work } = machine(() => 50);
  const pacer = createPacer(clock, 1);
  work(10);
  await pacer.breathe();
  expect(state.slept).toEqual([0]);
});

it("goes on resting while others are at work, and not for ever", async () => {
  // Others take the first three sleeps, and then rest.
  const some = machine((at) => (at <= 3 ? 5 : 0));
  const polite = createPacer(some.clock, 0.5);
  some.work(20);
  await polite.breathe();
  expect(some.state.slept).toEqual([20, 4, 4, 4]);

  const always = machine(() => 6);
  const pacer = createPacer(always.clock, 0.5);
  for (let piece = 0; piece < 50; piece++) {
    always.work(20);
    await pacer.breathe();
  }
  // A piece of 20 ms, its rest, and up to four times as long.
  expect(always.state.now / 50).toBeGreaterThan(100);
  expect(always.state.now / 50).toBeLessThan(140);
});

it("ends with the reason of the signal", async () => {
  const { clock, work } = machine();
  const stop = new AbortController();
  const pacer = createPacer(clock, 0.5, stop.signal);
  stop.abort(new Error("enough"));
  work(5);
  await expect(pacer.breathe()).rejects.toThrow("enough");
});
