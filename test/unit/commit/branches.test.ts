import { describe, expect, it } from "vitest";
import { branchCatalog } from "../../../src/commit/branch-view.ts";
import { pipelineCut } from "../../../src/commit/publish-cut.ts";
import { checkForward, createBranch, dropBranch, fastForward } from "../../../src/commit/ref-commit.ts";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { writersCatalog } from "../../../src/commit/writer-branch.ts";
import { tableAsOf } from "../../../src/query/as-of.ts";
import { catalogView, currentSnapshot, type LoadedTable, refSnapshot } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { compactTable, expireTable } from "../../support/table-chain.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const RULES = [upsertRule("a"), upsertRule("b")];
const a = (text: string) => change("a", text);
const b = (text: string) => change("b", text);
const identOf = (name: string) => ({ namespace: ["shop"], name });
const load = async ({ catalog }: Pick<Warehouse, "catalog">, name: string): Promise<LoadedTable> =>
  (await catalog.loadTable(identOf(name)))!;
const rowsOf = ({ io, catalog }: Warehouse, name: string) => tableRows(io, catalog, identOf(name));
const onBranch = (warehouse: Warehouse): Warehouse => ({
  ...warehouse,
  catalog: branchCatalog(warehouse.catalog, "audit"),
});
const context = ({ catalog }: Warehouse) => ({ catalog, runtime: virtualRuntime(9002) });

async function publish(warehouse: Warehouse): Promise<number> {
  const place = { ...warehouse, warehouseLocation: "mem://w", pipeline: "test" };
  const cut = await pipelineCut(place, "audit", () => [identOf("a"), identOf("b")]);
  const advances = cut.map(({ table, snapshot }) => ({ table, snapshotId: snapshot.snapshotId }));
  await fastForward(context(warehouse), advances, "main", "audit");
  return cut.length;
}

