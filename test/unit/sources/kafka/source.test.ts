import { describe, expect, test } from "vitest";
import type { ChangeBatch } from "../../../../src/core/change-batch.ts";
import type { Decoder } from "../../../../src/core/format.ts";
import type { Position } from "../../../../src/core/position.ts";
import type { Source } from "../../../../src/core/source.ts";
import type { KafkaSettings } from "../../../../src/sources/kafka/config.ts";
import { createKafkaSource } from "../../../../src/sources/kafka/source.ts";
import { FakeCluster, recordingRuntime, VirtualClock } from "./fake-cluster.ts";

const settings: KafkaSettings = {
  brokers: ["localhost:9092"],
  topics: ["orders"],
  start: "earliest",
  onLostOffsets: "stop",
  tls: null,
  sasl: null,
  clientId: "test",
  groupId: "pipe",
};

interface Setup {
  readonly cluster: FakeCluster;
  readonly clock: VirtualClock;
  readonly lines: string[];
  /** Values read so far, by split. */
  readonly seen: Map<string, string[]>;
  source(more?: Partial<KafkaSettings>, outageLimitMs?: number): Source;
}

function setup(): Setup {
  const clock = new VirtualClock();
  const cluster = new FakeCluster(clock);
  const runtime = recordingRuntime(clock);
  const seen = new Map<string, string[]>();
  const decoder: Decoder = {
    decode(slab): ChangeBatch[] {
      const values = Array.from({ length: slab.count }, (_, i) =>
        Buffer.from(slab.bytes.subarray(slab.valueStarts[i], slab.valueEnds[i])).toString(),
      );
      seen.set(slab.split, [...(seen.get(slab.split) ?? []), ...values]);
      return [];
    },
  };
  return {
    cluster,
    clock,
    lines: runtime.lines,
    seen,
    source: (more = {}, outageLimitMs = 600_000) =>
      createKafkaSource({ ...settings, ...more }, { decoder, runtime, log: cluster, outageLimitMs }),
  };
}

/** Reads until `done`, and gives the position reached. `each` runs after every pull. */
async function readUntil(
  source: Source,
  from: Position,
  done: (position: Position) => boolean,
  each: (pull: number) => void = () => {},
): Promise<Map<string, string>> {
  const position = new Map(from);
  const stop = new AbortController();
  let pulls = 0;
  for await (const batch of source.read(from, stop.signal)) {
    for (const [split, point] of batch.ends) position.set(split, point);
    each(++pulls);
    if (pulls > 5_000) throw new Error(`no end in sight at ${JSON.stringify([...position])}`);
    if (done(position)) break;
  }
  return position;
}

const at = (split: string, point: number) => (position: Position) => position.get(split) === String(point);

describe("opening", () => {
  test("a topic that does not exist is named, with the one that may be meant", async () => {
    const { cluster, source } = setup();
    cluster.create("shop.public.orders", [1]);
    cluster.create("__consumer_offsets", [1]);
    await expect(source({ topics: ["shop.public.order", "/.*/"] }).open()).rejects.toMatchObject({
      kind: "config",
      code: "TOPIC_NOT_FOUND",
      message: "no such topic: shop.public.order (did you mean shop.public.orders?)",
      hint: "there are shop.public.orders",
    });
  });

  test("a cluster that stays away is waited for with growing pauses, and then is an error", async () => {
    const { cluster, clock, lines, source } = setup();
    cluster.unreachable = true;
    const startMs = clock.nowMs();
    await expect(source().open()).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("(tried for"),
    });
    const tookMs = clock.nowMs() - startMs;
    expect(tookMs).toBeGreaterThanOrEqual(60_000);
    expect(tookMs).toBeLessThan(75_000);
    expect(lines.filter((line) => line.startsWith("warn")).length).toBeGreaterThan(5);
    expect(lines.length).toBeLessThan(25);
  });

  test("settings that cannot be meant are refused at once", () => {
    const { source } = setup();
    expect(() => source({ topics: ["/(/"] })).toThrow(expect.objectContaining({ kind: "config" }));
    expect(() => source({ topics: ["with space"] })).toThrow(expect.objectContaining({ kind: "config" }));
    expect(() => source({ brokers: ["host:port"] })).toThrow(expect.objectContaining({ kind: "config" }));
  });

  test("a pattern takes whole names and none of the cluster's own", async () => {
    const { cluster, source } = setup();
    for (const topic of ["orders", "orders_dlq", "old_orders", "__orders"]) cluster.create(topic, [1]);
    expect([...(await source({ topics: ["/.*orders/"] }).startPosition()).keys()].sort()).toEqual([
      "old_orders/0",
      "orders/0",
    ]);
  });
});

