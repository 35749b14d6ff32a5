import fc from "fast-check";
import { expect, it } from "vitest";
import { FrazilError, type TableMetadata } from "../../../../table-format/index.ts";
import { commitExpiry } from "../../../../src/commit/expire-commit.ts";
import { setTag } from "../../../../src/commit/tag-snapshot.ts";
import { rollBack } from "../../../../src/commit/rollback.ts";
import { runCompaction } from "../../../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../../../src/maintenance/compact/plan.ts";
import { planExpiry, runExpiry } from "../../../../src/maintenance/expire/expire.ts";
import { expiredAt } from "../../../../src/maintenance/expire/retention.ts";
import { change, memoryWarehouse, Process, storeGone, upsertRule } from "../../../support/checkpoints.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { filesOf, IDENT, loaded, place, stored } from "../../../support/maintenance.ts";
import { tableRows } from "../../../support/table-rows.ts";

/** The virtual clock stands still while snapshots get later times: no snapshot is to count as young. */
const NONE_YOUNG = -1_000_000n;
const KEEP_ONE = { minSnapshotsToKeep: 1, maxSnapshotAgeMs: NONE_YOUNG };

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("change" as const),
      id: fc.integer({ min: 0, max: 5 }),
      value: fc.integer({ min: -2, max: 99 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("tag" as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ do: "compact" as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("expire" as const), keep: fc.integer({ min: 1, max: 4 }) }) },
);

it.each([
  ["memory", 2],
  ["memory", 3],
  ["object-store", 3],
] as const)(
  "an expiry deletes exactly the files that no snapshot needs any more, in a %s catalog and format version %i",
  async (kind, formatVersion) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 16 }), async (script) => {
        const warehouse = memoryWarehouse(kind);
        const process = await Process.start(warehouse, [upsertRule("a", { formatVersion })]);
        await process.checkpoint([change("a", "+1:x:1"), change("a", "+2:x:2")]);
        const rows = new Map([
          [1, 1],
          [2, 2],
        ]);
        for (const [index, one] of script.entries()) {
          const { metadata } = await loaded(warehouse);
          if (one.do === "change") {
            const { id, value } = one;
            await process.checkpoint([change("a", value < 0 ? `-${id}` : `~${id}:x:${value}`)]);
            if (value < 0) rows.delete(id);
            else rows.set(id, value);
          } else if (one.do === "tag") {
            const snapshot = metadata.snapshots[one.at % metadata.snapshots.length]!;
            await setTag(
              { catalog: warehouse.catalog, runtime: process.runtime },
              await loaded(warehouse),
              `t${index}`,
              snapshot.snapshotId,
            );
          } else if (one.do === "compact") {
            const plan = await planCompaction(place(warehouse, process), await loaded(warehouse), {
              targetSizeBytes: 1 << 20,
              minFiles: 2,
            });
            for await (const done of runCompaction(place(warehouse, process), plan)) expect(done).toBeDefined();
          } else {
            const policy = { minSnapshotsToKeep: one.keep, maxSnapshotAgeMs: NONE_YOUNG };
            const plan = await planExpiry(place(warehouse, process), await loaded(warehouse), policy);
            await runExpiry(place(warehouse, process), plan);
            const left = await loaded(warehouse);
            expect(await stored(warehouse.io)).toEqual(
              await filesOf(warehouse.io, left.metadata, left.metadata.snapshots),
            );
          }
          expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(
            [...rows].map(([id, value]) => `${id}|x|${value}`).toSorted(),
          );
        }
        const { metadata } = await loaded(warehouse);
        for (const file of await filesOf(warehouse.io, metadata, metadata.snapshots)) {
          expect(await warehouse.io.stat(file)).not.toBeNull();
        }
        // And the job goes on, also in a new process.
        const next = await Process.start(warehouse, [upsertRule("a", { formatVersion })]);
        expect(next.reached).toEqual(process.reached);
        await next.checkpoint([change("a", "~1:x:7")]);
      }),
      { numRuns: 40 },
    );
  },
);

async function fiveSnapshots() {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  for (let value = 1; value <= 4; value++) await process.checkpoint([change("a", `~1:x:${value}`)]);
  return { warehouse, process };
}

it("deletes no file while it is not known whether the snapshots are gone, and the next expiry finishes", async () => {
  const { warehouse, process } = await fiveSnapshots();
  const plan = await planExpiry(place(warehouse, process), await loaded(warehouse), KEEP_ONE);
  const before = await stored(warehouse.io);
  warehouse.fault = (operation) => {
    if (operation === "replace") throw storeGone();
  };
  await expect(runExpiry(place(warehouse, process), plan)).rejects.toMatchObject({ kind: "unavailable" });
  expect(await stored(warehouse.io)).toEqual(before);
  warehouse.fault = () => undefined;
  const again = await planExpiry(place(warehouse, process), await loaded(warehouse), KEEP_ONE);
  expect((await runExpiry(place(warehouse, process), again))?.snapshots).toBe(plan.expired.snapshotIds.length);
});

