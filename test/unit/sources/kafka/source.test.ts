import { describe, expect, test } from "vitest";
import type { Position } from "../../../../src/core/position.ts";
import { at, readUntil, setup } from "./source-setup.ts";

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

// The same fetch was sent again at once, without an end and without a word.
test("a broker that never sends a batch whole is waited for with pauses, and given up", async () => {
  const { cluster, lines, source } = setup();
  cluster.create("orders", [1]);
  cluster.append("orders", 0, ["a"]);
  const [batch] = cluster.partition("orders", 0).batches;
  if (batch !== undefined) batch.bytes = batch.bytes.subarray(0, 40);
  await expect(readUntil(source({}, 60_000), new Map(), () => false)).rejects.toMatchObject({
    kind: "unavailable",
    code: "KAFKA_UNAVAILABLE",
    message: expect.stringContaining("only the beginning of a record batch"),
  });
  expect(lines.filter((line) => /cannot be read, trying again/.test(line)).length).toBeLessThan(30);
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
