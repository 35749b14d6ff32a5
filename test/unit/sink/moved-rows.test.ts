import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DueRun, MaintenancePlace } from "../../../src/maintenance/service/due-run.ts";
import { runCompact } from "../../../src/maintenance/service/run-compact.ts";
import type { Catalog, LoadedTable } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { IDENT, loaded, place } from "../../support/maintenance.ts";
import { tableRows } from "../../support/table-rows.ts";

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "moved-"))));
afterAll(() => rm(folder, { recursive: true }));

/** A job and the compactions in its process. `commit` stands between them and the catalog. */
async function jobWithCompaction(keys: "memory" | "sidecars", options: { told: boolean }) {
  const warehouse = memoryWarehouse("memory");
  const cache = keys === "memory" ? undefined : { folder, limitBytes: 1 };
  const process = await Process.start(warehouse, [upsertRule("a")], undefined, cache);
  /** Requests for files that compactions wrote, each of which is a read of keys. */
  const reads: string[] = [];
  warehouse.fault = (operation, location) => {
    if (operation.startsWith("read") && /-k[0-9a-f]{16}-w/.test(location)) reads.push(location);
  };
  const here = place(warehouse, process);
  const write = (text: string) => process.checkpoint(text.split(" ").map((one) => change("a", one)));
  return {
    warehouse,
    reads,
    write,
    rows: () => tableRows(warehouse.io, warehouse.catalog, IDENT),
    async compact(commit: CommitWith = (send) => send()): Promise<LoadedTable> {
      const { moved } = process.checkpointer;
      const stop = new AbortController().signal;
      const services: MaintenancePlace = {
        ...here,
        catalog: committingWith(warehouse, commit),
        stop,
        memoryBytes: 1 << 26,
        locations: async () => [],
        ...(options.told ? { moved: moved.bind(process.checkpointer) } : {}),
      };
      const rewrite = {
        kind: "compact",
        targetSizeBytes: 1 << 20,
        minFiles: 2,
        deleteRatio: 0.15,
        pace: 1,
        arrange: null,
        where: null,
      };
      const task = rewrite as DueRun<"compact">["task"];
      const run = { table: await loaded(warehouse), task, pointMs: 0, begin: async () => undefined };
      expect(await runCompact(services, run)).toMatchObject({ outcome: "done" });
      return loaded(warehouse);
    },
  };
}

type CommitWith = (
  send: () => ReturnType<Catalog["commit"]>,
  change: Parameters<Catalog["commit"]>[0],
) => ReturnType<Catalog["commit"]>;

/** Only commits that bring a snapshot go through `commit`. */
function committingWith({ catalog }: Warehouse, commit: CommitWith): Catalog {
  return new Proxy(catalog, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (property !== "commit") return typeof value === "function" ? value.bind(target) : value;
      return (changes: Parameters<Catalog["commit"]>[0]) => {
        const send = () => target.commit(changes);
        const adds = changes.some(({ updates }) => updates.some(({ action }) => action === "add-snapshot"));
        return adds ? commit(send, changes) : send();
      };
    },
  });
}

describe.each(["memory", "sidecars"] as const)("a job with keys in %s, and a compaction in its process", (keys) => {
  it("does not read the keys of rows that the compaction moved", async () => {
    const job = await jobWithCompaction(keys, { told: true });
    await job.write("+1:x:1 +2:x:2 +3:x:3");
    await job.write("-2 +4:x:4");
    await job.write("+5:x:5");
    await job.compact();
    await job.write("~1:y:10 -3 +6:y:6");
    await job.write("~4:y:40");
    expect(job.reads).toEqual([]);
    // Once more, over rows that were moved before and rows that died since.
    await job.compact();
    job.reads.length = 0;
    await job.write("~5:z:50 -6 ~1:z:11 +2:z:2");
    expect(job.reads).toEqual([]);
    expect(await job.rows()).toEqual(["1|z|11", "2|z|2", "4|y|40", "5|z|50"]);
  });

  it("reads them when it is not told", async () => {
    const job = await jobWithCompaction(keys, { told: false });
    await job.write("+1:x:1 +2:x:2");
    await job.write("+3:x:3");
    await job.compact();
    const before = job.reads.length;
    await job.write("~1:y:10");
    expect(job.reads.length).toBeGreaterThan(before);
    expect(await job.rows()).toEqual(["1|y|10", "2|x|2", "3|x|3"]);
  });

  it("follows rows of which some died before the commit, which lost its first race", async () => {
    const job = await jobWithCompaction(keys, { told: true });
    await job.write("+1:x:1 +2:x:2 +3:x:3 +4:x:4");
    await job.write("-2 +5:x:5");
    let races = 0;
    await job.compact(async (send) => {
      if (races++ === 0) await job.write("-1 ~5:y:50 +7:y:7");
      return send();
    });
    expect(races).toBe(2);
    await job.write("~3:z:30 +1:z:1 ~5:z:51 -7 -4");
    expect(job.reads).toEqual([]);
    expect(await job.rows()).toEqual(["1|z|1", "3|z|30", "5|z|51"]);
  });

  it("takes no harm when the answer is lost and it has followed the commit before it is told", async () => {
    const job = await jobWithCompaction(keys, { told: true });
    await job.write("+1:x:1 +2:x:2 +3:x:3");
    await job.write("-2 +4:x:4");
    let lost = 0;
    await job.compact(async (send) => {
      if (lost++ > 0) return send();
      expect(await send()).toMatchObject({ outcome: "committed" });
      await job.write("~1:y:10 +2:y:2");
      return { outcome: "unknown", cause: new Error("no answer") };
    });
    await job.write("~1:z:11 -2 ~3:z:30");
    await job.compact();
    await job.write("~4:z:40 +2:z:22");
    expect(await job.rows()).toEqual(["1|z|11", "2|z|22", "3|z|30", "4|z|40"]);
    expect(lost).toBe(1);
  });

  it("follows nothing when the process ends between the commit and the note of it", async () => {
    const job = await jobWithCompaction(keys, { told: true });
    await job.write("+1:x:1 +2:x:2");
    await job.write("-2 +3:x:3");
    const crash = new Error("crash");
    const crashed = job.compact(async (send) => {
      await send();
      throw crash;
    });
    await expect(crashed).rejects.toMatchObject({ message: expect.anything() });
    const cache = keys === "memory" ? undefined : { folder, limitBytes: 1 };
    const next = await Process.start(job.warehouse, [upsertRule("a")], undefined, cache);
    await next.checkpoint(["~1:y:10", "+2:y:2", "-3"].map((one) => change("a", one)));
    expect(await job.rows()).toEqual(["1|y|10", "2|y|2"]);
  });
});