describe("reading", () => {
  test("all splits from their points, each in its order, up to the end", async () => {
    const { cluster, seen, source } = setup();
    cluster.create("orders", [1, 2, 1]);
    for (let i = 0; i < 30; i++) cluster.append("orders", i % 3, [`${i}a`, `${i}b`]);
    const reader = source();
    await reader.open();
    const end = await reader.endPosition();
    expect(Object.fromEntries(end)).toEqual({ "orders/0": "20", "orders/1": "20", "orders/2": "20" });
    const from = new Map([...(await reader.startPosition()), ["orders/1", "7"]]);
    const position = await readUntil(reader, from, (now) =>
      [...end].every(([split, point]) => now.get(split) === point),
    );
    expect(position).toEqual(end);
    for (const partition of [0, 1, 2]) {
      const all = Array.from({ length: 10 }, (_, i) => [`${i * 3 + partition}a`, `${i * 3 + partition}b`]).flat();
      expect(seen.get(`orders/${partition}`)).toEqual(all.slice(partition === 1 ? 7 : 0));
    }
  });

  test("a split that the position lacks is read from its very start and reported", async () => {
    const { cluster, seen, source } = setup();
    cluster.create("orders", [1, 1]);
    cluster.append("orders", 1, ["a"]);
    const position = await readUntil(source({ start: "latest" }), new Map([["orders/0", "0"]]), at("orders/1", 1));
    expect(seen.get("orders/1")).toEqual(["a"]);
    expect(position.get("orders/0")).toBe("0");
  });

  test("an idle source yields empty batches at least each second", async () => {
    const { cluster, clock, source } = setup();
    cluster.create("orders", [1]);
    const times: number[] = [];
    await readUntil(
      source(),
      new Map([["orders/0", "0"]]),
      () => times.length > 5,
      () => times.push(clock.nowMs()),
    );
    for (let i = 1; i < times.length; i++) expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeLessThanOrEqual(1_000);
  });

  test("one answer is fetched ahead, and no more", async () => {
    const { cluster, clock, source } = setup();
    cluster.create("orders", [1]);
    for (let i = 0; i < 40; i++) cluster.append("orders", 0, [`${i}`]);
    let fetches = 0;
    cluster.onFetch = () => fetches++;
    const reading = source()
      .read(new Map([["orders/0", "0"]]), new AbortController().signal)
      [Symbol.asyncIterator]();
    await reading.next();
    await clock.sleep(60_000);
    // The one that was taken, and the one that waits.
    expect(fetches).toBe(2);
    await reading.return?.();
  });

  test("the split that waited longest comes first", async () => {
    const { cluster, source } = setup();
    cluster.create("orders", [1, 1, 1]);
    for (let i = 0; i < 10; i++) cluster.append("orders", 1, [`${i}`]);
    const firsts: number[] = [];
    cluster.onFetch = (_, positions) => firsts.push(positions.at(-1)?.partition ?? -1);
    await readUntil(source(), new Map(), at("orders/1", 10));
    expect(firsts.slice(1).every((last) => last === 1)).toBe(true);
  });

  test("aborting ends the iteration without an error", async () => {
    const { cluster, clock, source } = setup();
    cluster.create("orders", [1]);
    const stop = new AbortController();
    const reading = source()
      .read(new Map([["orders/0", "0"]]), stop.signal)
      [Symbol.asyncIterator]();
    await reading.next();
    const last = reading.next();
    stop.abort();
    const startMs = clock.nowMs();
    expect((await last).done).toBe(true);
    expect(clock.nowMs() - startMs).toBeLessThan(1_000);
  });
});

