import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planRollback, type RollbackPlan, type RollbackRequest } from "../../../src/commit/rollback-plan.ts";
import { rollBack, type RollbackContext } from "../../../src/commit/rollback.ts";
import { readStamp } from "../../../src/commit/stamp.ts";
import {
  type CommitOutcome,
  currentSnapshot,
  type LoadedTable,
  type Snapshot,
  snapshotById,
  type TableChange,
} from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, storeGone, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import type { ScriptedChange } from "../../support/script-source.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const RULES = [upsertRule("a"), upsertRule("b")];
const rowsOf = (warehouse: Warehouse, name: string) =>
  tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name });
const load = async (warehouse: Warehouse, name: string): Promise<LoadedTable> =>
  (await warehouse.catalog.loadTable({ namespace: ["shop"], name }))!;
const headOf = async (warehouse: Warehouse, name: string): Promise<Snapshot> =>
  currentSnapshot((await load(warehouse, name)).metadata)!;

let seeds = 1000;

function contextOf({ io, catalog }: Warehouse): RollbackContext {
  return { io, catalog, warehouseLocation: "mem://w", runtime: virtualRuntime(++seeds) };
}

async function rollback(warehouse: Warehouse, request: RollbackRequest): Promise<void> {
  const context = contextOf(warehouse);
  await rollBack(context, await planRollback(context, request));
}

/** One table back to a snapshot of its own. */
async function tableBack(warehouse: Warehouse, name: string, target: Snapshot, keepPosition = false): Promise<void> {
  await rollback(warehouse, { table: await load(warehouse, name), target, keepPosition });
}

function planBack(context: RollbackContext, snapshotId: bigint, keepPosition = false): Promise<RollbackPlan> {
  const find = (table: LoadedTable) => snapshotById(table.metadata, snapshotId);
  return planRollback(context, { pipeline: "test", find, keepPosition });
}

/** All tables of the pipeline back to the checkpoint that left a snapshot behind. */
async function pipelineBack(warehouse: Warehouse, { snapshotId }: Snapshot, keepPosition = false): Promise<void> {
  const context = contextOf(warehouse);
  await rollBack(context, await planBack(context, snapshotId, keepPosition));
}

/** Starts a process that reads on in the changelog from where the tables stand. */
async function replay(warehouse: Warehouse, log: readonly ScriptedChange[]): Promise<Process> {
  const process = await Process.start(warehouse, RULES);
  await process.checkpoint(log.slice(Number(process.reached.get("t/0"))));
  return process;
}

/** What the table of a stream holds after these changes. */
function expected(log: readonly ScriptedChange[], stream: string): string[] {
  const rows = new Map<bigint, string>();
  for (const each of log) {
    if (each.stream !== stream) continue;
    if (each.op === "delete") rows.delete(each.id);
    else rows.set(each.id, `${each.id}|${each.part}|${each.value}`);
  }
  return [...rows.values()].sort();
}

const a = (text: string) => change("a", text);
const b = (text: string) => change("b", text);

