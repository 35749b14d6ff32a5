import { describe, expect, it } from "vitest";
import { FrazilError } from "../../../src/core/errors.ts";
import type { Position } from "../../../src/core/position.ts";
import type { JobRun, JobSummary } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { startPoints } from "../../../src/pipeline/start-points.ts";
import { change, memoryWarehouse, storeGone, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { batches, type ScriptedChange, scriptSource } from "../../support/script-source.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { simulatedClock } from "../../support/simulated-clock.ts";
import { plainJob } from "../../support/plain-job.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const rowsOf = (warehouse: Warehouse) => tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });

function job(
  warehouse: Warehouse,
  changes: readonly ScriptedChange[],
  given: Partial<JobRun> = {},
): Promise<JobSummary> {
  const runtime = virtualRuntime(5);
  return runJob({
    ...plainJob(warehouse, 2),
    rules: [upsertRule("a")],
    runtime,
    createSource: (router) => scriptSource(new Map([["t/0", changes]]), router, runtime.random),
    ...given,
  });
}

describe("a job that runs until it has caught up", () => {
  it("ends at once, without a table, when there is nothing to read", async () => {
    const warehouse = memoryWarehouse("memory");
    expect(await job(warehouse, [])).toMatchObject({ reason: "caught-up", rows: 0, checkpoints: 0 });
    expect(await warehouse.catalog.listTables(["shop"])).toEqual([]);
  });

  it("has not caught up with a source that ends before the table's position, and hears why", async () => {
    const warehouse = memoryWarehouse("memory");
    const changes = ["+1:x:1", "+2:x:2", "-1"].map((text) => change("a", text));
    await job(warehouse, changes);
    const lost = new FrazilError("data", "LOST_OFFSETS", "the topic was made anew");
    const again = job(warehouse, changes.slice(0, 1), {
      runtime: virtualRuntime(6),
      createSource: (router) => ({
        ...scriptSource(new Map([["t/0", changes.slice(0, 1)]]), router, { uint32: () => 2 }),
        // oxlint-disable-next-line require-yield
        async *read() {
          throw lost;
        },
      }),
    });
    await expect(again).rejects.toBe(lost);
  });

  it("reads nothing twice", async () => {
    const warehouse = memoryWarehouse("memory");
    const changes = ["+1:x:1", "+2:x:2", "-1"].map((text) => change("a", text));
    expect((await job(warehouse, changes)).rows).toBe(3);
    expect((await job(warehouse, changes)).rows).toBe(0);
    expect(await rowsOf(warehouse)).toEqual(["2|x|2"]);
  });
});

describe("the source", () => {
  it("is told of a position when the tables hold everything up to it", async () => {
    const warehouse = memoryWarehouse("object-store");
    const changes = ["+1:x:1", "+2:x:2", "+3:x:3", "+4:x:4", "+5:x:5"].map((text) => change("a", text));
    const told: [string | undefined, number][] = [];
    await job(warehouse, changes, {
      createSource: (router) => ({
        ...scriptSource(new Map([["t/0", changes]]), router, { uint32: () => 2 }),
        acknowledge: async (position) => void told.push([position.get("t/0"), (await rowsOf(warehouse)).length]),
      }),
    });
    expect(told).toEqual([
      ["2", 2],
      ["4", 4],
      ["5", 5],
    ]);
  });
});

describe("a job that is stopped", () => {
  it("ends although the signal came while a checkpoint was being committed and the source is silent", async () => {
    const warehouse = memoryWarehouse("memory");
    const stop = new AbortController();
    const summary = await job(warehouse, [], {
      stop: stop.signal,
      end: { caughtUp: false, afterMs: null, maxRows: null },
      createSource: (router) => ({
        ...scriptSource(new Map(), router, { uint32: () => 0 }),
        async *read(_, signal) {
          const rows = ["+1:x:1", "+2:x:2"].map((text) => change("a", text));
          yield { changes: batches("t/0", rows, 0, router), ends: new Map([["t/0", "2"]]), records: 2 };
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        },
      }),
      observer: { started() {}, progress() {}, notice() {}, committed: () => stop.abort() },
    });
    expect(summary).toMatchObject({ reason: "stopped", rows: 2, checkpoints: 1 });
  });
});

describe("a job that is told to end", () => {
  it.each(["openWrite", "write", "replace"])(
    "gives a store up that is gone (%s), instead of waiting for minutes, and loses nothing",
    async (gone) => {
      const warehouse = memoryWarehouse("object-store");
      const changes = ["+1:x:1", "+2:x:2", "+3:x:3", "+4:x:4"].map((text) => change("a", text));
      const stop = new AbortController();
      const runtime = virtualRuntime(5);
      let committed = false;
      const run = job(warehouse, changes, {
        runtime,
        stop: stop.signal,
        createSource: (router) => scriptSource(new Map([["t/0", changes]]), router, { uint32: () => 2 }),
        observer: { started() {}, progress() {}, notice() {}, committed: () => void (committed = true) },
      });
      const startMs = runtime.clock.monotonicMs();
      warehouse.fault = (operation) => {
        if (!committed || operation !== gone) return;
        stop.abort();
        throw storeGone();
      };
      await expect(run).rejects.toMatchObject({ kind: "unavailable" });
      expect(runtime.clock.monotonicMs() - startMs).toBeLessThan(60_000);
      warehouse.fault = () => undefined;
      await job(warehouse, changes, { runtime: virtualRuntime(6) });
      expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|2", "3|x|3", "4|x|4"]);
    },
  );

  it("ends at once while its source does not answer", async () => {
    const stop = new AbortController();
    const summary = job(memoryWarehouse("memory"), [], {
      stop: stop.signal,
      createSource: (router) => ({
        ...scriptSource(new Map(), router, { uint32: () => 0 }),
        open: () => new Promise(() => undefined),
      }),
    });
    setImmediate(() => stop.abort());
    expect(await summary).toMatchObject({ reason: "stopped", rows: 0 });
  });
});

describe("a job without work", () => {
  it("notices that its table was rolled back", async () => {
    const warehouse = memoryWarehouse("memory");
    const foreign = new ForeignWriter(warehouse, "a");
    const idle = job(warehouse, [], {
      end: { caughtUp: false, afterMs: null, maxRows: null },
      checkpoint: { intervalMs: 1_000, maxRows: 2, maxSizeBytes: 1 << 20, idleCommitMs: 3_600_000 },
      createSource: (router) => ({
        ...scriptSource(new Map(), router, { uint32: () => 0 }),
        async *read(_, signal) {
          const rows = ["+1:x:1", "+2:x:2"].map((text) => change("a", text));
          yield { changes: batches("t/0", rows, 0, router), ends: new Map([["t/0", "2"]]), records: 2 };
          // Asked for only after the checkpoint.
          await foreign.rollback((await foreign.load()).metadata.snapshots[0]?.snapshotId as bigint);
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        },
      }),
    });
    await expect(idle).rejects.toMatchObject({ code: "TABLE_ROLLED_BACK", kind: "data" });
  });
});

describe("a store that is gone for a while", () => {
  it("is waited for, with a reason that is shown, in the middle of preparing and committing", async () => {
    const warehouse = memoryWarehouse("object-store");
    const notices: string[] = [];
    const failing = new Set<string>();
    warehouse.fault = (operation, location) => {
      const kind = location.replace(/^.*\./, ".");
      if (operation.startsWith("read") || failing.has(operation + kind) || failing.size > 40) return;
      failing.add(operation + kind);
      throw storeGone();
    };
    const changes = ["+1:x:1", "+2:x:2", "~1:y:1", "-2", "+3:x:3"].map((text) => change("a", text));
    await job(warehouse, changes, {
      observer: { started() {}, progress() {}, committed() {}, notice: (text) => void notices.push(text) },
    });
    expect(failing.size).toBeGreaterThan(4);
    expect(notices.some((text) => text.startsWith("waiting for the store"))).toBe(true);
    expect(await rowsOf(warehouse)).toEqual(["1|y|1", "3|x|3"]);
  });
});

describe("a job whose time is over", () => {
  it.each(["before", "behind"])("ends within a while when its store has gone %s its start", async (when) => {
    const warehouse = memoryWarehouse("object-store");
    const clock = simulatedClock(Date.UTC(2026, 0, 1));
    let gone = when === "before";
    warehouse.fault = (operation) => {
      if (gone && !operation.startsWith("read")) throw storeGone();
    };
    const ended = job(warehouse, [change("a", "+1:x:1")], {
      runtime: { ...virtualRuntime(5), clock },
      end: { caughtUp: false, afterMs: 60_000, maxRows: null },
      observer: { started: () => void (gone = true), progress() {}, committed() {}, notice() {} },
    });
    let endedMs: number | null = null;
    const code = ended.then(
      () => null,
      (error: FrazilError) => {
        endedMs = clock.monotonicMs() - Date.UTC(2026, 0, 1);
        return error.code;
      },
    );
    await clock.advance(300_000);
    expect(endedMs).toBeGreaterThanOrEqual(60_000);
    expect(endedMs).toBeLessThanOrEqual(100_000);
    // The ledger, or a data file.
    expect(await code).toMatch(/^(LEDGER_WRITE|STORE_GONE)$/);
  });
});

describe("where reading begins", () => {
  const at = (points: Record<string, string>): Position => new Map(Object.entries(points));

  it("is the policy's for a new pipeline and for new streams", () => {
    expect(startPoints(null, at({ "t/0": "9" }), [])).toEqual(at({ "t/0": "9" }));
    expect(startPoints(at({ "t/0": "5" }), at({ "t/0": "9", "u/0": "7" }), ["t/0"])).toEqual(
      at({ "t/0": "5", "u/0": "7" }),
    );
  });

  it("is the very start for a new split of a known stream, also of one that only some table knows", () => {
    expect(startPoints(at({ "t/0": "5" }), at({ "t/1": "9" }), ["t/0"])).toEqual(at({ "t/0": "5" }));
    expect(startPoints(at({ "t/0": "5" }), at({ "u/0": "9" }), ["t/0", "u/0"])).toEqual(at({ "t/0": "5" }));
  });
});