describe("brokers that come and go", () => {
  test("an outage is survived, said aloud, and its end too", async () => {
    const { cluster, clock, lines, seen, source } = setup();
    cluster.create("orders", [1]);
    cluster.append("orders", 0, ["before"]);
    let downMs = 0;
    await readUntil(source(), new Map([["orders/0", "0"]]), at("orders/0", 2), () => {
      if (downMs === 0) {
        downMs = clock.nowMs();
        cluster.down.add(1);
        cluster.unreachable = true;
      } else if (cluster.down.size > 0 && clock.nowMs() - downMs > 5 * 60_000) {
        cluster.down.clear();
        cluster.unreachable = false;
        cluster.append("orders", 0, ["after"]);
      }
    });
    expect(seen.get("orders/0")).toEqual(["before", "after"]);
    expect(lines).toContain("warn Kafka topic partitions cannot be read, trying again");
    expect(lines.at(-1)).toBe("info Kafka topic partitions can be read again");
  });

  test("an outage beyond the limit ends the job as unavailable", async () => {
    const { cluster, clock, source } = setup();
    cluster.create("orders", [1, 2]);
    cluster.down.add(2);
    const startMs = clock.nowMs();
    const reading = readUntil(source({}, 90_000), new Map(), () => false);
    await expect(reading).rejects.toMatchObject({ kind: "unavailable" });
    expect(clock.nowMs() - startMs).toBeGreaterThanOrEqual(90_000);
    expect(clock.nowMs() - startMs).toBeLessThan(120_000);
  });

  test("an outage of one broker does not hold up the others", async () => {
    const { cluster, seen, source } = setup();
    cluster.create("orders", [1, 2]);
    const from = new Map([
      ["orders/0", "0"],
      ["orders/1", "0"],
    ]);
    let pulls = 0;
    await readUntil(source(), from, at("orders/0", 20), () => {
      cluster.down.add(2);
      if (pulls++ < 20) cluster.append("orders", 0, ["x"]);
    });
    expect(seen.get("orders/0")).toHaveLength(20);
  });

  test("a leader that moves loses nothing, repeats nothing, and is found at once", async () => {
    const { cluster, clock, seen, source } = setup();
    cluster.create("orders", [1, 2]);
    for (let i = 0; i < 60; i++) cluster.append("orders", i % 2, [`${i}`]);
    const done = (position: Position): boolean =>
      position.get("orders/0") === "30" && position.get("orders/1") === "30";
    const startMs = clock.nowMs();
    await readUntil(source(), new Map(), done, (pull) => {
      for (const partition of [0, 1])
        cluster.partition("orders", partition).leader = 1 + ((partition + (pull >> 1)) % 3);
    });
    expect(seen.get("orders/0")).toEqual(Array.from({ length: 30 }, (_, i) => `${2 * i}`));
    expect(seen.get("orders/1")).toEqual(Array.from({ length: 30 }, (_, i) => `${2 * i + 1}`));
    expect(clock.nowMs() - startMs).toBeLessThan(20_000);
  });

  test("a split that moves while its old leader still waits for records is not asked for twice", async () => {
    const { cluster, seen, source } = setup();
    cluster.create("orders", [1, 3]);
    let fetches = 0;
    cluster.onFetch = (broker) => {
      // Broker 1 now holds its answer back; trouble at broker 3 has the leaders looked up meanwhile.
      if (broker !== 1 || ++fetches !== 2) return;
      cluster.partition("orders", 0).leader = 2;
      cluster.partition("orders", 1).leader = 2;
      cluster.append("orders", 1, ["b"]);
    };
    const done = (position: Position): boolean => position.get("orders/0") === "1" && position.get("orders/1") === "1";
    await readUntil(source(), new Map(), done, () => {
      if (seen.has("orders/1") && !seen.has("orders/0")) cluster.append("orders", 0, ["a"]);
    });
    expect(Object.fromEntries(seen)).toEqual({ "orders/0": ["a"], "orders/1": ["b"] });
  });

  test("a split without a leader is asked for again soon", async () => {
    const { cluster, clock, seen, source } = setup();
    cluster.create("orders", [1]);
    cluster.append("orders", 0, ["a"]);
    let lostMs = 0;
    await readUntil(source(), new Map([["orders/0", "0"]]), at("orders/0", 2), () => {
      if (lostMs === 0) {
        lostMs = clock.nowMs();
        cluster.partition("orders", 0).leader = null;
      } else if (clock.nowMs() - lostMs > 20_000 && cluster.partition("orders", 0).leader === null) {
        cluster.partition("orders", 0).leader = 2;
        cluster.append("orders", 0, ["b"]);
        lostMs = clock.nowMs();
      }
    });
    expect(seen.get("orders/0")).toEqual(["a", "b"]);
    expect(clock.nowMs() - lostMs).toBeLessThan(15_000);
  });
});