describe.each(["memory", "object-store"] as const)("a rollback on a catalog of kind %s", (kind) => {
  it("is a new snapshot on the target, under a new epoch, at the target's position", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([a("+1:x:1"), a("+2:x:2")]);
    const target = await headOf(warehouse, "a");
    await process.checkpoint([a("~1:x:10"), a("-2"), a("+3:x:3")]);
    const before = await headOf(warehouse, "a");
    await tableBack(warehouse, "a", target);

    const { metadata } = await load(warehouse, "a");
    const head = currentSnapshot(metadata)!;
    expect([target.snapshotId, before.snapshotId]).not.toContain(head.snapshotId);
    expect(head.parentSnapshotId).toBe(target.snapshotId);
    expect(head.sequenceNumber).toBe(before.sequenceNumber + 1n);
    expect(head.summary.get("ingest.rollback-to")).toBe(String(target.snapshotId));
    expect(readStamp(head)).toMatchObject({
      epoch: readStamp(before)!.epoch + 1n,
      position: new Map([["t/0", "2"]]),
    });
    expect(metadata.refs.get("ingest.test")?.snapshotId).toBe(head.snapshotId);
    // The vector that deleted row 2 and the new version of row 1 are gone.
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|2"]);
  });

  it("fences a running process, and the next one replays from there", async () => {
    const warehouse = memoryWarehouse(kind);
    const log = [a("+1:x:1"), a("~1:x:2"), a("+2:x:2"), a("-1")];
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint(log.slice(0, 1));
    const target = await headOf(warehouse, "a");
    await process.checkpoint(log.slice(1, 3));
    await tableBack(warehouse, "a", target);
    await expect(process.checkpoint(log.slice(3))).rejects.toMatchObject({ kind: "fenced" });
    await expect(process.committer.checkStillOwner()).rejects.toMatchObject({ kind: "fenced" });

    const next = await Process.start(warehouse, RULES);
    expect(next.reached).toEqual(new Map([["t/0", "1"]]));
    await next.checkpoint(log.slice(1));
    expect(await rowsOf(warehouse, "a")).toEqual(["2|x|2"]);
  });

  it("takes all tables of a pipeline to one checkpoint, one that was created later to nothing", async () => {
    const warehouse = memoryWarehouse(kind);
    const log = [a("+1:x:1"), a("~1:x:2"), b("+1:y:1"), a("+2:x:2"), b("~1:y:2")];
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint(log.slice(0, 1));
    const target = await headOf(warehouse, "a");
    await process.checkpoint(log.slice(1, 3));
    await process.checkpoint(log.slice(3));
    await pipelineBack(warehouse, target);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1"]);
    expect(await rowsOf(warehouse, "b")).toEqual([]);
    const next = await replay(warehouse, log);
    expect(next.reached.get("t/0")).toBe("5");
    expect(await rowsOf(warehouse, "a")).toEqual(expected(log, "a"));
    expect(await rowsOf(warehouse, "b")).toEqual(expected(log, "b"));
  });

  it("takes no older state for a checkpoint's that has been expired", async () => {
    const warehouse = memoryWarehouse(kind);
    // The first table is the anchor, which has a snapshot of each checkpoint.
    const log = [a("+1:x:1"), b("+1:y:1"), b("+2:y:2"), a("+2:x:2"), b("+3:y:3")];
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint(log.slice(0, 2));
    await process.checkpoint(log.slice(2, 3));
    const expired = await headOf(warehouse, "b");
    await process.checkpoint(log.slice(3, 4));
    const target = await headOf(warehouse, "a");
    await process.checkpoint(log.slice(4));
    // The row of the second checkpoint would be lost: the snapshot before it is still there, as where a tag holds it.
    await new ForeignWriter(warehouse, "b").update([{ action: "remove-snapshots", snapshotIds: [expired.snapshotId] }]);
    await expect(pipelineBack(warehouse, target, true)).rejects.toMatchObject({ kind: "data", code: "NO_POSITION" });
    if (kind === "memory") {
      await expect(pipelineBack(warehouse, target)).rejects.toMatchObject({ kind: "data", code: "NO_POSITION" });
      return;
    }
    // With a position of its own the table replays what it lacks.
    await pipelineBack(warehouse, target);
    await replay(warehouse, log);
    expect(await rowsOf(warehouse, "a")).toEqual(expected(log, "a"));
    expect(await rowsOf(warehouse, "b")).toEqual(expected(log, "b"));
  });

  it("restores rows alone with its position kept", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([a("+1:x:1"), b("+1:y:1")]);
    const target = await headOf(warehouse, "a");
    await process.checkpoint([a("~1:x:2"), b("~1:y:2")]);
    await tableBack(warehouse, "a", target, true);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1"]);
    expect(await rowsOf(warehouse, "b")).toEqual(["1|y|2"]);
    await expect(process.checkpoint([b("+5:y:5")])).rejects.toMatchObject({ kind: "fenced" });
    const next = await Process.start(warehouse, RULES);
    expect(next.reached).toEqual(new Map([["t/0", "4"]]));
    await next.checkpoint([a("~1:x:3"), a("+2:x:2")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|3", "2|x|2"]);
  });

  it("can itself be taken back", async () => {
    const warehouse = memoryWarehouse(kind);
    const log = [a("+1:x:1"), a("~1:x:2"), b("+1:y:1"), a("+2:x:2")];
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint(log.slice(0, 1));
    const target = await headOf(warehouse, "a");
    await process.checkpoint(log.slice(1, 3));
    const later = await headOf(warehouse, "a");
    await pipelineBack(warehouse, target);
    await pipelineBack(warehouse, later);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|2"]);
    expect(await rowsOf(warehouse, "b")).toEqual(["1|y|1"]);
    const next = await Process.start(warehouse, RULES);
    expect(next.reached).toEqual(new Map([["t/0", "3"]]));
    await next.checkpoint(log.slice(3));
    expect(await rowsOf(warehouse, "a")).toEqual(expected(log, "a"));
  });

  it("mends a table whose main somebody set back by hand", async () => {
    const warehouse = memoryWarehouse(kind);
    const log = [a("+1:x:1"), a("+2:x:2")];
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint(log.slice(0, 1));
    const target = await headOf(warehouse, "a");
    await process.checkpoint(log.slice(1));
    await new ForeignWriter(warehouse, "a").rollback(target.snapshotId);
    await expect(Process.start(warehouse, RULES)).rejects.toMatchObject({ code: "TABLE_ROLLED_BACK" });
    await tableBack(warehouse, "a", target);
    await replay(warehouse, log);
    expect(await rowsOf(warehouse, "a")).toEqual(expected(log, "a"));
  });

  it("is done once when its answer is lost", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([a("+1:x:1")]);
    const target = await headOf(warehouse, "a");
    await process.checkpoint([a("+2:x:2")]);
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    let left = 1;
    catalog.commit = async (changes, claim): Promise<CommitOutcome> => {
      const outcome = await commit(changes, claim);
      return left-- > 0 ? { outcome: "unknown", cause: storeGone() } : outcome;
    };
    const { length } = (await load(warehouse, "a")).metadata.snapshots;
    await tableBack(warehouse, "a", target);
    expect((await load(warehouse, "a")).metadata.snapshots).toHaveLength(length + 1);
  });

  it("gives way to a process that starts while it is under way", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([a("+1:x:1")]);
    const target = await headOf(warehouse, "a");
    await process.checkpoint([a("+2:x:2")]);
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    let started = false;
    catalog.commit = async (changes, claim) => {
      if (!started) {
        started = true;
        await Process.start(warehouse, RULES);
      }
      return commit(changes, claim);
    };
    await expect(tableBack(warehouse, "a", target)).rejects.toMatchObject({ kind: "fenced" });
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|2"]);
  });

  it("after any history leaves tables that a replay completes", async () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.array(
          fc.record({ stream: fc.constantFrom("a", "b"), op: fc.constantFrom("+", "~", "-"), id: fc.nat(4) }),
          { minLength: 1, maxLength: 4 },
        ),
      },
      { weight: 2, arbitrary: fc.record({ whole: fc.boolean(), pick: fc.nat() }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async (steps) => {
        const warehouse = memoryWarehouse(kind);
        const log: ScriptedChange[] = [a("+0:x:0")];
        let process = await replay(warehouse, log);
        for (const each of steps) {
          if (Array.isArray(each)) {
            log.push(...each.map(({ stream, op, id }) => change(stream, `${op}${id}:x:${log.length}`)));
            await process.checkpoint(log.slice(Number(process.reached.get("t/0"))));
            continue;
          }
          const { snapshots } = (await load(warehouse, "a")).metadata;
          const target = snapshots[each.pick % snapshots.length]!;
          if (each.whole || kind === "memory") await pipelineBack(warehouse, target);
          else await tableBack(warehouse, "a", target);
          process = await Process.start(warehouse, RULES);
        }
        await process.checkpoint(log.slice(Number(process.reached.get("t/0"))));
        expect(await rowsOf(warehouse, "a")).toEqual(expected(log, "a"));
        expect(await rowsOf(warehouse, "b")).toEqual(expected(log, "b"));
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });
});