describe.each(["memory", "object-store"] as const)("a job on a branch, on a catalog of kind %s", (kind) => {
  it("shows nothing on main before it is published", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(onBranch(warehouse), RULES);
    await process.checkpoint([a("+1:x:1"), b("+1:y:1")]);
    expect(currentSnapshot((await load(warehouse, "a")).metadata)).toBeNull();
    expect(await rowsOf(onBranch(warehouse), "a")).toEqual(["1|x|1"]);
    expect(await publish(warehouse)).toBe(2);
    await process.checkpoint([a("+2:x:2")]);
    expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|1"], ["1|y|1"]]);
    expect(await publish(warehouse)).toBeGreaterThan(0);
    expect(await publish(warehouse)).toBe(0);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|2"]);
  });

  it("takes in what others commit to main while all is published", async () => {
    const warehouse = memoryWarehouse(kind);
    const first = await Process.start(warehouse, RULES);
    await first.checkpoint([a("+1:x:1"), a("+2:x:2"), b("+1:y:1")]);
    const process = await Process.start(onBranch(warehouse), RULES);
    await process.checkpoint([a("~1:x:10"), b("~1:y:10")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|2"]);
    await publish(warehouse);
    await new ForeignWriter(warehouse, "a").replace([2n], [{ id: 7n, part: "f", value: 7n }]);
    await process.checkpoint([a("~1:x:100"), a("~7:f:70")]);
    await publish(warehouse);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|100", "7|f|70"]);
  });

  // Simulation, seed 12767: a checkpoint was planned, the table was rewritten, and the same process looked at it again.
  it("refuses what was planned on an older look than the one that it took since", async () => {
    const warehouse = memoryWarehouse(kind);
    const branch = onBranch(warehouse);
    const process = await Process.start(branch, RULES);
    await process.checkpoint([a("+1:x:1")]);
    await process.checkpoint([a("+2:x:2")]);
    await publish(warehouse);
    const { ident, metadata } = await load(branch, "a");
    const head = metadata.currentSnapshotId!;
    await compactTable(warehouse, "shop.a", 9004);
    expect((await load(branch, "a")).metadata.currentSnapshotId).not.toBe(head);
    const { outcome } = await branch.catalog.commit([
      {
        ident,
        requirements: [{ type: "assert-ref-snapshot-id", ref: "main", snapshotId: head }],
        updates: [{ action: "set-snapshot-ref", name: "main", ref: { type: "branch", snapshotId: head } }],
      },
    ]);
    expect(outcome).toBe("conflict");
  });

  it("is not published over rows that main alone holds, and over rewrites it is", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(onBranch(warehouse), RULES);
    await process.checkpoint([a("+1:x:1")]);
    await process.checkpoint([a("+2:x:2")]);
    await publish(warehouse);
    await process.checkpoint([a("~2:x:3")]);
    await compactTable(warehouse, "shop.a", 9003);
    expect(currentSnapshot((await load(warehouse, "a")).metadata)?.summary.get("operation")).toBe("replace");
    await publish(warehouse);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|3"]);
    await process.checkpoint([a("+3:x:3")]);
    await new ForeignWriter(warehouse, "a").append([{ id: 9n, part: "f", value: 9n }]);
    await expect(publish(warehouse)).rejects.toMatchObject({ kind: "data", code: "DIVERGED" });
    const table = await load(warehouse, "a");
    const hint = expect.stringContaining("frazil branch shop.a audit --delete");
    expect(() => checkForward(table, "audit", "main", table.metadata.currentSnapshotId!)).toThrow(
      expect.objectContaining({ code: "DIVERGED", hint }),
    );
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|3", "9|f|9"]);
  });

  it("gives up what is not published by a rollback to main, which fences it", async () => {
    const warehouse = memoryWarehouse(kind);
    const log = [a("+1:x:1"), a("~1:x:2"), a("+2:x:2")];
    const process = await Process.start(onBranch(warehouse), [upsertRule("a")]);
    await process.checkpoint(log.slice(0, 1));
    await publish(warehouse);
    await process.checkpoint(log.slice(1));
    const { io } = warehouse;
    const catalog = writersCatalog(warehouse.catalog, await load(warehouse, "a"));
    const place = { io, catalog, warehouseLocation: "mem://w", runtime: virtualRuntime(9001) };
    const target = currentSnapshot((await load(warehouse, "a")).metadata)!;
    await rollBack(
      place,
      await planRollback(place, { table: await load({ catalog }, "a"), target, keepPosition: false }),
    );
    const { metadata } = await load(warehouse, "a");
    expect(refSnapshot(metadata, "audit")).toEqual(currentSnapshot(metadata));
    await expect(process.checkpoint([a("+5:x:5")])).rejects.toMatchObject({ kind: "fenced" });
    const next = await Process.start(onBranch(warehouse), [upsertRule("a")]);
    expect(next.reached.get("t/0")).toBe("1");
    await next.checkpoint(log.slice(1));
    await publish(warehouse);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|2", "2|x|2"]);
  });

  it("goes on on main once all is published, and says so before", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(onBranch(warehouse), [upsertRule("a")]);
    await process.checkpoint([a("+1:x:1")]);
    await publish(warehouse);
    await process.checkpoint([a("+2:x:2")]);
    await expect(Process.start(warehouse, [upsertRule("a")])).rejects.toMatchObject({ code: "UNPUBLISHED" });
    await publish(warehouse);
    const next = await Process.start(warehouse, [upsertRule("a")]);
    await next.checkpoint([a("~2:x:20")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|20"]);
  });

  it("keeps its branch from being dropped before it is published", async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(onBranch(warehouse), [upsertRule("a")]);
    await process.checkpoint([a("+1:x:1")]);
    const drop = async () => dropBranch(context(warehouse), await load(warehouse, "a"), "audit");
    await expect(drop()).rejects.toMatchObject({ kind: "data", code: "BRANCH_IN_USE" });
    await publish(warehouse);
    await drop();
    await process.checkpoint([a("+2:x:2")]);
    expect(await rowsOf(onBranch(warehouse), "a")).toEqual(["1|x|1", "2|x|2"]);
  });
});

it("publishes no checkpoint that only some of the tables have, where they are committed one by one", async () => {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(onBranch(warehouse), RULES);
  await process.checkpoint([a("+1:x:1"), b("+1:y:1")]);
  let commits = 0;
  process.runtime.onStep = (name) => {
    if (name === "commit.answered" && ++commits === 1) throw new Error("dies between two tables");
  };
  await expect(process.checkpoint([a("~1:x:2"), b("~1:y:2")])).rejects.toThrow("dies");
  await publish(warehouse);
  expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|1"], ["1|y|1"]]);
});