describe("topics that change", () => {
  test("new partitions, and new topics of a pattern, are found within a minute and read from their start", async () => {
    const { cluster, clock, seen, source } = setup();
    cluster.create("orders", [1]);
    const addedMs = clock.nowMs();
    const done = (position: Position): boolean =>
      position.get("orders/1") === "1" && position.get("orders_eu/0") === "1";
    await readUntil(source({ topics: ["/orders.*/"], start: "latest" }), new Map([["orders/0", "0"]]), done, (pull) => {
      if (pull !== 1) return;
      cluster.create("orders_eu", [2]);
      cluster.append("orders_eu", 0, ["eu"]);
      cluster.topics.get("orders")?.push({ leader: 3, first: 0n, batches: [] });
      cluster.append("orders", 1, ["new"]);
    });
    expect(clock.nowMs() - addedMs).toBeLessThan(60_000);
    expect(seen.get("orders/1")).toEqual(["new"]);
    expect(seen.get("orders_eu/0")).toEqual(["eu"]);
  });

  test("a new partition is in the position before it has records", async () => {
    const { cluster, source } = setup();
    cluster.create("orders", [1]);
    const position = await readUntil(source(), new Map([["orders/0", "0"]]), at("orders/1", 0), (pull) => {
      if (pull === 1) cluster.topics.get("orders")?.push({ leader: 1, first: 0n, batches: [] });
    });
    expect(position.get("orders/1")).toBe("0");
  });

  test("a deleted topic is an error when it is named, and a warning when a pattern took it in", async () => {
    const { cluster, lines, source } = setup();
    cluster.create("orders", [1]);
    cluster.create("other", [1]);
    const drop = (pull: number): void => {
      if (pull === 1) cluster.topics.delete("orders");
    };
    await expect(readUntil(source(), new Map(), () => false, drop)).rejects.toMatchObject({
      kind: "data",
      code: "TOPIC_GONE",
    });
    cluster.create("orders", [1]);
    const line = "warn A topic partition is gone and no longer read";
    await readUntil(source({ topics: ["/.*/"] }), new Map(), () => lines.includes(line), drop);
  });
});

describe("offsets that are lost", () => {
  const lost = { kind: "data", code: "LOST_OFFSETS" };

  test("below the start: an error that names topic partition, offset and range", async () => {
    const { cluster, source } = setup();
    cluster.create("orders", [1]);
    for (let i = 0; i < 10; i++) cluster.append("orders", 0, [`${i}`]);
    cluster.deleteBefore("orders", 0, 6n);
    const reading = readUntil(source(), new Map([["orders/0", "3"]]), () => false);
    await expect(reading).rejects.toMatchObject({
      ...lost,
      message: expect.stringMatching(
        /orders\/0: expected to read on at offset 3, the broker holds 6 up to 10: .*deleted before/,
      ),
    });
  });

  test("beyond the end, as after the topic was made anew", async () => {
    const { cluster, source } = setup();
    cluster.create("orders", [1]);
    cluster.append("orders", 0, ["new"]);
    const reading = readUntil(source(), new Map([["orders/0", "7"]]), () => false);
    await expect(reading).rejects.toMatchObject({
      ...lost,
      message: expect.stringMatching(/offset 7.* 0 up to 1: .*made anew/),
    });
  });

  test("while reading, by retention", async () => {
    const { cluster, source } = setup();
    cluster.create("orders", [1]);
    for (let i = 0; i < 20; i++) cluster.append("orders", 0, [`${i}`]);
    const reading = readUntil(
      source(),
      new Map([["orders/0", "0"]]),
      () => false,
      (pull) => {
        if (pull === 1) cluster.deleteBefore("orders", 0, 15n);
      },
    );
    await expect(reading).rejects.toMatchObject({
      ...lost,
      message: expect.stringContaining("the broker holds 15 up to 20"),
    });
  });

  test("a leader that does not yet know how far its log goes is asked again", async () => {
    const { cluster, clock, seen, source } = setup();
    cluster.create("orders", [1]);
    for (let i = 0; i < 5; i++) cluster.append("orders", 0, [`${i}`]);
    const log = cluster.partition("orders", 0);
    const all = [...log.batches];
    let stale = false;
    await readUntil(source(), new Map([["orders/0", "5"]]), at("orders/0", 6), () => {
      if (stale) return;
      stale = true;
      log.batches = all.slice(0, 2);
      void clock.sleep(100).then(() => {
        log.batches = all;
        cluster.append("orders", 0, ["more"]);
      });
    });
    expect(seen.get("orders/0")).toEqual(["more"]);
  });

  test("while reading, by a topic made anew that has already grown past the position", async () => {
    const { cluster, source } = setup();
    cluster.create("orders", [1]);
    for (let i = 0; i < 5; i++) cluster.append("orders", 0, { records: [{ value: "old" }], leaderEpoch: 4 });
    const reading = readUntil(
      source(),
      new Map([["orders/0", "0"]]),
      () => false,
      () => {
        if (cluster.partition("orders", 0).batches.length > 5) return;
        cluster.create("orders", [1]);
        for (let i = 0; i < 50; i++) cluster.append("orders", 0, { records: [{ value: "new" }], leaderEpoch: 0 });
      },
    );
    await expect(reading).rejects.toMatchObject(lost);
  });

  test.each([
    ["earliest", "6", ["6", "7", "8", "9"]],
    ["latest", "10", undefined],
  ] as const)("on_lost_offsets: %s goes on behind the gap, with a warning", async (onLostOffsets, first, values) => {
    const { cluster, lines, seen, source } = setup();
    cluster.create("orders", [1]);
    for (let i = 0; i < 10; i++) cluster.append("orders", 0, [`${i}`]);
    cluster.deleteBefore("orders", 0, 6n);
    const points: string[] = [];
    const position = new Map<string, string>();
    for await (const { ends } of source({ onLostOffsets }).read(
      new Map([["orders/0", "3"]]),
      new AbortController().signal,
    )) {
      for (const [split, point] of ends) {
        position.set(split, point);
        points.push(point);
      }
      if (position.get("orders/0") === "10") break;
    }
    expect(points[0]).toBe(first);
    expect(seen.get("orders/0")).toEqual(values);
    expect(lines).toContain("warn Offsets are lost, going on behind the gap");
  });

  test.each(["earliest", "latest"] as const)("while reading, with on_lost_offsets: %s", async (onLostOffsets) => {
    const { cluster, seen, source } = setup();
    cluster.create("orders", [1]);
    for (let i = 0; i < 20; i++) cluster.append("orders", 0, [`${i}`]);
    await readUntil(source({ onLostOffsets }), new Map([["orders/0", "0"]]), at("orders/0", 21), () => {
      if (cluster.partition("orders", 0).first === 0n) cluster.deleteBefore("orders", 0, 15n);
      // What comes after the jump is read in either case.
      else if (seen.get("orders/0")?.includes("19") || onLostOffsets === "latest") {
        if (cluster.end(cluster.partition("orders", 0)) === 20n) cluster.append("orders", 0, ["last"]);
      }
    });
    const values = seen.get("orders/0") ?? [];
    expect(values.at(-1)).toBe("last");
    expect(values.includes("15")).toBe(onLostOffsets === "earliest");
    expect(values.includes("10")).toBe(false);
  });

  test("a point that is no offset is refused", async () => {
    const { cluster, source } = setup();
    cluster.create("orders", [1]);
    await expect(readUntil(source(), new Map([["orders/0", "3e5"]]), () => false)).rejects.toMatchObject({
      kind: "data",
      code: "BAD_POSITION",
    });
  });
});

