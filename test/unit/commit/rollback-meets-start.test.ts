import { describe, expect, it } from "vitest";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { rollBack, type RollbackContext } from "../../../src/commit/rollback.ts";
import { currentSnapshot, type LoadedTable, type Snapshot } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const RULES = [upsertRule("a"), upsertRule("b")];
/** `a` is the anchor. */
const LOG = [
  change("a", "+1:x:1"),
  change("b", "+2:x:2"),
  change("c", "+9:x:9"),
  change("a", "+3:x:3"),
  change("b", "+4:x:4"),
];
/** As a job reads it that does not ask for `c`. */
const WITHOUT_C = LOG.map((each) => (each.stream === "c" ? change("a", "-9") : each));

const load = async ({ catalog }: Warehouse, name: string): Promise<LoadedTable> =>
  (await catalog.loadTable({ namespace: ["shop"], name }))!;
const rowsOf = ({ io, catalog }: Warehouse, name: string) => tableRows(io, catalog, { namespace: ["shop"], name });
const contextOf = ({ io, catalog }: Warehouse): RollbackContext => ({
  ...{ io, catalog, warehouseLocation: "mem://w", runtime: virtualRuntime(77) },
});

/** Two checkpoints of two tables, and a plan to take one of them back to the first. */
async function planned(name: "a" | "b") {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, RULES);
  await process.checkpoint(WITHOUT_C.slice(0, 2));
  const target = currentSnapshot((await load(warehouse, name)).metadata) as Snapshot;
  await process.checkpoint(WITHOUT_C.slice(2));
  const context = contextOf(warehouse);
  const plan = await planRollback(context, { table: await load(warehouse, name), target, keepPosition: false });
  return { warehouse, rollback: () => rollBack(context, plan) };
}

describe("a start and a rollback that take the same epoch both stop", () => {
  it.each([
    ["b", "table shop.b", "table shop.a"],
    ["a", "the ledger", "table shop.a"],
  ] as const)("while %s goes back: the start at %s, the rollback at %s", async (name, ofStart, ofRollback) => {
    const { warehouse, rollback } = await planned(name);
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    let commits = 0;
    let rolledBack: Promise<unknown> = Promise.resolve();
    catalog.commit = async (changes, claim) => {
      const outcome = await commit(changes, claim);
      // The anchor is under the start's epoch, and nothing else is.
      if (commits++ === 0) {
        rolledBack = rollback().catch((error: unknown) => error);
        await rolledBack;
      }
      return outcome;
    };
    const started = await Process.start(warehouse, RULES).catch((error: unknown) => error);
    expect(started).toMatchObject({ kind: "fenced", message: expect.stringContaining(`${ofStart} is under epoch`) });
    expect(await rolledBack).toMatchObject({
      ...{ kind: "fenced", message: expect.stringContaining(`${ofRollback} is under epoch`) },
    });
    const next = await Process.start(warehouse, RULES);
    await next.checkpoint(WITHOUT_C.slice(Number(next.reached.get("t/0"))));
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "3|x|3"]);
    expect(await rowsOf(warehouse, "b")).toEqual(["2|x|2", "4|x|4"]);
  });
});

it("a rollback stops when a process starts between its look at a table and its commit", async () => {
  const { warehouse, rollback } = await planned("a");
  const { catalog } = warehouse;
  const commit = catalog.commit.bind(catalog);
  const started: Process[] = [];
  catalog.commit = async (changes, claim) => {
    catalog.commit = commit;
    started.push(await Process.start(warehouse, RULES));
    return commit(changes, claim);
  };
  await expect(rollback()).rejects.toMatchObject({ kind: "fenced" });
  const [process] = started as [Process];
  await process.committer.checkStillOwner();
  await process.checkpoint(WITHOUT_C.slice(Number(process.reached.get("t/0"))));
  expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "3|x|3"]);
});

it("a table that is opened while another one catches up after a rollback has its rows, though the ledger was further", async () => {
  const { warehouse, rollback } = await planned("b");
  await rollback();
  const process = await Process.start(warehouse, [...RULES, upsertRule("c")]);
  expect(process.reached.get("t/0")).toBe("2");
  process.runtime.onStep = (name) => {
    if (name === "commit.sent") throw new Error("crash");
  };
  await expect(process.checkpoint(LOG.slice(2, 3))).rejects.toThrow("crash");
  const next = await Process.start(warehouse, [...RULES, upsertRule("c")]);
  await next.checkpoint(LOG.slice(Number(next.reached.get("t/0"))));
  expect(await rowsOf(warehouse, "c")).toEqual(["9|x|9"]);
  expect(await rowsOf(warehouse, "b")).toEqual(["2|x|2", "4|x|4"]);
});