it("publishes a table that is opened while the publisher looks around, with what was committed with it", async () => {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(onBranch(warehouse), RULES);
  await process.checkpoint([a("+1:x:1")]);
  let raced = false;
  const catalog = new Proxy(warehouse.catalog, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (property !== "readClaim") return typeof value === "function" ? (value.bind(target) as unknown) : value;
      return async (key: string) => {
        if (!raced) await process.checkpoint([a("~1:x:2"), b("+1:y:1")]);
        raced = true;
        return target.readClaim(key);
      };
    },
  });
  const place = { ...warehouse, catalog, warehouseLocation: "mem://w", pipeline: "test" };
  const held = () => [...process.committer.tables.values()].map(({ loaded }) => loaded.ident);
  const cut = await pipelineCut(place, "audit", held);
  expect(cut.map(({ table }) => table.ident.name)).toEqual(["a", "b"]);
});

it("publishes nothing behind a rollback of one table until the others have what it has", async () => {
  const warehouse = memoryWarehouse("object-store");
  const log = [a("+1:x:1"), b("+1:y:1"), a("~1:x:2"), b("~1:y:2"), a("~1:x:3"), b("~1:y:3")];
  const process = await Process.start(onBranch(warehouse), RULES);
  await process.checkpoint(log.slice(0, 2));
  await publish(warehouse);
  await process.checkpoint(log.slice(2, 4));
  const place = { ...onBranch(warehouse), warehouseLocation: "mem://w", runtime: virtualRuntime(9006) };
  const target = currentSnapshot((await load(place, "b")).metadata)!;
  await process.checkpoint(log.slice(4));
  const request = { table: await load(place, "b"), target, keepPosition: false };
  await rollBack(place, await planRollback(place, request));
  await publish(warehouse);
  expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|1"], ["1|y|1"]]);
  const next = await Process.start(onBranch(warehouse), RULES);
  await next.checkpoint(log.slice(Number(next.reached.get("t/0"))));
  await publish(warehouse);
  expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|3"], ["1|y|3"]]);
});

it("takes back what somebody publishes during the rollback", async () => {
  const warehouse = memoryWarehouse("object-store");
  const log = [a("+1:x:1"), a("~1:x:2"), a("~1:x:3")];
  const process = await Process.start(onBranch(warehouse), [upsertRule("a")]);
  await process.checkpoint(log.slice(0, 1));
  await publish(warehouse);
  await process.checkpoint(log.slice(1, 2));
  const { catalog } = onBranch(warehouse);
  let published = false;
  const commit: typeof catalog.commit = async (...given) => {
    if (!published) await fastForward(context(warehouse), [newest], "main", "audit");
    published = true;
    return catalog.commit(...given);
  };
  const place = {
    ...warehouse,
    catalog: { ...catalog, commit },
    warehouseLocation: "mem://w",
    runtime: virtualRuntime(9007),
  };
  const target = currentSnapshot((await load(place, "a")).metadata)!;
  await process.checkpoint(log.slice(2));
  const table = await load(warehouse, "a");
  const newest = { table, snapshotId: table.metadata.refs.get("audit")!.snapshotId };
  const request = { table: await load(place, "a"), target, keepPosition: false };
  await rollBack(place, await planRollback(place, request));
  expect(published).toBe(true);
  const next = await Process.start(onBranch(warehouse), [upsertRule("a")]);
  await next.checkpoint(log.slice(Number(next.reached.get("t/0"))));
  await publish(warehouse);
  expect(await rowsOf(warehouse, "a")).toEqual(["1|x|3"]);
});

