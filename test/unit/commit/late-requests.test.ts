import { describe, expect, it } from "vitest";
import { planRollback } from "../../../src/commit/rollback-plan.ts";
import { rollBack } from "../../../src/commit/rollback.ts";
import { type CommitOutcome, type LoadedTable, snapshotById, type TableChange } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, storeGone, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const RULES = [upsertRule("a"), upsertRule("b")];
const LEDGER = "mem://w/_ingest/test/ledger.json";
const rowsOf = (warehouse: Warehouse, name: string) =>
  tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name });

/** Holds back the `n`th commit from now until `release`. */
function holdBack(warehouse: Warehouse, n: number) {
  const { catalog } = warehouse;
  const commit = catalog.commit.bind(catalog);
  let commits = 0;
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  let arrived = () => {};
  const held = new Promise<void>((resolve) => (arrived = resolve));
  catalog.commit = async (changes, claim) => {
    if (++commits === n) {
      arrived();
      await released;
    }
    return commit(changes, claim);
  };
  return { held, release };
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => error,
  );

describe.each(["memory", "object-store"] as const)("a commit on a catalog of kind %s", (kind) => {
  const begun = async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([change("a", "+1:x:1"), change("b", "+2:x:2")]);
    return { warehouse, process };
  };

  it("of an older process fails by the tag alone when main is back where it was", async () => {
    const { warehouse, process } = await begun();
    const a = new ForeignWriter(warehouse, "a");
    const main = (await a.load()).metadata.currentSnapshotId as bigint;
    const { held, release } = holdBack(warehouse, 1);
    const older = failure(process.checkpoint([change("a", "+9:x:9")]));
    await held;
    await Process.start(warehouse, RULES);
    await a.rollback(main);
    release();
    expect(await older).not.toBeNull();
    expect((await a.load()).metadata.currentSnapshotId).toBe(main);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1"]);
  });

  it("that arrives when main was set back to its base fails, as its sequence number is used up", async () => {
    const { warehouse, process } = await begun();
    await process.checkpoint([change("a", "+3:x:3"), change("a", "+4:x:4")]);
    const a = new ForeignWriter(warehouse, "a");
    const main = (await a.load()).metadata.currentSnapshotId as bigint;
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    let sent = 0;
    let late: () => Promise<CommitOutcome> = async () => ({ outcome: "unknown", cause: storeGone() });
    let byOthers = false;
    const others = async (work: () => Promise<void>): Promise<void> => {
      byOthers = true;
      await work();
      byOthers = false;
    };
    catalog.commit = async (changes, claim): Promise<CommitOutcome> => {
      if (byOthers || ++sent > 2) return commit(changes, claim);
      if (sent === 1) {
        late = () => commit(changes, claim);
        await others(() => a.compact());
        return { outcome: "unknown", cause: storeGone() };
      }
      await others(() => a.rollback(main));
      const outcome = await commit(changes, claim);
      // Main and the tag are what the first request expects; its writer has seen another table since.
      expect(await late()).toMatchObject({ outcome: "conflict", requirement: null });
      return outcome;
    };
    await process.checkpoint([change("a", "~3:y:30")]);
    await process.checkpoint([change("a", "~4:y:40"), change("a", "-1")]);
    expect(sent).toBeGreaterThan(2);
    expect(await rowsOf(warehouse, "a")).toEqual(["3|y|30", "4|y|40"]);
  });

  it("asserts the table, main and the tag, which it moves, and what its files were written for", async () => {
    const { warehouse, process } = await begun();
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    const sent: TableChange[] = [];
    catalog.commit = async (changes, claim) => {
      sent.push(...changes);
      return commit(changes, claim);
    };
    const { metadata } = await new ForeignWriter(warehouse, "a").load();
    await process.checkpoint([change("a", "+3:x:3")]);
    const snapshotId = metadata.currentSnapshotId;
    expect(sent[0]?.requirements).toEqual([
      { type: "assert-table-uuid", uuid: metadata.tableUuid },
      { type: "assert-ref-snapshot-id", ref: "main", snapshotId },
      { type: "assert-ref-snapshot-id", ref: "ingest.test", snapshotId },
      { type: "assert-current-schema-id", currentSchemaId: metadata.currentSchemaId },
      { type: "assert-default-spec-id", defaultSpecId: metadata.defaultSpecId },
    ]);
    const moved = sent[0]?.updates.flatMap((update) => (update.action === "set-snapshot-ref" ? [update.name] : []));
    expect(moved).toEqual(["main", "ingest.test"]);
  });

  it("whose answer is lost stands, whatever is committed on top before it is looked for", async () => {
    const { warehouse, process } = await begun();
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    const a = new ForeignWriter(warehouse, "a");
    let lost = 1;
    catalog.commit = async (changes, claim): Promise<CommitOutcome> => {
      const outcome = await commit(changes, claim);
      if (lost-- <= 0) return outcome;
      await a.compact();
      return { outcome: "unknown", cause: storeGone() };
    };
    await process.checkpoint([change("a", "~1:y:10"), change("a", "+3:x:3")]);
    await process.checkpoint([change("a", "~1:z:11"), change("a", "-3"), change("b", "~2:z:22")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|z|11"]);
    expect(await rowsOf(warehouse, "b")).toEqual(["2|z|22"]);
  });

  it("that landed before a newer process took over stands, and the older one stops", async () => {
    const { warehouse, process } = await begun();
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    let lost = 1;
    catalog.commit = async (changes, claim): Promise<CommitOutcome> => {
      const outcome = await commit(changes, claim);
      if (lost-- <= 0) return outcome;
      await Process.start(warehouse, RULES);
      return { outcome: "unknown", cause: storeGone() };
    };
    await expect(process.checkpoint([change("a", "+3:x:3")])).rejects.toMatchObject({ kind: "fenced" });
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "3|x|3"]);
    const next = await Process.start(warehouse, RULES);
    // Where tables are committed one by one, `b` has not been told of the position: what comes again is skipped by `a`.
    expect([...next.reached]).toEqual([["t/0", kind === "memory" ? "3" : "2"]]);
    if (kind === "object-store") await next.checkpoint([change("a", "+3:x:3")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "3|x|3"]);
  });

  it("stops at a table whose schema somebody else has changed meanwhile", async () => {
    const { warehouse, process } = await begun();
    const a = new ForeignWriter(warehouse, "a");
    const { schemas, lastColumnId } = (await a.load()).metadata;
    const schema = schemas[0]!;
    const added = { id: lastColumnId + 1, name: "more", type: { kind: "int" }, required: false } as const;
    await a.update([
      { action: "add-schema", schema: { ...schema, fields: [...schema.fields, added] }, lastColumnId: added.id },
      { action: "set-current-schema", schemaId: -1 },
    ]);
    await expect(process.checkpoint([change("a", "+3:x:3")])).rejects.toMatchObject({ kind: "conflict" });
    const next = await Process.start(warehouse, RULES);
    await next.checkpoint([change("a", "+3:x:3")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1|null", "3|x|3|null"]);
  });

  it("writes nothing twice and deletes nothing when the store fails on the way", async () => {
    const { warehouse, process } = await begun();
    const deleted: string[] = [];
    let left = 3;
    warehouse.fault = (operation, location) => {
      if (operation === "delete") deleted.push(location);
      if (operation === "write" && /b\/metadata\/.*avro$/.test(location) && left-- > 0) throw storeGone();
    };
    await process.checkpoint([change("a", "~1:y:10"), change("b", "+3:x:3")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|y|10"]);
    expect(deleted).toEqual([]);
  });
});

it("a catalog that applies a part of a commit over several tables and does not say so is named, and nothing is sent again", async () => {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, RULES);
  await process.checkpoint([change("a", "+1:x:1"), change("b", "+2:x:2")]);
  const { catalog } = warehouse;
  const commit = catalog.commit.bind(catalog);
  let sent = 0;
  catalog.commit = async (changes, claim): Promise<CommitOutcome> => {
    sent++;
    await commit(changes.slice(0, 1), claim);
    return { outcome: "unknown", cause: storeGone() };
  };
  const torn = process.checkpoint([change("a", "+3:x:3"), change("b", "+4:x:4")]);
  await expect(torn).rejects.toMatchObject({ code: "COMMIT_TORN", message: expect.stringContaining("shop.b lack") });
  expect(sent).toBe(1);
});

/** The next commit's answer is lost, and it takes effect once `shop.b` has been looked at and before `shop.a` is. Counts commits. */
function landsBetweenLooks({ catalog }: Warehouse): { sent: number } {
  const commit = catalog.commit.bind(catalog);
  const load = catalog.loadTable.bind(catalog);
  const seen = Promise.withResolvers<void>();
  const counted = { sent: 0 };
  let late: (() => Promise<CommitOutcome>) | null = null;
  catalog.commit = async (changes, claim): Promise<CommitOutcome> => {
    if (counted.sent++ > 0) return commit(changes, claim);
    late = () => commit(changes, claim);
    return { outcome: "unknown", cause: storeGone() };
  };
  catalog.loadTable = async (ident) => {
    if (late === null) return load(ident);
    if (ident.name === "b") {
      const found = await load(ident);
      seen.resolve();
      return found;
    }
    await seen.promise;
    const land = late;
    late = null;
    await land();
    return load(ident);
  };
  return counted;
}

// Simulation, seeds 80479 and 90955: the job ended as if the catalog had torn the commit.
describe("what spans several tables and takes effect while they are looked at is found in all of them", () => {
  const opened = async (): Promise<{ warehouse: Warehouse; process: Process }> => {
    const warehouse = memoryWarehouse("memory");
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([change("a", "+1:x:1"), change("b", "+2:x:2")]);
    return { warehouse, process };
  };

  it("a checkpoint", async () => {
    const { warehouse, process } = await opened();
    const counted = landsBetweenLooks(warehouse);
    await process.checkpoint([change("a", "+3:x:3"), change("b", "+4:x:4")]);
    expect(counted.sent).toBe(1);
    expect(await rowsOf(warehouse, "b")).toEqual(["2|x|2", "4|x|4"]);
  });

  it("a take-over, which would else think that it has been overtaken itself", async () => {
    const { warehouse } = await opened();
    const counted = landsBetweenLooks(warehouse);
    const next = await Process.start(warehouse, RULES);
    expect(counted.sent).toBe(1);
    await next.checkpoint([change("a", "+3:x:3")]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "3|x|3"]);
  });

  it("a rollback", async () => {
    const { warehouse, process } = await opened();
    const { metadata } = (await warehouse.catalog.loadTable({ namespace: ["shop"], name: "a" }))!;
    await process.checkpoint([change("a", "+3:x:3"), change("b", "+4:x:4")]);
    const { io, catalog } = warehouse;
    const context = { io, catalog, warehouseLocation: "mem://w", runtime: virtualRuntime(4711) };
    const find = (table: LoadedTable) => snapshotById(table.metadata, metadata.currentSnapshotId!);
    const plan = await planRollback(context, { pipeline: "test", find, keepPosition: false });
    const counted = landsBetweenLooks(warehouse);
    await rollBack(context, plan);
    expect(counted.sent).toBe(1);
    expect([await rowsOf(warehouse, "a"), await rowsOf(warehouse, "b")]).toEqual([["1|x|1"], ["2|x|2"]]);
  });
});

describe("two tables on an object store", () => {
  const ledger = async (warehouse: Warehouse) =>
    JSON.parse(new TextDecoder().decode((await warehouse.io.readTagged(LEDGER))?.bytes)) as {
      epoch: string;
      position: string;
      tables: Record<string, string>;
    };

  /** A process that has committed `a` up to 4 and `b` up to 2. */
  const torn = async () => {
    const warehouse = memoryWarehouse("object-store");
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([change("a", "+1:x:1"), change("b", "+2:x:2")]);
    let commits = 0;
    process.runtime.onStep = (name) => {
      if (name === "commit.sent" && ++commits === 2) throw new Error("crash");
    };
    await expect(process.checkpoint([change("a", "+3:x:3"), change("b", "+4:x:4")])).rejects.toThrow("crash");
    return warehouse;
  };

  it("resume where both are, and the one that is ahead keeps its position", async () => {
    const warehouse = await torn();
    const next = await Process.start(warehouse, RULES);
    expect([...next.reached]).toEqual([["t/0", "2"]]);
    // A shorter checkpoint than the one before: `a` is beyond its end.
    await next.checkpoint([change("a", "+3:x:3")]);
    const a = await new ForeignWriter(warehouse, "a").load();
    const head = a.metadata.snapshots.find(({ snapshotId }) => snapshotId === a.metadata.currentSnapshotId);
    expect(head?.summary.get("ingest.position")).toBe('{"t/0":"4"}');
    expect((await ledger(warehouse)).position).toBe('{"t/0":"2"}');
    expect([...next.committer.acknowledged]).toEqual([["t/0", "2"]]);
    await next.checkpoint([change("b", "+4:x:4")]);
    expect((await ledger(warehouse)).position).toBe('{"t/0":"4"}');
    expect([...next.committer.acknowledged]).toEqual([["t/0", "4"]]);
    expect(await rowsOf(warehouse, "a")).toEqual(["1|x|1", "3|x|3"]);
    expect(await rowsOf(warehouse, "b")).toEqual(["2|x|2", "4|x|4"]);
  });

  it("have a cut in the ledger at the next start when a crash came before it was written", async () => {
    const warehouse = memoryWarehouse("object-store");
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([change("a", "+1:x:1"), change("b", "+2:x:2")]);
    process.runtime.onStep = (name) => {
      if (name === "ledger.sent") throw new Error("crash");
    };
    await expect(process.checkpoint([change("a", "+3:x:3"), change("b", "+4:x:4")])).rejects.toThrow("crash");
    expect((await ledger(warehouse)).position).toBe('{"t/0":"2"}');
    const next = await Process.start(warehouse, RULES);
    const { position, epoch, tables } = await ledger(warehouse);
    expect({ position, epoch }).toEqual({ position: '{"t/0":"4"}', epoch: String(next.committer.epoch) });
    const held = [...next.committer.tables.values()].map((table) => [table.name, String(table.tagSnapshotId)]);
    expect(tables).toEqual(Object.fromEntries(held));
    expect([...next.reached]).toEqual([["t/0", "4"]]);
    await next.checkpoint([change("a", "+5:x:5")]);
    expect((await ledger(warehouse)).position).toBe('{"t/0":"5"}');
    expect(await rowsOf(warehouse, "b")).toEqual(["2|x|2", "4|x|4"]);
  });

  it("give an idle one its position by the ledger, but not one that the ledger does not name", async () => {
    const warehouse = memoryWarehouse("object-store");
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([change("a", "+1:x:1"), change("b", "+2:x:2")]);
    await process.checkpoint([change("a", "+3:x:3")]);
    const next = await Process.start(warehouse, RULES);
    expect([...next.reached]).toEqual([["t/0", "3"]]);
    expect((await ledger(warehouse)).epoch).toBe(String(next.committer.epoch));
    // As left by a job file that did not write to `b` for a while.
    const left = await ledger(warehouse);
    delete left.tables["shop.b"];
    await warehouse.io.write(LEDGER, new TextEncoder().encode(JSON.stringify(left)));
    expect([...(await Process.start(warehouse, RULES)).reached]).toEqual([["t/0", "2"]]);
  });
});

it("a table whose main and tag somebody set back by hand gets its rows again, whatever the ledger says", async () => {
  const warehouse = memoryWarehouse("object-store");
  const log = [change("a", "+1:x:1"), change("b", "+2:x:2"), change("b", "+3:x:3")];
  const process = await Process.start(warehouse, RULES);
  await process.checkpoint(log.slice(0, 2));
  await process.checkpoint(log.slice(2));
  const foreign = new ForeignWriter(warehouse, "b");
  const { metadata } = await foreign.load();
  const head = metadata.snapshots.find(({ snapshotId }) => snapshotId === metadata.currentSnapshotId);
  const snapshotId = head!.parentSnapshotId!;
  await foreign.update([
    { action: "set-snapshot-ref", name: "main", ref: { type: "branch", snapshotId } },
    { action: "set-snapshot-ref", name: "ingest.test", ref: { type: "tag", snapshotId } },
  ]);
  // Once more, as the ledger is still of then.
  await Process.start(warehouse, RULES);
  const next = await Process.start(warehouse, RULES);
  await next.checkpoint(log.slice(Number(next.reached.get("t/0"))));
  expect(await rowsOf(warehouse, "b")).toEqual(["2|x|2", "3|x|3"]);
});

describe("a table that was dropped", () => {
  it("and made anew under the running process stops it", async () => {
    const warehouse = memoryWarehouse("object-store");
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([change("a", "+1:x:1"), change("b", "+2:x:2")]);
    const hint = "mem://w/shop/b/metadata/version-hint.text";
    await warehouse.io.delete(hint);
    await expect(process.committer.checkStillOwner()).rejects.toMatchObject({ code: "TABLE_DROPPED", kind: "data" });
    const other = memoryWarehouse("object-store");
    const twin = await Process.start(other, RULES);
    await twin.checkpoint([change("a", "+1:x:1"), change("b", "+2:x:2")]);
    for await (const { location } of other.io.list("mem://w/shop/b/metadata")) {
      await warehouse.io.write(location, await other.io.read(location));
    }
    await expect(process.committer.checkStillOwner()).rejects.toMatchObject({ code: "TABLE_REPLACED", kind: "data" });
    await expect(process.checkpoint([change("b", "+3:x:3")])).rejects.toMatchObject({ code: "TABLE_REPLACED" });
  });
});
