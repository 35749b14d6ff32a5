import { describe, expect, test } from "vitest";
import { at, readUntil, setup } from "./source-setup.ts";

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

  test.each(["earliest", "latest"] as const)(
    "beyond the end, on_lost_offsets: %s does not jump back to offsets that the tables count as written",
    async (onLostOffsets) => {
      const { cluster, seen, source } = setup();
      cluster.create("orders", [1]);
      for (let i = 0; i < 9; i++) cluster.append("orders", 0, [`${i}`]);
      const anew = (pull: number): void => {
        if (pull !== 2) return;
        cluster.create("orders", [1]);
        cluster.append("orders", 0, ["new"]);
      };
      const error = { ...lost, hint: expect.stringMatching(/another job `name:`/) };
      const running = readUntil(source({ onLostOffsets }), new Map([["orders/0", "0"]]), () => false, anew);
      await expect(running).rejects.toMatchObject(error);
      const starting = readUntil(source({ onLostOffsets }), new Map([["orders/0", "9"]]), () => false);
      await expect(starting).rejects.toMatchObject(error);
      expect(seen.get("orders/0")).not.toContain("new");
    },
  );

  test("a pattern's topic that went away and comes back below what was read", async () => {
    const { cluster, lines, source } = setup();
    cluster.create("orders", [1]);
    cluster.create("other", [1]);
    for (let i = 0; i < 9; i++) cluster.append("orders", 0, [`${i}`]);
    const line = "warn A topic partition is gone and no longer read";
    let reached: string | undefined;
    const reading = readUntil(
      source({ topics: ["/.*/"] }),
      new Map([["orders/0", "0"]]),
      (position) => {
        reached = position.get("orders/0");
        return false;
      },
      () => {
        if (reached === "9" && !lines.includes(line)) cluster.topics.delete("orders");
        if (lines.includes(line) && !cluster.topics.has("orders")) cluster.create("orders", [1]);
      },
    );
    await expect(reading).rejects.toMatchObject({
      ...lost,
      message: expect.stringMatching(/made anew: it starts at offset 0, it had been read up to 9/),
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
