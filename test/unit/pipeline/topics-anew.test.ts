import { describe, expect, it } from "vitest";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { readStamp, type Stamp } from "../../../src/commit/stamp.ts";
import { DEAD_LETTER_COLUMNS } from "../../../src/core/dead-letter.ts";
import { streamIdsText } from "../../../src/core/stream-id.ts";
import { json } from "../../../src/formats/json/format.ts";
import type { JobRun, JobSummary } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import type { KafkaSettings } from "../../../src/sources/kafka/config.ts";
import { createKafkaSource } from "../../../src/sources/kafka/source.ts";
import { currentSnapshot, snapshotById } from "../../../table-format/index.ts";
import { memoryWarehouse, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { plainJob } from "../../support/plain-job.ts";
import { tableRows } from "../../support/table-rows.ts";
import { FakeCluster, recordingRuntime, VirtualClock } from "../sources/kafka/fake-cluster.ts";

class Crash extends Error {}

const ident = (name: string) => ({ namespace: ["shop"], name });
const RULES = ["a", "b"].map((name) => upsertRule(name, { mode: "append", key: null }));

/** A warehouse that reads topics `a` and `b` of a cluster in memory, each into the table of its name. */
class World {
  readonly warehouse: Warehouse;
  readonly clock = new VirtualClock();
  readonly cluster = new FakeCluster(this.clock);
  readonly runtime = recordingRuntime(this.clock);
  #rows = 0;

  constructor(kind: "memory" | "object-store") {
    this.warehouse = memoryWarehouse(kind);
  }

  /** Makes a topic, in place of the one that there was. */
  create(topic: string, id: string | null): void {
    this.cluster.create(topic, [1]);
    if (id === null) this.cluster.ids.delete(topic);
    else this.cluster.ids.set(topic, id);
  }

  /** Sends this many rows, numbered on and on. */
  send(topic: string, count: number): void {
    const batch = Array.from({ length: count }, () => `{"id":${++this.#rows}}`);
    this.cluster.append(topic, 0, batch);
  }

  run(
    onLostOffsets: KafkaSettings["onLostOffsets"] = "stop",
    { crashAt = null, ...given }: Partial<JobRun> & { crashAt?: { step: string; times: number } | null } = {},
  ): Promise<JobSummary> {
    let times = 0;
    const step = (name: string): void => {
      if (name === crashAt?.step && ++times === crashAt.times) throw new Crash(name);
    };
    const settings: KafkaSettings = {
      brokers: ["localhost:9092"],
      topics: [...this.cluster.topics.keys()],
      start: "earliest",
      onLostOffsets,
      tls: null,
      sasl: null,
      clientId: "test",
      groupId: "test",
    };
    const runtime = { ...this.runtime, step };
    return runJob({
      ...plainJob(this.warehouse, 1_000),
      rules: RULES,
      runtime,
      createSource: (router, notices, rejects) =>
        createKafkaSource(settings, {
          decoder: json.createDecoder(router, notices, rejects),
          runtime,
          log: this.cluster,
        }),
      ...given,
    });
  }

  async rows(name: string): Promise<number[]> {
    const rows = await tableRows(this.warehouse.io, this.warehouse.catalog, ident(name));
    return rows.map(Number).toSorted((x, y) => x - y);
  }

  /** Position and ids in the stamp of a table's newest snapshot. */
  async stamp(name: string): Promise<{ position: Record<string, string>; ids: string }> {
    const loaded = await this.warehouse.catalog.loadTable(ident(name));
    const { position, streams } = readStamp(currentSnapshot(loaded!.metadata)!) as Stamp;
    return { position: Object.fromEntries(position), ids: streamIdsText(streams ?? new Map()) };
  }

  async rollBack(name: string, to: bigint): Promise<void> {
    const context = { ...this.warehouse, warehouseLocation: "mem://w", runtime: this.runtime };
    const table = (await this.warehouse.catalog.loadTable(ident(name)))!;
    const target = snapshotById(table.metadata, to)!;
    await rollBack(context, await planRollback(context, { table, target, keepPosition: false }));
  }

  async head(name: string): Promise<bigint> {
    return currentSnapshot((await this.warehouse.catalog.loadTable(ident(name)))!.metadata)!.snapshotId;
  }
}

const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const lost = (message: RegExp) => ({
  kind: "data",
  code: "LOST_OFFSETS",
  message: expect.stringMatching(message),
  hint: expect.stringContaining("on_lost_offsets: earliest"),
});

describe.each(["memory", "object-store"] as const)("topics made anew between runs, on a catalog of kind %s", (kind) => {
  it.each([2, 9])("with %i records where 5 had been read: the job stops before it reads one", async (count) => {
    const world = new World(kind);
    world.create("a", "A");
    world.send("a", 5);
    await world.run();
    expect(await world.stamp("a")).toEqual({ position: { "a/0": "5" }, ids: '{"a":"A"}' });
    world.create("a", "B");
    world.send("a", count);
    await expect(world.run()).rejects.toMatchObject(
      lost(/^a: the topic was deleted and made anew \(the id A was read, B is there\); the position 5 of a\/0/),
    );
    expect(await world.rows("a")).toEqual(upTo(5));
    expect(await world.stamp("a")).toEqual({ position: { "a/0": "5" }, ids: '{"a":"A"}' });
  });

  it.each([2, 9])("with %i records, on_lost_offsets: earliest reads all of them, once", async (count) => {
    const world = new World(kind);
    world.create("a", "A");
    world.send("a", 5);
    await world.run();
    world.create("a", "B");
    world.send("a", count);
    await world.run("earliest");
    expect(await world.rows("a")).toEqual(upTo(5 + count));
    expect(await world.stamp("a")).toEqual({ position: { "a/0": `${count}@2` }, ids: '{"a":"B@2"}' });
    // It is the job's topic now, and the way out can go from the job file.
    world.send("a", 3);
    await world.run();
    await world.run();
    expect(await world.rows("a")).toEqual(upTo(8 + count));
    world.create("a", "C");
    world.send("a", 1);
    await expect(world.run()).rejects.toMatchObject(lost(/the id B was read, C is there/));
    await world.run("earliest");
    expect(await world.rows("a")).toEqual(upTo(9 + count));
    expect(await world.stamp("a")).toEqual({ position: { "a/0": "1@3" }, ids: '{"a":"C@3"}' });
  });

  it("on_lost_offsets: latest reads what comes from then on", async () => {
    const world = new World(kind);
    world.create("a", "A");
    world.send("a", 5);
    await world.run();
    world.create("a", "B");
    world.send("a", 7);
    await world.run("latest");
    world.send("a", 2);
    await world.run();
    expect(await world.rows("a")).toEqual([...upTo(5), 13, 14]);
  });

  it("a table from before ids were stamped resumes, and is stamped with the id that it meets", async () => {
    const world = new World(kind);
    world.create("a", null);
    world.send("a", 5);
    await world.run();
    expect(await world.stamp("a")).toEqual({ position: { "a/0": "5" }, ids: "{}" });
    world.cluster.ids.set("a", "A");
    world.send("a", 2);
    await world.run();
    expect(await world.rows("a")).toEqual(upTo(7));
    expect(await world.stamp("a")).toEqual({ position: { "a/0": "7" }, ids: '{"a":"A"}' });
    // A broker that no longer tells, as after a downgrade.
    world.cluster.ids.delete("a");
    world.send("a", 1);
    await world.run();
    expect(await world.stamp("a")).toEqual({ position: { "a/0": "8" }, ids: '{"a":"A"}' });
    world.create("a", "B");
    world.send("a", 9);
    await expect(world.run()).rejects.toMatchObject(lost(/the id A was read/));
  });

  it("a table that is rolled back to the old topic does not take the new one for it", async () => {
    const world = new World(kind);
    world.create("a", "A");
    world.send("a", 5);
    await world.run();
    const old = await world.head("a");
    world.create("a", "B");
    world.send("a", 9);
    await world.run("earliest");
    await world.rollBack("a", old);
    expect(await world.rows("a")).toEqual(upTo(5));
    expect(await world.stamp("a")).toEqual({ position: { "a/0": "5" }, ids: '{"a":"B@2"}' });
    await expect(world.run()).rejects.toMatchObject(lost(/made anew; the position 5 of a\/0 is of the one before/));
    await world.run("earliest");
    expect(await world.rows("a")).toEqual(upTo(14));
  });

  it("rolled back within one topic it replays as ever", async () => {
    const world = new World(kind);
    world.create("a", "A");
    world.send("a", 5);
    await world.run();
    const old = await world.head("a");
    world.send("a", 4);
    await world.run();
    await world.rollBack("a", old);
    expect(await world.stamp("a")).toEqual({ position: { "a/0": "5" }, ids: '{"a":"A"}' });
    await world.run();
    expect(await world.rows("a")).toEqual(upTo(9));
  });

  it("dead letters of the new topic are kept, though their offsets lie below those of the old one", async () => {
    const world = new World(kind);
    const deadLetter = { table: "shop.letters", maxRows: 100, maxShare: 1 };
    world.create("a", "A");
    world.send("a", 5);
    world.cluster.append("a", 0, ["broken 1"]);
    await world.run("stop", { deadLetter });
    world.create("a", "B");
    world.cluster.append("a", 0, ["broken 2"]);
    world.send("a", 1);
    await world.run("earliest", { deadLetter });
    const columns = Object.keys(DEAD_LETTER_COLUMNS);
    const letters = await tableRows(world.warehouse.io, world.warehouse.catalog, ident("letters"));
    const at = columns.indexOf("offset");
    expect(letters.map((row) => Number(row.split("|")[at])).toSorted((x, y) => x - y)).toEqual([0, 5]);
    expect(await world.rows("a")).toEqual(upTo(6));
  });

  it.each(["commit.sent", "commit.answered", "create.answered", "ledger.sent"])(
    "killed at %s after it went on with the new topic, the next run loses and doubles nothing",
    async (step) => {
      for (const times of [1, 2, 3]) {
        const world = new World(kind);
        for (const topic of ["a", "b"]) {
          world.create(topic, `${topic}-1`);
          world.send(topic, 4);
        }
        await world.run();
        for (const topic of ["a", "b"]) {
          world.create(topic, `${topic}-2`);
          world.send(topic, 6);
        }
        await world.run("earliest", { crashAt: { step, times } }).catch((error: unknown) => {
          if (!(error instanceof Crash)) throw error;
        });
        await world.run("earliest");
        expect(await world.rows("a")).toEqual([...upTo(4), ...upTo(14, 9)]);
        expect(await world.rows("b")).toEqual([...upTo(8, 5), ...upTo(20, 15)]);
        world.send("b", 1);
        await world.run();
        expect(await world.rows("b")).toEqual([...upTo(8, 5), ...upTo(21, 15)]);
      }
    },
  );
});