describe("a rollback of one table of several", () => {
  it("names the two ways where all are committed together", async () => {
    const warehouse = memoryWarehouse("memory");
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([a("+1:x:1"), b("+1:y:1")]);
    const target = await headOf(warehouse, "b");
    const snapshots = (await load(warehouse, "b")).metadata.snapshots.length;
    await expect(tableBack(warehouse, "b", target)).rejects.toMatchObject({
      code: "ROLLBACK_CHOICE",
      hint: expect.stringMatching(/--pipeline test.*--keep-position/) as string,
    });
    expect((await load(warehouse, "b")).metadata.snapshots).toHaveLength(snapshots);
  });

  it("leaves the others where they are where each has its own position", async () => {
    const warehouse = memoryWarehouse("object-store");
    const log = [a("+1:x:1"), b("+1:y:1"), b("~1:y:2"), a("~1:x:2")];
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint(log.slice(0, 2));
    const target = await headOf(warehouse, "b");
    await process.checkpoint(log.slice(2));
    await tableBack(warehouse, "b", target);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|2"]);
    const next = await Process.start(warehouse, RULES);
    expect(next.reached).toEqual(new Map([["t/0", "2"]]));
    await next.checkpoint(log.slice(2));
    expect(await rowsOf(warehouse, "b")).toEqual(expected(log, "b"));
    // Nothing of the other table was written twice.
    expect(await rowsOf(warehouse, "a")).toEqual(expected(log, "a"));
  });
});