it("takes back what is not published, also where the first table of the job is on main", async () => {
  const warehouse = memoryWarehouse("memory");
  const catalog = branchCatalog(warehouse.catalog, "audit", ({ name }) => name !== "a");
  const shown = { ...warehouse, catalog };
  const process = await Process.start(shown, RULES);
  await process.checkpoint([a("+1:x:1"), b("+1:y:1")]);
  expect(await publish(warehouse)).toBe(1);
  await process.checkpoint([a("~1:x:2"), b("~1:y:2")]);
  const place = { ...shown, warehouseLocation: "mem://w", runtime: virtualRuntime(9004) };
  const find = (table: LoadedTable) => tableAsOf(table, "main").snapshot;
  await rollBack(place, await planRollback(place, { pipeline: "test", find, keepPosition: false }));
  expect([await rowsOf(shown, "a"), await rowsOf(shown, "b")]).toEqual([["1|x|1"], ["1|y|1"]]);
  expect((await Process.start(shown, RULES)).reached.get("t/0")).toBe("2");
});

it("loses none of its own rows where both lines go back to what they share", async () => {
  const warehouse = memoryWarehouse("memory");
  const log = [a("+1:x:1"), a("+2:x:2")];
  const process = await Process.start(onBranch(warehouse), [upsertRule("a")]);
  await process.checkpoint(log.slice(0, 1));
  await publish(warehouse);
  const target = currentSnapshot((await load(warehouse, "a")).metadata)!;
  await process.checkpoint(log.slice(1));
  await new ForeignWriter(warehouse, "a").append([{ id: 9n, part: "f", value: 9n }]);
  const place = { ...onBranch(warehouse), warehouseLocation: "mem://w", runtime: virtualRuntime(9005) };
  const request = { table: await load(place, "a"), target, keepPosition: false };
  await rollBack(place, await planRollback(place, request));
  const next = await Process.start(onBranch(warehouse), [upsertRule("a")]);
  await next.checkpoint(log.slice(Number(next.reached.get("t/0"))));
  await publish(warehouse);
  expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|2"]);
});

// Simulation, seed 19631: `main` stayed where it was, and nothing could be published any more.
it("takes main back to a snapshot that a tag holds below history that has expired", async () => {
  const warehouse = memoryWarehouse("memory");
  const log = ["+1:x:1", "~1:x:2", "~1:x:3", "~1:x:4"].map(a);
  const process = await Process.start(onBranch(warehouse), [upsertRule("a")]);
  await process.checkpoint(log.slice(0, 1));
  await publish(warehouse);
  const target = currentSnapshot((await load(warehouse, "a")).metadata)!;
  const ref = { type: "tag" as const, snapshotId: target.snapshotId };
  await new ForeignWriter(warehouse, "a").update([{ action: "set-snapshot-ref", name: "kept", ref }]);
  for (const at of [1, 2, 3]) await process.checkpoint(log.slice(at, at + 1));
  await publish(warehouse);
  expect(await expireTable(warehouse, "shop.a", 1, 9007)).toBeGreaterThan(0);
  const place = { ...onBranch(warehouse), warehouseLocation: "mem://w", runtime: virtualRuntime(9008) };
  const request = { table: await load(place, "a"), target, keepPosition: false };
  await rollBack(place, await planRollback(place, request));
  expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1"]);
  const next = await Process.start(onBranch(warehouse), [upsertRule("a")]);
  await next.checkpoint(log.slice(Number(next.reached.get("t/0"))));
  await publish(warehouse);
  expect(await rowsOf(warehouse, "a")).toEqual(["1|x|4"]);
});

// Simulation, seed 200020: `main` kept the first rollback's snapshot, and nothing could be published any more.
it.each(["memory", "object-store"] as const)(
  "can be published when a rollback is itself rolled back, in a %s catalog",
  async (kind) => {
    const warehouse = memoryWarehouse(kind);
    const log = ["+1:x:1", "~1:x:2", "~1:x:3"].map(a);
    const first = await Process.start(onBranch(warehouse), [upsertRule("a")]);
    const heads = [];
    for (const at of [0, 1]) {
      await first.checkpoint(log.slice(at, at + 1));
      await publish(warehouse);
      heads.push(currentSnapshot((await load(warehouse, "a")).metadata)!);
    }
    const place = { ...onBranch(warehouse), warehouseLocation: "mem://w", runtime: virtualRuntime(9010) };
    for (const target of heads) {
      const request = { table: await load(place, "a"), target, keepPosition: false };
      await rollBack(place, await planRollback(place, request));
      expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1"]);
    }
    expect(await rowsOf(onBranch(warehouse), "a")).toEqual(["1|x|2"]);
    const next = await Process.start(onBranch(warehouse), [upsertRule("a")]);
    await next.checkpoint(log.slice(Number(next.reached.get("t/0"))));
    await publish(warehouse);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|3"]);
  },
);