it("keeps what somebody tags between the plan and the commit", async () => {
  const { warehouse, process } = await fiveSnapshots();
  const plan = await planExpiry(place(warehouse, process), await loaded(warehouse), KEEP_ONE);
  const tagged = plan.expired.snapshotIds[1]!;
  await setTag({ catalog: warehouse.catalog, runtime: process.runtime }, await loaded(warehouse), "keep", tagged);
  const done = await runExpiry(place(warehouse, process), plan);
  expect(done?.snapshots).toBe(plan.expired.snapshotIds.length - 1);
  const { metadata } = await loaded(warehouse);
  for (const file of await filesOf(warehouse.io, metadata, metadata.snapshots)) {
    expect(await warehouse.io.stat(file)).not.toBeNull();
  }
});

it("is chosen anew when main comes into being between the look and the commit", async () => {
  const { warehouse, process } = await fiveSnapshots();
  const { metadata } = await loaded(warehouse);
  const writer = new ForeignWriter(warehouse, "a");
  await writer.update([
    { action: "set-snapshot-ref", name: "dev", ref: metadata.refs.get("main")! },
    { action: "remove-snapshot-ref", name: "main" },
  ]);
  const ref = { type: "branch" as const, snapshotId: metadata.snapshots[1]!.snapshotId };
  const going = metadata.snapshots[2]!.snapshotId;
  const seen: (bigint | null)[] = [];
  const context = { catalog: warehouse.catalog, runtime: process.runtime };
  await commitExpiry(context, await loaded(warehouse), async (base) => {
    seen.push(base.metadata.currentSnapshotId);
    if (seen.length === 1) await writer.update([{ action: "set-snapshot-ref", name: "main", ref }]);
    return { snapshotIds: seen.length === 1 ? [going] : [], refs: [] };
  });
  expect(seen).toEqual([null, ref.snapshotId]);
  expect((await loaded(warehouse)).metadata.snapshots).toHaveLength(metadata.snapshots.length);
});

it("keeps a file that another engine lists under another name", async () => {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1"), change("a", "+2:x:2")]);
  const foreign = new ForeignWriter(warehouse, "a");
  const data = [...(await stored(warehouse.io))].filter((path) => path.includes("/data/"));
  expect(data).not.toEqual([]);
  await foreign.rename((path) => path.replace(/^mem:/, "mema:"));
  const { metadata } = await loaded(warehouse);
  const tags = [...metadata.refs.keys()].filter((name) => name !== "main");
  await foreign.update(tags.map((name) => ({ action: "remove-snapshot-ref", name })));
  const plan = await planExpiry(place(warehouse, process), await loaded(warehouse), KEEP_ONE);
  const done = await runExpiry(place(warehouse, process), plan);
  expect(done?.snapshots).toBe(metadata.snapshots.length - 1);
  expect(done?.files.dataFiles).toEqual([]);
  expect([...(await stored(warehouse.io))].filter((path) => path.includes("/data/"))).toEqual(data);
});

/** A rollback asserts `main` and its tag, and an expiry moves neither: it went through with manifests that were deleted meanwhile. */
it("does not let a rollback bring back a snapshot that has been expired meanwhile", async () => {
  const { warehouse, process } = await fiveSnapshots();
  const table = await loaded(warehouse);
  const target = table.metadata.snapshots[1]!;
  const expiry = await planExpiry(place(warehouse, process), table, KEEP_ONE);
  let expired = false;
  const catalog = new Proxy(warehouse.catalog, {
    get(given, property) {
      const value: unknown = Reflect.get(given, property, given);
      if (typeof value !== "function") return value;
      return async (...parameters: unknown[]): Promise<unknown> => {
        // Right before the rollback's commit, which was made with the target still there.
        if (property === "commit" && !expired) {
          expired = true;
          await runExpiry(place(warehouse, process), expiry);
        }
        return (value as (...all: unknown[]) => unknown).apply(given, parameters);
      };
    },
  });
  const rolling = rollBack({ catalog, io: warehouse.io, runtime: process.runtime, warehouseLocation: "mem://w" }, {
    pipeline: null,
    keepPosition: false,
    tables: [{ loaded: table, target, stamp: null }],
    others: [],
  } as unknown as Parameters<typeof rollBack>[1]);
  await expect(rolling).rejects.toBeInstanceOf(FrazilError);
  expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(["1|x|4"]);
});

