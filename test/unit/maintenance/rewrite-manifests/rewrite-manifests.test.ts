import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  currentSnapshot,
  type FileIO,
  type LoadedTable,
  readManifest,
  readManifestList,
} from "../../../../table-format/index.ts";
import { runCleaning } from "../../../../src/maintenance/clean-orphans/clean.ts";
import { planOrphans } from "../../../../src/maintenance/clean-orphans/plan.ts";
import { runCompaction } from "../../../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../../../src/maintenance/compact/plan.ts";
import { planManifests, runManifestRewrite } from "../../../../src/maintenance/rewrite-manifests/rewrite-manifests.ts";
import {
  change,
  memoryWarehouse,
  Process,
  storeGone,
  upsertRule,
  type Warehouse,
} from "../../../support/checkpoints.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { IDENT, loaded, place } from "../../../support/maintenance.ts";
import { tableRows } from "../../../support/table-rows.ts";

async function headManifests(io: FileIO, { metadata }: LoadedTable) {
  const head = currentSnapshot(metadata);
  return head === null ? [] : readManifestList(io, head);
}

/** What readers make of each live entry: nothing of it may change. */
async function entries(warehouse: Warehouse): Promise<string[]> {
  const table = await loaded(warehouse);
  const all: string[] = [];
  for (const manifest of await headManifests(warehouse.io, table)) {
    for (const { status, snapshotId, sequenceNumber, fileSequenceNumber, file } of await readManifest(
      warehouse.io,
      table.metadata,
      manifest,
    )) {
      if (status === "deleted") continue;
      const { filePath, contentOffset, firstRowId, specId, partition, recordCount, lowerBounds } = file;
      const bounds = [...(lowerBounds ?? [])].map(([id, bytes]) => `${id}:${Buffer.from(bytes).toString("hex")}`);
      all.push(
        [
          manifest.content,
          filePath,
          contentOffset,
          snapshotId,
          sequenceNumber,
          fileSequenceNumber,
          firstRowId,
          specId,
          partition,
          recordCount,
          bounds,
        ].join("|"),
      );
    }
  }
  return all.toSorted();
}

/** A table whose commits leave one manifest each. */
async function manyManifests(kind: "memory" | "object-store", formatVersion: 2 | 3, targetBytes = 8 << 20) {
  const warehouse = memoryWarehouse(kind);
  const rules = [upsertRule("a", { formatVersion, partitionBy: ["part"] })];
  const process = await Process.start(warehouse, rules);
  await process.checkpoint([change("a", "+1:x:1"), change("a", "+2:y:2")]);
  await new ForeignWriter(warehouse, "a").update([
    {
      action: "set-properties",
      updates: new Map([
        ["commit.manifest-merge.enabled", "false"],
        ["commit.manifest.target-size-bytes", String(targetBytes)],
      ]),
    },
  ]);
  // A process of its own sees the property from the start.
  return { warehouse, rules, process: await Process.start(warehouse, rules) };
}

async function rewrite(warehouse: Warehouse, process: Process, entriesHeld?: number) {
  const plan = await planManifests(place(warehouse, process), await loaded(warehouse), entriesHeld);
  return { plan, done: plan.groups.length === 0 ? null : await runManifestRewrite(place(warehouse, process), plan) };
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("change" as const),
      id: fc.integer({ min: 0, max: 6 }),
      part: fc.constantFrom("x", "y", "z"),
      deletes: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "compact" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "clean" as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("rewrite" as const), held: fc.constantFrom(1, 4, 1000) }) },
);