// Simulation, seed 30905: history went, as nobody had published yet, and then `main` was made a snapshot below the hole.
it.each(["before", "after"] as const)(
  "can be published further when the first publication lands %s an expiry",
  async (when) => {
    const warehouse = memoryWarehouse("object-store");
    const process = await Process.start(onBranch(warehouse), [upsertRule("a")]);
    await process.checkpoint([a("+1:x:1")]);
    const table = await load(warehouse, "a");
    const { snapshotId } = refSnapshot(table.metadata, "audit")!;
    const ref = { type: "tag" as const, snapshotId };
    await new ForeignWriter(warehouse, "a").update([{ action: "set-snapshot-ref", name: "kept", ref }]);
    for (const value of [2, 3, 4]) await process.checkpoint([a(`~1:x:${value}`)]);
    const { catalog } = warehouse;
    const first = () => fastForward({ ...context(warehouse), catalog }, [{ table, snapshotId }], "main", "audit");
    const meanwhile = catalogView(catalog, {
      loadTable: (ident) => catalog.loadTable(ident),
      async commit(changes, claim) {
        if (when === "before") await first();
        return catalog.commit(changes, claim);
      },
    });
    await expireTable({ ...warehouse, catalog: meanwhile }, "shop.a", 1, 9009);
    await first();
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1"]);
    expect(await publish(warehouse)).toBe(1);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|4"]);
  },
);

it("does not turn a tag of its branch's name into the branch", async () => {
  const warehouse = memoryWarehouse("memory");
  await (await Process.start(warehouse, RULES)).checkpoint([a("+1:x:1")]);
  const { currentSnapshotId } = (await load(warehouse, "a")).metadata;
  const ref = { type: "tag" as const, snapshotId: currentSnapshotId! };
  await new ForeignWriter(warehouse, "a").update([{ action: "set-snapshot-ref", name: "audit", ref }]);
  await expect(Process.start(onBranch(warehouse), RULES)).rejects.toMatchObject({ kind: "config", code: "BAD_BRANCH" });
  expect((await load(warehouse, "a")).metadata.refs.get("audit")).toEqual(ref);
});

describe("a branch of somebody else", () => {
  it("goes forward only, and main with it", async () => {
    const warehouse = memoryWarehouse("memory");
    const process = await Process.start(warehouse, [upsertRule("a")]);
    await process.checkpoint([a("+1:x:1")]);
    const old = currentSnapshot((await load(warehouse, "a")).metadata)!;
    await createBranch(context(warehouse), await load(warehouse, "a"), "dev", old.snapshotId);
    await process.checkpoint([a("+2:x:2")]);
    const table = await load(warehouse, "a");
    const head = currentSnapshot(table.metadata)!;
    // Main is ahead: nothing to do for it, and the branch may follow.
    await fastForward(context(warehouse), [{ table, snapshotId: old.snapshotId }], "main", "dev");
    expect(currentSnapshot((await load(warehouse, "a")).metadata)).toEqual(head);
    await fastForward(context(warehouse), [{ table, snapshotId: head.snapshotId }], "dev", "main");
    expect(refSnapshot((await load(warehouse, "a")).metadata, "dev")).toEqual(head);

    const dev = { ...warehouse, catalog: branchCatalog(warehouse.catalog, "dev") };
    await new ForeignWriter(dev, "a").append([{ id: 5n, part: "d", value: 5n }]);
    const ahead = refSnapshot((await load(warehouse, "a")).metadata, "dev")!;
    await fastForward(context(warehouse), [{ table, snapshotId: ahead.snapshotId }], "main", "dev");
    // The running job sees a commit of somebody else under its tag.
    await process.checkpoint([a("~5:d:50")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "2|x|2", "5|d|50"]);
    await expect(
      fastForward(context(warehouse), [{ table, snapshotId: ahead.snapshotId + 1n }], "main", "dev"),
    ).rejects.toMatchObject({ kind: "data" });
  });
});