describe("positions", () => {
  test("points are compared as numbers of any size", () => {
    const source = setup().source();
    expect(source.comparePoints("9", "10")).toBe(-1);
    expect(source.comparePoints("9007199254740993", "9007199254740992")).toBe(1);
    expect(source.comparePoints("7", "7")).toBe(0);
  });

  test("a start time without a younger record is the end", async () => {
    const { cluster, source } = setup();
    cluster.create("orders", [1]);
    cluster.append("orders", 0, ["a", "b"]);
    expect(Object.fromEntries(await source({ start: { atMs: 5 } }).startPosition())).toEqual({ "orders/0": "2" });
  });

  test("acknowledging commits the group's offsets that moved, and never fails", async () => {
    const { clock, cluster, lines, source } = setup();
    cluster.create("a/b".replace("/", "."), [1, 1]);
    const reader = source({ topics: ["a.b"] });
    await reader.open();
    await reader.acknowledge(
      new Map([
        ["a.b/0", "5"],
        ["a.b/1", "6"],
      ]),
    );
    await reader.acknowledge(
      new Map([
        ["a.b/0", "5"],
        ["a.b/1", "9"],
      ]),
    );
    expect(cluster.committed).toEqual([
      {
        group: "pipe",
        positions: [
          { topic: "a.b", partition: 0, offset: 5n },
          { topic: "a.b", partition: 1, offset: 6n },
        ],
      },
      { group: "pipe", positions: [{ topic: "a.b", partition: 1, offset: 9n }] },
    ]);
    cluster.unreachable = true;
    const startMs = clock.nowMs();
    await reader.acknowledge(new Map([["a.b/0", "8"]]));
    expect(clock.nowMs() - startMs).toBeLessThanOrEqual(5_000);
    await clock.sleep(10_000);
    expect(lines.at(-1)).toBe("debug The group's offsets were not committed");
    expect(lines.every((line) => line.startsWith("debug "))).toBe(true);
  });
});
