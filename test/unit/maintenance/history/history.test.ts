import { expect, it } from "vitest";
import { createHistoryWriter } from "../../../../src/maintenance/history/history-writer.ts";
import { interruptedRuns } from "../../../../src/maintenance/history/interrupted.ts";
import { LastRuns } from "../../../../src/maintenance/history/last-runs.ts";
import { readHistory } from "../../../../src/maintenance/history/read-history.ts";
import { NO_EFFECT, type RunRecord } from "../../../../src/maintenance/history/run-record.ts";
import { memoryWarehouse, storeGone } from "../../../support/checkpoints.ts";
import { simulatedClock } from "../../../support/simulated-clock.ts";
import { seededRandom, virtualRuntime } from "../../../support/virtual-runtime.ts";

const DAY_MS = 86_400_000;

function world() {
  const warehouse = memoryWarehouse("memory");
  const clock = simulatedClock(Date.UTC(2026, 2, 2));
  const runtime = (seed: number) => ({ ...virtualRuntime(seed), clock, random: seededRandom(seed) });
  let runs = 0;
  const run = (given: Partial<RunRecord> = {}): RunRecord => ({
    ...NO_EFFECT,
    id: String(++runs).padStart(16, "0"),
    startedMs: clock.nowMs(),
    pointMs: clock.nowMs(),
    table: "shop.a",
    kind: "compact",
    by: "service",
    outcome: "done",
    reason: null,
    durationMs: 5,
    ...given,
  });
  const objects = async () => (await Array.fromAsync(warehouse.io.list("mem://w/_frazil/maintenance/history"))).length;
  const read = () => readHistory(warehouse.io, "mem://w", 10_000);
  return { warehouse, clock, runtime, run, objects, read };
}

it("gives back what was recorded, each run once as it ended, over full objects and two processes", async () => {
  const { warehouse, clock, runtime, run, objects, read } = world();
  const writers = [1, 2].map((seed) => createHistoryWriter(warehouse.io, "mem://w", runtime(seed), 30 * DAY_MS));
  const ended: RunRecord[] = [];
  for (let i = 0; i < 600; i++) {
    const writer = writers[i % 2]!;
    const one = run({ bytesBefore: 10n, filesBefore: 3, snapshotId: 2n ** 62n + BigInt(i) });
    writer.add({ ...one, outcome: "running", snapshotId: null });
    await writer.save();
    writer.add(one);
    await writer.save();
    ended.push(one);
    await clock.advance(60_000);
  }
  expect(await read()).toEqual(ended);
  expect(await objects()).toBeGreaterThan(4);
  expect((await readHistory(warehouse.io, "mem://w", 7)).map(({ id }) => id)).toEqual(
    ended.slice(-7).map(({ id }) => id),
  );
});

it("loses no record to a store that is gone or to an answer that was lost", async () => {
  const { warehouse, runtime, run, read } = world();
  const random = seededRandom(5);
  warehouse.fault = (operation) => {
    if ((operation === "create" || operation === "replace") && random.uint32() % 2 === 0) throw storeGone();
  };
  const { io } = warehouse;
  const replace = io.replace.bind(io);
  io.replace = async (...given) => {
    const answer = await replace(...given);
    if (random.uint32() % 3 === 0) throw storeGone();
    return answer;
  };
  const writer = createHistoryWriter(io, "mem://w", runtime(1), 30 * DAY_MS);
  const ended = Array.from({ length: 60 }, () => run());
  for (const one of ended) {
    writer.add(one);
    await writer.save();
  }
  warehouse.fault = () => undefined;
  io.replace = replace;
  writer.add(run({ id: "last" }));
  await writer.save();
  expect((await read()).map(({ id }) => id).toSorted()).toEqual([...ended.map(({ id }) => id), "last"].toSorted());
});

it("is bounded in time", async () => {
  const { warehouse, clock, runtime, run, read } = world();
  for (let day = 0; day < 10; day++) {
    const writer = createHistoryWriter(warehouse.io, "mem://w", runtime(day), 3 * DAY_MS);
    writer.add(run());
    await writer.save();
    await clock.advance(DAY_MS);
  }
  expect(await read()).toHaveLength(4);
});

it("tells which runs a process that is gone has left behind, and believes an end that comes late", async () => {
  const { warehouse, runtime, run, read } = world();
  const writer = createHistoryWriter(warehouse.io, "mem://w", runtime(1), 30 * DAY_MS);
  const left = run({ outcome: "running" });
  writer.add(left);
  writer.add(run({ outcome: "running", by: "orders" }));
  writer.add(run());
  await writer.save();
  const found = await interruptedRuns(warehouse.io, "mem://w", "service");
  expect(found.map(({ id, outcome }) => [id, outcome])).toEqual([[left.id, "interrupted"]]);
  const successor = createHistoryWriter(warehouse.io, "mem://w", runtime(2), 30 * DAY_MS);
  for (const one of found) successor.add(one);
  await successor.save();
  expect((await read()).find(({ id }) => id === left.id)?.outcome).toBe("interrupted");
  writer.add({ ...left, outcome: "done" });
  await writer.save();
  expect((await read()).find(({ id }) => id === left.id)?.outcome).toBe("done");
});

it("remembers what was last seen to, of two leaders the later", async () => {
  const { warehouse, runtime } = world();
  const of = async (seed: number) => {
    const runs = new LastRuns(warehouse.io, "mem://w", "service", runtime(seed).log);
    await runs.load();
    return runs;
  };
  const [a, b] = [await of(1), await of(2)];
  a.set("shop.a", "compact", { pointMs: 100, outcome: "done", reason: null });
  await a.save();
  b.set("shop.a", "compact", { pointMs: 50, outcome: "done", reason: null });
  b.set("shop.b", "expire", { pointMs: 70, outcome: "nothing", reason: "young" });
  await b.save();
  const c = await of(3);
  expect([c.get("shop.a", "compact")?.pointMs, c.get("shop.b", "expire")?.reason]).toEqual([100, "young"]);
  c.keepOnly(new Set(["shop.b"]));
  await c.save();
  expect((await of(4)).get("shop.a", "compact")).toBeNull();
});
