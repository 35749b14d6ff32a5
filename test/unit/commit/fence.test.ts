import { describe, expect, it } from "vitest";
import type { CommitOutcome } from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, storeGone, upsertRule } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { tableRows } from "../../support/table-rows.ts";

const RULES = [upsertRule("a"), upsertRule("b")];

describe.each(["memory", "object-store"] as const)("taking over on a catalog of kind %s", (kind) => {
  const begun = async () => {
    const warehouse = memoryWarehouse(kind);
    const process = await Process.start(warehouse, RULES);
    await process.checkpoint([change("a", "+1:x:1"), change("b", "+2:x:2")]);
    return { warehouse, process };
  };

  it("ends when somebody has taken over between a lost answer and the look for it", async () => {
    const { warehouse } = await begun();
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    let commits = 0;
    catalog.commit = async (changes, claim): Promise<CommitOutcome> => {
      const outcome = await commit(changes, claim);
      if (commits++ > 0) return outcome;
      await Process.start(warehouse, RULES);
      return { outcome: "unknown", cause: storeGone() };
    };
    await expect(Process.start(warehouse, RULES)).rejects.toMatchObject({ kind: "fenced" });
  });

  it("belongs to one of two that started together", async () => {
    const warehouse = memoryWarehouse(kind);
    const [one, other] = [await Process.start(warehouse, RULES), await Process.start(warehouse, RULES)];
    await one.checkpoint([change("a", "+1:x:1")]);
    await expect(other.checkpoint([change("a", "+1:x:1")])).rejects.toMatchObject({ kind: "fenced" });
    await one.checkpoint([change("a", "+3:x:3")]);
    expect(await tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" })).toEqual([
      "1|x|1",
      "3|x|3",
    ]);
  });

  it("never lowers an epoch: a slow starter stops at a table that a later one has fenced", async () => {
    const { warehouse } = await begun();
    const { catalog } = warehouse;
    const commit = catalog.commit.bind(catalog);
    let commits = 0;
    let later = 0n;
    catalog.commit = async (changes, claim) => {
      const outcome = await commit(changes, claim);
      if (commits++ === 0) later = (await Process.start(warehouse, RULES)).committer.epoch;
      return outcome;
    };
    const slow = await Process.start(warehouse, RULES).catch((error: unknown) => error);
    if (kind === "object-store") expect(slow).toMatchObject({ kind: "fenced" });
    const { metadata } = await new ForeignWriter(warehouse, "b").load();
    const head = metadata.snapshots.find(
      ({ snapshotId }) => snapshotId === metadata.refs.get("ingest.test")?.snapshotId,
    );
    expect(head?.summary.get("ingest.epoch")).toBe(String(later));
  });

  it("raises the epoch on every table, each keeping its position", async () => {
    const { warehouse, process } = await begun();
    const next = await Process.start(warehouse, RULES);
    expect(next.committer.epoch).toBe(process.committer.epoch + 1n);
    expect([...next.reached]).toEqual([["t/0", "2"]]);
    await expect(process.committer.checkStillOwner()).rejects.toMatchObject({ kind: "fenced" });
    await expect(process.checkpoint([change("b", "+3:x:3")])).rejects.toMatchObject({ kind: "fenced" });
    await next.checkpoint([change("b", "+3:x:3")]);
    expect(await tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "b" })).toEqual([
      "2|x|2",
      "3|x|3",
    ]);
  });

  it("stops at a table whose tag is gone, and one that was rolled back", async () => {
    const { warehouse } = await begun();
    const b = new ForeignWriter(warehouse, "b");
    const [created] = (await b.load()).metadata.snapshots;
    const main = (await b.load()).metadata.currentSnapshotId as bigint;
    await b.rollback(created?.snapshotId as bigint);
    await expect(Process.start(warehouse, RULES)).rejects.toMatchObject({ code: "TABLE_ROLLED_BACK", kind: "data" });
    await b.rollback(main);
    await b.update([{ action: "remove-snapshot-ref", name: "ingest.test" }]);
    await expect(Process.start(warehouse, RULES)).rejects.toMatchObject({ code: "TAG_MISSING", kind: "data" });
  });

  // Found by simulation: the way down from main ended at an expired snapshot, and the error blamed the expiry.
  it("tells a rollback from missing history where what lies below main has expired", async () => {
    const { warehouse, process } = await begun();
    const b = new ForeignWriter(warehouse, "b");
    await process.checkpoint([change("b", "+3:x:3")]);
    await process.checkpoint([change("b", "+4:x:4")]);
    const snapshots = (await b.load()).metadata.snapshots.map(({ snapshotId }) => snapshotId);
    await b.rollback(snapshots[1] as bigint);
    await b.update([{ action: "remove-snapshots", snapshotIds: snapshots.slice(0, 1) }]);
    await expect(Process.start(warehouse, RULES)).rejects.toMatchObject({ code: "TABLE_ROLLED_BACK", kind: "data" });
  });

  it("an idle process notices a rollback, and a busy one commits nothing on top of it", async () => {
    const { warehouse, process } = await begun();
    const b = new ForeignWriter(warehouse, "b");
    await b.rollback((await b.load()).metadata.snapshots[0]?.snapshotId as bigint);
    const before = (await b.load()).metadata.snapshots.length;
    await expect(process.committer.checkStillOwner()).rejects.toMatchObject({ code: "TABLE_ROLLED_BACK" });
    await expect(process.checkpoint([change("b", "+3:x:3")])).rejects.toMatchObject({ code: "TABLE_ROLLED_BACK" });
    expect((await b.load()).metadata.snapshots.length).toBe(before);
  });
});
