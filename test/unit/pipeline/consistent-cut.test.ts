import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { branchCatalog } from "../../../src/commit/branch-view.ts";
import { pipelineCut } from "../../../src/commit/publish-cut.ts";
import { fastForward } from "../../../src/commit/ref-commit.ts";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { consistentCut } from "../../../src/pipeline/consistent-cut.ts";
import { ancestors, type Catalog, snapshotById } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import type { ScriptedChange } from "../../support/script-source.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const RULES = [upsertRule("a"), upsertRule("b")];
const TOTAL = 200;
let seeds = 10_000;

/** Moves money from an account in one table to one in the other: two changes that are committed in one checkpoint. */
class Bank {
  readonly warehouse: Warehouse;
  readonly log: ScriptedChange[] = [change("a", "+1:x:100"), change("b", "+1:x:100")];
  #a = 100;
  #b = 100;
  #process: Process | null = null;

  constructor(warehouse: Warehouse) {
    this.warehouse = warehouse;
  }

  transfer(amount: number): void {
    this.#a -= amount;
    this.#b += amount;
    this.log.push(change("a", `~1:x:${this.#a}`), change("b", `~1:x:${this.#b}`));
  }

  /** Commits what is not committed yet. @param crashAt the number of the request at which the process dies; 0: none. */
  async commit(crashAt: number): Promise<void> {
    let left = crashAt;
    const onStep = (step: string): void => {
      if (step === "commit.sent" && --left === 0) throw new Error("crash");
    };
    try {
      this.#process ??= await Process.start(this.warehouse, RULES);
      this.#process.runtime.onStep = onStep;
      await this.#process.checkpoint(this.log.slice(Number(this.#process.reached.get("t/0"))));
    } catch (error) {
      if ((error as Error).message !== "crash") throw error;
      this.#process = null;
    }
  }

  /** Takes the pipeline back to what an earlier checkpoint left, or table by table where each has its own position. */
  async rollBack(steps: number): Promise<void> {
    const { catalog } = this.warehouse;
    const table = (await catalog.loadTable({ namespace: ["shop"], name: "a" }))!;
    const history = [...ancestors(table.metadata, table.metadata.currentSnapshotId!)];
    const target = history[Math.min(steps, history.length - 2)]!;
    const place = { ...this.warehouse, warehouseLocation: "mem://w", runtime: virtualRuntime(++seeds) };
    const find = (other: typeof table) => snapshotById(other.metadata, target.snapshotId);
    await rollBack(place, await planRollback(place, { pipeline: "test", find, keepPosition: false }));
    this.#process = null;
  }

  /** The sum over both tables in the newest cut; null while there is none. */
  async sum(catalog: Catalog = this.warehouse.catalog): Promise<number | null> {
    const place = { ...this.warehouse, catalog, warehouseLocation: "mem://w", pipeline: "test" };
    const cut = await consistentCut(place).catch((error: { code?: string }) => {
      if (error.code === "NO_CUT") return null;
      throw error;
    });
    if (cut === null) return null;
    let sum = 0;
    for (const [name, snapshotId] of cut.tables) {
      for (const row of await this.#rowsAt(name.slice("shop.".length), snapshotId)) sum += Number(row.split("|")[2]);
    }
    return sum;
  }

  async #rowsAt(name: string, snapshotId: bigint): Promise<string[]> {
    const { io, catalog } = this.warehouse;
    const ident = { namespace: ["shop"], name };
    const table = (await catalog.loadTable(ident))!;
    const at = { ...table, metadata: { ...table.metadata, currentSnapshotId: snapshotId } };
    return tableRows(io, new Proxy(catalog, { get: () => async () => at }), ident);
  }
}

/** The bank's catalog, in which something else happens before the n-th load of a table. */
function raced(bank: Bank, atLoad: number, act: () => Promise<void>): Catalog {
  let loads = atLoad;
  return new Proxy(bank.warehouse.catalog, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (property !== "loadTable") return typeof value === "function" ? (value.bind(target) as unknown) : value;
      return async (ident: Parameters<Catalog["loadTable"]>[0]) => {
        if (--loads === 0) await act();
        return target.loadTable(ident);
      };
    },
  });
}