it.each([
  ["memory", 2],
  ["memory", 3],
  ["object-store", 3],
] as const)("leaves every live entry as it was, in a %s catalog and format version %i", async (kind, formatVersion) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 16 }),
      fc.constantFrom(3_000, 8 << 20),
      async (script, target) => {
        const { warehouse, rules, process } = await manyManifests(kind, formatVersion, target);
        for (const [index, one] of [...script, { do: "rewrite" as const, held: 1000 }].entries()) {
          if (one.do === "change") {
            await process.checkpoint([change("a", one.deletes ? `-${one.id}` : `~${one.id}:${one.part}:${index}`)]);
          } else if (one.do === "compact") {
            const plan = await planCompaction(place(warehouse, process), await loaded(warehouse), {
              targetSizeBytes: 1 << 20,
              minFiles: 2,
            });
            await Array.fromAsync(runCompaction(place(warehouse, process), plan));
          } else if (one.do === "clean") {
            const plan = await planOrphans(place(warehouse, process), await loaded(warehouse), {
              olderThanMs: -1_000_000,
              locations: [],
            });
            await runCleaning(place(warehouse, process), plan);
          } else {
            const [before, rows] = [await entries(warehouse), await tableRows(warehouse.io, warehouse.catalog, IDENT)];
            const manifests = (await headManifests(warehouse.io, await loaded(warehouse))).length;
            const { done } = await rewrite(warehouse, process, one.held);
            expect(await entries(warehouse)).toEqual(before);
            expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(rows);
            const after = await headManifests(warehouse.io, await loaded(warehouse));
            expect(after.length).toBeLessThanOrEqual(manifests);
            if (done !== null) {
              const { metadata } = await loaded(warehouse);
              expect(currentSnapshot(metadata)?.summary.get("operation")).toBe("replace");
              expect(currentSnapshot(metadata)?.summary.get("total-records")).toBe(
                metadata.snapshots.at(-2)?.summary.get("total-records"),
              );
            }
          }
        }
        await (await Process.start(warehouse, rules)).checkpoint([change("a", "~1:x:7"), change("a", "-2")]);
      },
    ),
    { numRuns: 12 },
  );
});

async function someManifests(formatVersion: 2 | 3 = 3, targetBytes?: number) {
  const { warehouse, process, rules } = await manyManifests("object-store", formatVersion, targetBytes);
  for (let id = 3; id < 15; id++) await process.checkpoint([change("a", `+${id}:${"xyz"[id % 3]}:${id}`)]);
  return { warehouse, process, rules };
}

it("merges small manifests, drops what is deleted, and finds nothing more to do", async () => {
  const { warehouse, process } = await someManifests();
  await process.checkpoint([change("a", "+30:x:1"), change("a", "+31:x:1")]);
  await process.checkpoint([change("a", "~3:x:9"), change("a", "-30")]);
  const { plan, done } = await rewrite(warehouse, process);
  expect(plan.manifests).toBeGreaterThan(10);
  expect(done).toMatchObject({ manifestsAfter: 1 });
  expect(done!.bytesAfter).toBeLessThan(done!.bytesBefore);
  const after = await headManifests(warehouse.io, await loaded(warehouse));
  expect(after.map(({ content }) => content).toSorted()).toEqual(["data", "deletes"]);
  expect(after.find(({ content }) => content === "data")).toMatchObject({
    addedFilesCount: 0,
    deletedFilesCount: 0,
    addedSnapshotId: done!.snapshotId,
  });
  expect((await rewrite(warehouse, process)).done).toBeNull();
});

it("gives each manifest a narrow range of partitions", async () => {
  const { warehouse, process } = await someManifests(3, 9_000);
  await rewrite(warehouse, process);
  const data = (await headManifests(warehouse.io, await loaded(warehouse))).filter(({ content }) => content === "data");
  expect(data.length).toBeGreaterThan(1);
  const ranges = data.map(({ partitions }) => {
    const [summary] = partitions ?? [];
    return [summary?.lowerBound, summary?.upperBound].map((bound) => new TextDecoder().decode(bound));
  });
  for (const [i, [lower = ""]] of ranges.entries()) {
    if (i > 0) expect(lower >= ranges[i - 1]![1]!).toBe(true);
  }
});