// Seed 30958 of the simulation: planned with one table, carried out with three, of which the first alone went back.
describe.each(["memory", "object-store"] as const)("tables opened between plan and rollback, catalog %s", (kind) => {
  const log = [a("+1:x:1"), a("~1:x:2"), b("+1:y:1"), a("~1:x:3"), b("~1:y:3")];

  it("have the rollback refused, and nothing is changed; planned anew, all go back", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint(log.slice(0, 1));
    const target = await headOf(warehouse, "a");
    await process.checkpoint(log.slice(1, 2));
    const plan = await planBack(contextOf(warehouse), target.snapshotId);
    await process.checkpoint(log.slice(2, 3));
    await expect(rollBack(contextOf(warehouse), plan)).rejects.toMatchObject({
      kind: "conflict",
      code: "TABLES_OPENED",
      message: "the job test has opened shop.b since this was planned for shop.a",
    });
    // The process has not been fenced.
    await process.checkpoint(log.slice(3));
    expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|3"], ["1|y|3"]]);

    await pipelineBack(warehouse, target);
    expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|1"], []]);
    await replay(warehouse, log);
    expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|3"], ["1|y|3"]]);
  });
});

describe.each(["memory", "object-store"] as const)("checkpoints between plan and rollback, catalog %s", (kind) => {
  it("leave the rollback a number behind them all: a lower one would look like a table put back", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([a("+1:x:1"), b("+1:y:1")]);
    const target = await headOf(warehouse, "a");
    await process.checkpoint([a("~1:x:2")]);
    const plan = await planBack(contextOf(warehouse), target.snapshotId);
    for (let value = 3; value < 6; value++) await process.checkpoint([a(`~1:x:${value}`), b(`~1:y:${value}`)]);
    const last = readStamp(await headOf(warehouse, "a"))!.checkpoint;
    await rollBack(contextOf(warehouse), plan);
    for (const name of ["a", "b"]) {
      expect(readStamp(await headOf(warehouse, name))!.checkpoint).toBeGreaterThan(last);
    }
    expect((await Process.start(warehouse, RULES)).reached).toEqual(new Map([["t/0", "2"]]));
  });
});

describe("tables opened between two attempts of a rollback", () => {
  it("have it refused, where one commit spans all tables", async () => {
    const warehouse = memoryWarehouse("memory");
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([a("+1:x:1")]);
    const target = await headOf(warehouse, "a");
    await process.checkpoint([a("~1:x:2")]);
    const context = contextOf(warehouse);
    const plan = await planBack(context, target.snapshotId);
    const catalog = new Proxy(context.catalog, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (property !== "commit") return typeof value === "function" ? (value.bind(target) as unknown) : value;
        return async (changes: readonly TableChange[]): Promise<CommitOutcome> => {
          await process.checkpoint([b("+1:y:1"), a("~1:x:3")]);
          return target.commit(changes);
        };
      },
    });
    await expect(rollBack({ ...context, catalog }, plan)).rejects.toMatchObject({ code: "TABLES_OPENED" });
    expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|3"], ["1|y|1"]]);
  });
});

describe("a table that no pipeline writes to", () => {
  it("goes back to a snapshot without a stamp", async () => {
    const warehouse = memoryWarehouse("memory");
    const process = await Process.start(warehouse, [upsertRule("a")]);
    await process.checkpoint([a("+1:x:1")]);
    const { ident, metadata } = await load(warehouse, "a");
    await warehouse.catalog.commit([
      {
        ident,
        requirements: [],
        updates: [
          { action: "remove-snapshot-ref", name: "ingest.test" },
          { action: "remove-properties", removals: ["ingest.test"] },
        ],
      },
    ]);
    const target = currentSnapshot(metadata)!;
    await new ForeignWriter(warehouse, "a").append([{ id: 2n, part: "f", value: 2n }]);
    await tableBack(warehouse, "a", target);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1"]);
    expect(readStamp(await headOf(warehouse, "a"))).toBeNull();
  });
});

describe("a table that a job opens while it replays", () => {
  it("has its rows after a crash behind the opening, though the ledger was further than that before", async () => {
    const warehouse = memoryWarehouse("object-store");
    const log = [a("+1:x:1"), b("+1:y:1"), a("+2:x:2")];
    const first = await Process.start(warehouse, [upsertRule("a")]);
    await first.checkpoint(log.slice(0, 1));
    const target = await headOf(warehouse, "a");
    // The job did not take b yet.
    await first.checkpoint([a("-9"), a("+2:x:2")]);
    await pipelineBack(warehouse, target);

    const next = await Process.start(warehouse, RULES, undefined, undefined, {
      onStep(step) {
        if (step === "put.data") throw new Error("crash");
      },
    });
    await expect(next.checkpoint(log.slice(1))).rejects.toThrow("crash");
    expect(await load(warehouse, "b")).not.toBeNull();

    await replay(warehouse, log);
    expect(await rowsOf(warehouse, "b")).toEqual(["1|y|1"]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|2"]);
  });
});
