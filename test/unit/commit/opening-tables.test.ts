import { describe, expect, it } from "vitest";
import type { CommitOutcome } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, storeGone, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { tableRows } from "../../support/table-rows.ts";

const RULES = [upsertRule("a"), upsertRule("b")];
const rowsOf = (warehouse: Warehouse, name: string) =>
  tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name });

const LEDGER = "mem://w/_ingest/test/ledger.json";

describe.each(["memory", "object-store"] as const)("opening tables on a catalog of kind %s", (kind) => {
  it("is not fenced by its own creation when the answer is lost and the store goes away", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    const load = catalog.loadTable.bind(catalog);
    let commits = 0;
    let unreadable = 0;
    catalog.commit = async (changes, claim): Promise<CommitOutcome> => {
      const outcome = await commit(changes, claim);
      if (commits++ > 0) return outcome;
      unreadable = 3;
      return { outcome: "unknown", cause: storeGone() };
    };
    catalog.loadTable = async (ident) => {
      if (unreadable-- > 0) throw storeGone();
      return load(ident);
    };
    await process.checkpoint([change("a", "+1:x:1")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1"]);
  });

  it("takes over the table of a process that crashed after creating it, and skips what it holds", async () => {
    const warehouse = memoryWarehouse(kind);
    const first = await Process.start(warehouse, RULES);
    await first.checkpoint([change("a", "+1:x:1")]);
    const second = await Process.start(warehouse, RULES);
    // The older process opens another table after the newer one has looked.
    await expect(first.checkpoint([change("b", "+2:x:2")])).rejects.toMatchObject({ kind: "fenced" });
    await second.checkpoint([change("b", "+2:x:2")]);
    expect(await rowsOf(warehouse, "b")).toEqual(["2|x|2"]);
    expect(second.committer.tables.get("shop.b")?.position).toEqual(new Map([["t/0", "2"]]));
  });
});

describe("the first table on an object store", () => {
  // Simulation, seed 47281: the second one ended, as if the ledger had been lost.
  it("is taken over by a process that looked for the ledger before it was there", async () => {
    const warehouse = memoryWarehouse("object-store");
    const first = await Process.start(warehouse, RULES);
    const { catalog } = warehouse;
    const list = catalog.listNamespaces.bind(catalog);
    let looks = 0;
    catalog.listNamespaces = async () => {
      if (looks++ === 0) await first.checkpoint([change("a", "+1:x:1")]);
      return list();
    };
    const second = await Process.start(warehouse, RULES);
    expect(second.reached).toEqual(new Map([["t/0", "1"]]));
    await expect(first.checkpoint([change("a", "+2:x:2")])).rejects.toMatchObject({ kind: "fenced" });
    await second.checkpoint([change("a", "+2:x:2")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|2"]);
  });

  it.each(["create", "replace"])("waits while the ledger cannot be written (%s)", async (operation) => {
    const warehouse = memoryWarehouse("object-store");
    const process = await Process.start(warehouse, RULES);
    let left = 2;
    warehouse.fault = (asked, location) => {
      if (location === LEDGER && asked === operation && left-- > 0) throw storeGone();
    };
    await process.checkpoint([change("a", "+1:x:1")]);
    expect(left).toBeLessThan(0);
    await process.checkpoint([change("b", "+2:x:2")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1"]);
    expect(await rowsOf(warehouse, "b")).toEqual(["2|x|2"]);
  });

  it("waits while the ledger cannot be read nor written", async () => {
    const warehouse = memoryWarehouse("object-store");
    const process = await Process.start(warehouse, RULES);
    for (const text of ["+1:x:1", "+2:x:2"]) {
      let left = 5;
      warehouse.fault = (asked, location) => {
        if (location === LEDGER && left-- > 0) throw storeGone();
      };
      await process.checkpoint([change("a", text)]);
      expect(left).toBeLessThan(0);
    }
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|2"]);
  });

  it("may be one that exists, also when a crash comes between naming and adopting it", async () => {
    const warehouse = memoryWarehouse("object-store");
    const other = await Process.start(warehouse, RULES);
    await other.checkpoint([change("a", "+1:x:1")]);
    // Without tag and mark the table is anybody's.
    await new ForeignWriter(warehouse, "a").update([
      { action: "remove-snapshot-ref", name: "ingest.test" },
      { action: "remove-properties", removals: ["ingest.test"] },
    ]);
    await warehouse.io.delete(LEDGER);
    const crashed = await Process.start(warehouse, RULES);
    crashed.runtime.onStep = (name) => {
      if (name === "create.sent") throw new Error("crash");
    };
    await expect(crashed.checkpoint([change("a", "~1:x:2")])).rejects.toThrow("crash");
    const next = await Process.start(warehouse, RULES);
    await next.checkpoint([change("a", "~1:x:2")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|2"]);
  });

  it("is claimed by one of two processes that start together with different tables", async () => {
    const warehouse = memoryWarehouse("object-store");
    const slow = await Process.start(warehouse, RULES);
    let wake = () => {};
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    let commits = 0;
    catalog.commit = async (changes, claim) => {
      const number = commits++;
      if (number === 0) await asleep;
      if (number === 1) {
        // The newer one has put its name into the ledger, and now the older one goes on.
        wake();
        await older;
      }
      return commit(changes, claim);
    };
    const older = slow.checkpoint([change("a", "+1:x:1")]).then(
      () => null,
      (error: unknown) => error,
    );
    while (commits === 0) await new Promise((resolve) => setImmediate(resolve));
    const newer = await Process.start(warehouse, RULES);
    await newer.checkpoint([change("b", "+9:x:9")]);
    expect(await older).toMatchObject({ kind: "fenced" });
    await newer.checkpoint([change("a", "+1:x:1")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1"]);
    expect(await rowsOf(warehouse, "b")).toEqual(["9|x|9"]);
  });
});