describe("beside a running job", () => {
  it("commits again when the job came first, and writes anew what it has replaced", async () => {
    const { warehouse, process, rules } = await someManifests(3);
    const job = await Process.start(warehouse, rules);
    let races = 2;
    const catalog = new Proxy(warehouse.catalog, {
      get(given, property) {
        const value: unknown = Reflect.get(given, property, given);
        if (typeof value !== "function") return value;
        return async (...parameters: unknown[]): Promise<unknown> => {
          // The first commit only adds a manifest; the second takes a file out of one of the group's.
          if (property === "commit" && races-- > 0) await job.checkpoint([change("a", races === 1 ? "+20:x:1" : "-3")]);
          return (value as (...all: unknown[]) => unknown).apply(given, parameters);
        };
      },
    });
    const plan = await planManifests(place(warehouse, process), await loaded(warehouse));
    const done = await runManifestRewrite({ ...place(warehouse, process), catalog }, plan);
    expect(done.snapshotId).not.toBeNull();
    const ids = (await tableRows(warehouse.io, warehouse.catalog, IDENT)).map((row) => Number(row.split("|")[0]));
    expect(ids.toSorted((a, b) => a - b)).toEqual([1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 20]);
    await job.checkpoint([change("a", "~1:x:9")]);
  });

  it("stops when the job was started anew since the plan", async () => {
    const { warehouse, process, rules } = await someManifests();
    const plan = await planManifests(place(warehouse, process), await loaded(warehouse));
    await Process.start(warehouse, rules);
    await expect(runManifestRewrite(place(warehouse, process), plan)).rejects.toMatchObject({ code: "EPOCH_CHANGED" });
  });

  it("survives a crash at every step and an answer that is lost", async () => {
    for (const at of ["manifests.write", "maintenance.sent", "maintenance.answered"]) {
      const { warehouse, process, rules } = await someManifests();
      const before = await entries(warehouse);
      process.runtime.onStep = (name) => {
        if (name === at) throw new Error("crash");
      };
      await expect(rewrite(warehouse, process)).rejects.toThrow("crash");
      process.runtime.onStep = () => undefined;
      expect(await entries(warehouse)).toEqual(before);
      await rewrite(warehouse, process);
      expect(await entries(warehouse)).toEqual(before);
      await (await Process.start(warehouse, rules)).checkpoint([change("a", "~1:x:9")]);
    }
    const { warehouse, process } = await someManifests();
    let lost = 2;
    warehouse.fault = (operation) => {
      if (operation === "replace" && lost-- > 0) throw storeGone();
    };
    expect((await rewrite(warehouse, process)).done?.snapshotId).not.toBeNull();
  });
});

/** The first snapshot after an upgrade gives old manifests their row ids: what was written before it would get others. */
it("does not commit manifests that were written before an upgrade gave their rows ids", async () => {
  const { warehouse, process } = await someManifests(2);
  const plan = await planManifests(place(warehouse, process), await loaded(warehouse));
  const foreign = new ForeignWriter(warehouse, "a");
  let upgraded = false;
  const catalog = new Proxy(warehouse.catalog, {
    get(given, property) {
      const value: unknown = Reflect.get(given, property, given);
      if (typeof value !== "function") return value;
      return async (...parameters: unknown[]): Promise<unknown> => {
        if (property === "commit" && !upgraded) {
          upgraded = true;
          await foreign.update([{ action: "upgrade-format-version", formatVersion: 3 }]);
          await process.checkpoint([change("a", "+50:x:1")]);
          ids = (await entries(warehouse)).filter((entry) => entry.startsWith("data"));
        }
        return (value as (...all: unknown[]) => unknown).apply(given, parameters);
      };
    },
  });
  let ids: string[] = [];
  await runManifestRewrite({ ...place(warehouse, process), catalog }, plan);
  expect(ids.length).toBeGreaterThan(10);
  expect((await entries(warehouse)).filter((entry) => entry.startsWith("data"))).toEqual(ids);
});
