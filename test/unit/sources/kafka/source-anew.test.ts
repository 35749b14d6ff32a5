import { describe, expect, test } from "vitest";
import type { Position } from "../../../../src/core/position.ts";
import { readUntil, type Setup, setup } from "./source-setup.ts";

/** Nine records, numbered, in `orders/0` of a cluster that tells ids. */
function nine(): Setup {
  const world = setup();
  world.cluster.create("orders", [1]);
  world.cluster.ids.set("orders", "A");
  for (let i = 0; i < 9; i++) world.cluster.append("orders", 0, [`${i}`]);
  return world;
}

function anew({ cluster }: Setup, count: number, id = "B"): void {
  cluster.create("orders", [1]);
  cluster.ids.set("orders", id);
  for (let i = 0; i < count; i++) cluster.append("orders", 0, [`new ${i}`]);
}

const START = new Map([["orders/0", "0"]]);
const LINE = "warn A topic was made anew, going on with the new one";
const lost = (message: RegExp) => ({ code: "LOST_OFFSETS", message: expect.stringMatching(message) });

describe("a topic that is made anew while it is read", () => {
  test.each([0, 3, 12])("is an error that names both ids, with %i records", async (count) => {
    const world = nine();
    let reached: string | undefined;
    const watch = (position: Position): boolean => {
      reached = position.get("orders/0");
      return false;
    };
    const reading = readUntil(world.source(), START, watch, () => {
      if (reached === "9" && world.cluster.ids.get("orders") === "A") anew(world, count);
    });
    await expect(reading).rejects.toMatchObject(lost(/made anew \(the id A was read, B is there\)/));
  });

  test("is not read before it has been looked up, once it was gone", async () => {
    const world = nine();
    const { clock, cluster, seen } = world;
    let dropped = false;
    let reached: string | undefined;
    const watch = (position: Position): boolean => {
      reached = position.get("orders/0");
      return false;
    };
    const reading = readUntil(world.source(), START, watch, () => {
      if (reached !== "9" || dropped) return;
      dropped = true;
      cluster.topics.delete("orders");
      // Back, and longer than before, while nobody tells what topics there are.
      void clock.sleep(1_000).then(() => {
        cluster.unreachable = true;
        anew(world, 30);
      });
      void clock.sleep(20_000).then(() => (cluster.unreachable = false));
    });
    await expect(reading).rejects.toMatchObject(lost(/made anew/));
    expect(seen.get("orders/0")?.filter((value) => value.startsWith("new"))).toEqual([]);
  });

  test.each([3, 12])("with on_lost_offsets: earliest is read from its start, with %i records", async (count) => {
    const world = nine();
    const source = world.source({ onLostOffsets: "earliest" });
    let reached: string | undefined;
    const done = (position: Position): boolean => {
      reached = position.get("orders/0");
      return reached === `${count}@2`;
    };
    await readUntil(source, START, done, () => {
      if (reached === "9" && world.cluster.ids.get("orders") === "A") anew(world, count);
    });
    const fresh = world.seen.get("orders/0")?.filter((value) => value.startsWith("new"));
    // What is fetched before the topic is looked up counts for the old one, and is read again for the new one.
    expect(fresh?.slice(-count)).toEqual(Array.from({ length: count }, (_, i) => `new ${i}`));
    expect(world.lines).toContain(LINE);
    expect(source.streamIds?.()).toEqual(new Map([["orders", { id: "B", generation: 2 }]]));
  });

  test("while a fetch is under way, whose answer is of the new one and not taken", async () => {
    const world = nine();
    const { clock, cluster, lines, seen } = world;
    cluster.create("other", [2]);
    const from = new Map([...START, ["other/0", "0"]]);
    let waits = false;
    cluster.onFetch = (broker, [first]) => {
      if (waits || broker !== 1 || first?.offset !== 9n) return;
      waits = true;
      // The fetch has found nothing and waits; what broker 2 does not answer makes the topics be looked up.
      void clock.sleep(100).then(() => {
        anew(world, 12);
        cluster.down.add(2);
      });
    };
    const done = (position: Position): boolean => position.get("orders/0") === "12@2";
    await readUntil(world.source({ topics: ["orders", "other"], onLostOffsets: "earliest" }), from, done, () => {
      if (lines.includes(LINE)) cluster.down.clear();
      cluster.append("other", 0, ["more"]);
    });
    expect(seen.get("orders/0")?.slice(9)).toEqual(Array.from({ length: 12 }, (_, i) => `new ${i}`));
  });

  test("and gone for long, matched by a pattern, is another one when it comes back", async () => {
    for (const onLostOffsets of ["stop", "earliest"] as const) {
      const world = nine();
      const { cluster, lines } = world;
      cluster.create("other", [1]);
      let reached: string | undefined;
      const done = (position: Position): boolean => {
        reached = position.get("orders/0");
        return reached === "12@2";
      };
      const reading = readUntil(world.source({ topics: ["/.*/"], onLostOffsets }), START, done, () => {
        const gone = lines.includes("warn A topic partition is gone and no longer read");
        if (reached === "9" && !gone) cluster.topics.delete("orders");
        if (gone && !cluster.topics.has("orders")) anew(world, 12);
      });
      if (onLostOffsets === "stop") await expect(reading).rejects.toMatchObject(lost(/A was read, B is there/));
      else expect((await reading).get("orders/0")).toBe("12@2");
    }
  });

  test("whose id stays the same, and whose epoch goes back: an error all the same", async () => {
    const world = nine();
    const { cluster } = world;
    cluster.append("orders", 0, { records: [{ value: "9" }], leaderEpoch: 5 });
    const reading = readUntil(
      world.source(),
      START,
      () => false,
      (pull) => {
        if (pull === 3) cluster.append("orders", 0, { records: [{ value: "10" }], leaderEpoch: 1 });
      },
    );
    await expect(reading).rejects.toMatchObject(lost(/its leader epoch went back/));
  });
});

describe("a topic that was made anew before", () => {
  test("and is not there at the start, but matched by a pattern later", async () => {
    const world = setup();
    const { cluster } = world;
    cluster.create("other", [1]);
    const source = world.source({ topics: ["/.*/"] });
    source.recall?.(new Map([["orders", { id: "A", generation: 1 }]]));
    const from = new Map([["orders/0", "9"]]);
    const reading = readUntil(
      source,
      from,
      () => false,
      (pull) => {
        if (pull === 2) anew(world, 30);
      },
    );
    await expect(reading).rejects.toMatchObject(lost(/A was read, B is there/));
  });

  test("tells its end in the generation that it would be read in, and acknowledges plain offsets", async () => {
    const world = setup();
    anew(world, 4, "C");
    const source = world.source();
    source.recall?.(new Map([["orders", { id: "B", generation: 2 }]]));
    expect(await source.endPosition()).toEqual(new Map([["orders/0", "4@3"]]));
    // Nothing has been read of it yet.
    expect(source.streamIds?.().get("orders")).toEqual({ id: "B", generation: 2 });
    await source.acknowledge(new Map([["orders/0", "3@3"]]));
    expect(world.cluster.committed[0]?.positions).toEqual([{ topic: "orders", partition: 0, offset: 3n }]);
  });
});