it("keeps by age, by number and by the branch's own settings, and every snapshot after a pipeline's tag", async () => {
  const { warehouse } = await fiveSnapshots();
  const { metadata } = await loaded(warehouse);
  const nowMs = metadata.snapshots.at(-1)!.timestampMs;
  const left = (given: Partial<TableMetadata>, policy = KEEP_ONE) => {
    const table = { ...metadata, ...given };
    const { snapshotIds } = expiredAt(table, policy, new Set(), nowMs + 1n);
    return table.snapshots.length - snapshotIds.length;
  };
  const total = metadata.snapshots.length;
  expect(left({})).toBe(1);
  expect(left({}, { minSnapshotsToKeep: 3, maxSnapshotAgeMs: NONE_YOUNG })).toBe(3);
  expect(left({}, { minSnapshotsToKeep: 1, maxSnapshotAgeMs: 1n << 40n })).toBe(total);
  const main = metadata.refs.get("main")!;
  const refs = (name: string, ref: object) => ({ refs: new Map([...metadata.refs, [name, { ...main, ...ref }]]) });
  expect(left(refs("main", { minSnapshotsToKeep: 2 }))).toBe(2);
  expect(left(refs("daily", { type: "tag", snapshotId: metadata.snapshots[0]!.snapshotId }))).toBe(2);
  expect(left(refs("old", { type: "tag", snapshotId: metadata.snapshots[0]!.snapshotId, maxRefAgeMs: 0n }))).toBe(1);
  expect(left(refs("ingest.test", { type: "tag", snapshotId: metadata.snapshots[1]!.snapshotId }))).toBe(total - 1);
});

it("keeps what tells that a table was rolled back", async () => {
  const { warehouse, process } = await fiveSnapshots();
  const foreign = new ForeignWriter({ ...place(warehouse, process) }, "a");
  const before = await loaded(warehouse);
  await foreign.rollback(before.metadata.snapshots[1]!.snapshotId);
  // On top of it, so that the head is newer than what the tag names.
  await foreign.append([{ id: 9n, part: "f", value: 9n }]);
  await runExpiry(
    place(warehouse, process),
    await planExpiry(place(warehouse, process), await loaded(warehouse), KEEP_ONE),
  );
  await expect(Process.start(warehouse, [upsertRule("a")])).rejects.toMatchObject({ code: "TABLE_ROLLED_BACK" });
});

it("leaves what the ledger of a process may name that another one is just taking over from", async () => {
  const warehouse = memoryWarehouse("object-store");
  const rules = [upsertRule("a")];
  const older = await Process.start(warehouse, rules);
  await older.checkpoint([change("a", "+1:x:1")]);
  const first = (await loaded(warehouse)).metadata.currentSnapshotId;
  await older.checkpoint([change("a", "+5:x:5")]);
  // Its ledger is under way when the newer process has fenced the table, and an expiry comes before that takes the ledger.
  older.runtime.onStep = (name) => {
    if (name === "ledger.sent") throw new Error("crash");
  };
  await expect(older.checkpoint([change("a", "+2:x:2")])).rejects.toThrow("crash");
  const named = (await loaded(warehouse)).metadata.currentSnapshotId;
  const newer = Process.start(warehouse, rules, undefined, undefined, {
    onStep(name) {
      if (name === "fence.answered") throw new Error("crash");
    },
  });
  await expect(newer).rejects.toThrow("crash");
  const context = place(warehouse, older);
  await runExpiry(context, await planExpiry(context, await loaded(warehouse), KEEP_ONE));
  const left = (await loaded(warehouse)).metadata.snapshots.map(({ snapshotId }) => snapshotId);
  expect(left).toContain(named);
  expect(left).not.toContain(first);
});

it("leaves what tells a start that a table was opened by a process which had been overtaken", async () => {
  const warehouse = memoryWarehouse("object-store");
  const rules = [upsertRule("first"), upsertRule("a")];
  const older = await Process.start(warehouse, rules);
  await older.checkpoint([change("first", "+1:x:1")]);
  const newer = await Process.start(warehouse, rules);
  await newer.checkpoint([change("first", "+2:x:2")]);
  const late = older.checkpoint([change("first", "+2:x:2"), change("a", "+1:x:1")]);
  await expect(late).rejects.toMatchObject({ kind: "fenced" });
  let fences = 0;
  const dies = Process.start(warehouse, rules, undefined, undefined, {
    onStep(name) {
      if (name === "fence.answered" && ++fences === 2) throw new Error("crash");
    },
  });
  await expect(dies).rejects.toThrow("crash");
  const context = place(warehouse, newer);
  await runExpiry(context, await planExpiry(context, await loaded(warehouse), KEEP_ONE));
  expect([...(await Process.start(warehouse, rules)).reached]).toEqual([["t/0", "2"]]);
});