it("is that of main, where the job writes to a branch, and none where main is of several checkpoints", async () => {
  const warehouse = memoryWarehouse("memory");
  const place = { ...warehouse, warehouseLocation: "mem://w", pipeline: "test" };
  const process = await Process.start({ ...warehouse, catalog: branchCatalog(warehouse.catalog, "audit") }, RULES);
  const publish = async (names: readonly string[]): Promise<void> => {
    const idents = names.map((name) => ({ namespace: ["shop"], name }));
    const cut = await pipelineCut(place, "audit", () => idents);
    const advances = cut.map(({ table, snapshot }) => ({ table, snapshotId: snapshot.snapshotId }));
    await fastForward({ ...warehouse, runtime: virtualRuntime(++seeds) }, advances, "main", "audit");
  };
  await process.checkpoint([change("a", "+1:x:1"), change("b", "+1:x:1")]);
  await expect(consistentCut(place)).rejects.toMatchObject({ code: "UNPUBLISHED" });
  await publish(["a", "b"]);
  const published = await consistentCut(place);
  await process.checkpoint([change("a", "~1:x:2"), change("b", "~1:x:2")]);
  expect(await consistentCut(place)).toEqual(published);
  expect(published.position.get("t/0")).toBe("2");
  await publish(["a"]);
  await expect(consistentCut(place)).rejects.toMatchObject({ code: "UNPUBLISHED" });
  await publish(["b"]);
  expect((await consistentCut(place)).position.get("t/0")).toBe("4");
});

describe.each(["memory", "object-store"] as const)("a consistent cut on a catalog of kind %s", (kind) => {
  it("sums to the same whatever crashes, is rolled back, or commits while it is read", async () => {
    const action = fc.record({
      amount: fc.integer({ min: 1, max: 50 }),
      crashAt: fc.integer({ min: 0, max: 3 }),
      rollBack: fc.option(fc.integer({ min: 0, max: 4 }), { freq: 6 }),
      compact: fc.boolean(),
      raceAtLoad: fc.integer({ min: 0, max: 5 }),
      race: fc.constantFrom("commit", "rollback"),
    });
    const run = async (
      actions: readonly (typeof action extends fc.Arbitrary<infer T> ? T : never)[],
    ): Promise<void> => {
      const bank = new Bank(memoryWarehouse(kind));
      await bank.commit(0);
      let cuts = 0;
      for (const step of actions) {
        bank.transfer(step.amount);
        await bank.commit(step.crashAt);
        if (step.compact) await new ForeignWriter(bank.warehouse, "a").compact();
        if (step.rollBack !== null) await bank.rollBack(step.rollBack);
        const racing = raced(bank, step.raceAtLoad, async () => {
          bank.transfer(1);
          if (step.race === "rollback") await bank.rollBack(1);
          else await bank.commit(0);
        });
        const sum = await bank.sum(racing);
        if (sum !== null) cuts++;
        expect([TOTAL, null]).toContain(sum);
      }
      await bank.commit(0);
      expect(await bank.sum()).toBe(TOTAL);
      if (kind === "memory") expect(cuts).toBe(actions.length);
    };
    await fc.assert(fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 6 }), run), { numRuns: 25, seed: 5 });
  }, 60_000);

  it("is not torn by a rollback between two of its tables", async () => {
    for (let atLoad = 1; atLoad <= 6; atLoad++) {
      const bank = new Bank(memoryWarehouse(kind));
      await bank.commit(0);
      bank.transfer(10);
      await bank.commit(0);
      bank.transfer(20);
      await bank.commit(0);
      expect([TOTAL, null]).toContain(await bank.sum(raced(bank, atLoad, () => bank.rollBack(1))));
    }
  });
});
