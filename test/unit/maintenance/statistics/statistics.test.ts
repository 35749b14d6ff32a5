import { describe, expect, it } from "vitest";
import { runCleaning } from "../../../../src/maintenance/clean-orphans/clean.ts";
import { planOrphans } from "../../../../src/maintenance/clean-orphans/plan.ts";
import { planExpiry, runExpiry } from "../../../../src/maintenance/expire/expire.ts";
import { planStatistics, runStatistics } from "../../../../src/maintenance/statistics/statistics.ts";
import {
  change,
  memoryWarehouse,
  Process,
  storeGone,
  upsertRule,
  type Warehouse,
} from "../../../support/checkpoints.ts";
import { type StatisticsFile, tableStatistics } from "../../../../table-format/index.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { loaded, place } from "../../../support/maintenance.ts";

async function statistics(warehouse: Warehouse): Promise<readonly StatisticsFile[]> {
  return tableStatistics((await loaded(warehouse)).metadata);
}

/** 30 ids in three parts with ten values, one of them null, and rows that are deleted again. */
async function filled(formatVersion: 2 | 3 = 3) {
  const warehouse = memoryWarehouse("object-store");
  const rules = [upsertRule("a", { formatVersion, partitionBy: ["part"] })];
  const process = await Process.start(warehouse, rules);
  const ids = Array.from({ length: 40 }, (_, i) => i);
  await process.checkpoint(
    ids.map((id) => change("a", id % 10 === 9 ? `+${id}:${"xyz"[id % 3]}` : `+${id}:${"xyz"[id % 3]}:${id % 10}`)),
  );
  await process.checkpoint(ids.slice(30).map((id) => change("a", `-${id}`)));
  return { warehouse, process, rules };
}

async function analyze(warehouse: Warehouse, process: Process, columns: readonly string[] | null = null) {
  const plan = await planStatistics(place(warehouse, process), await loaded(warehouse), columns);
  return runStatistics(place(warehouse, process), plan!);
}

it.each([2, 3] as const)("counts the distinct values of live rows, in format version %i", async (formatVersion) => {
  const { warehouse, process } = await filled(formatVersion);
  const done = await analyze(warehouse, process);
  expect(done).toMatchObject({
    rows: 30,
    distinct: new Map([
      ["id", 30n],
      ["part", 3n],
      ["value", 9n],
    ]),
  });
  const [entry, ...others] = await statistics(warehouse);
  expect(others).toEqual([]);
  expect(entry).toMatchObject({ snapshotId: done.snapshotId, path: done.path });
  expect(entry!.blobs.map(({ type, properties }) => [type, properties.ndv])).toEqual(
    ["30", "3", "9"].map((ndv) => ["apache-datasketches-theta-v1", ndv]),
  );
  // The file tells the same of itself (Puffin spec).
  const bytes = Buffer.from(await warehouse.io.read(done.path));
  expect(bytes.length).toBe(Number(entry!.fileSizeBytes));
  const footer = bytes.subarray(bytes.length - Number(entry!.footerSizeBytes));
  expect([footer.subarray(0, 4).toString(), footer.subarray(-4).toString()]).toEqual(["PFA1", "PFA1"]);
  const { blobs } = JSON.parse(footer.subarray(4, -12).toString()) as {
    blobs: { offset: number; length: number; fields: number[]; "snapshot-id": number }[];
  };
  expect(blobs.map(({ fields }) => fields)).toEqual(entry!.blobs.map(({ fields }) => fields));
  expect(blobs.every((blob) => BigInt(blob["snapshot-id"]) === done.snapshotId)).toBe(true);
  // 30 hashes behind a preamble of two longs.
  expect(blobs[0]!.length).toBe(8 * 32);
});

it("replaces the statistics of a snapshot, keeps those of others, and they go when it expires", async () => {
  const { warehouse, process } = await filled();
  const first = await analyze(warehouse, process);
  const second = await analyze(warehouse, process, ["part"]);
  expect((await statistics(warehouse)).map((entry) => entry.path)).toEqual([second.path]);
  await process.checkpoint([change("a", "+77:x:1")]);
  const third = await analyze(warehouse, process);
  expect((await statistics(warehouse)).map((entry) => entry.path)).toEqual([second.path, third.path]);
  const settings = { olderThanMs: -1_000_000, locations: [] };
  const cleaned = await runCleaning(
    place(warehouse, process),
    await planOrphans(place(warehouse, process), await loaded(warehouse), settings),
  );
  expect(cleaned.deleted.filter(({ kind }) => kind === "statistics").map(({ location }) => location)).toEqual([
    first.path,
  ]);
  const policy = { minSnapshotsToKeep: 1, maxSnapshotAgeMs: -1_000_000n };
  await runExpiry(
    place(warehouse, process),
    await planExpiry(place(warehouse, process), await loaded(warehouse), policy),
  );
  expect((await statistics(warehouse)).map((entry) => entry.path)).toEqual([third.path]);
  expect(await warehouse.io.stat(second.path)).toBeNull();
  expect(await warehouse.io.stat(third.path)).not.toBeNull();
});

it("refuses columns that are not there", async () => {
  const { warehouse, process } = await filled();
  await expect(analyze(warehouse, process, ["nix"])).rejects.toMatchObject({ code: "COLUMN_NOT_FOUND" });
});

describe("beside others", () => {
  it("survives crashes, lost answers and commits of a job and of other engines", async () => {
    for (const at of ["statistics.read", "statistics.write", "statistics.sent", "statistics.answered"]) {
      const { warehouse, process, rules } = await filled();
      process.runtime.onStep = (name) => {
        if (name === at) throw new Error("crash");
      };
      await expect(analyze(warehouse, process)).rejects.toThrow("crash");
      process.runtime.onStep = () => undefined;
      await analyze(warehouse, process);
      await (await Process.start(warehouse, rules)).checkpoint([change("a", "+77:x:1")]);
    }
    const { warehouse, process, rules } = await filled();
    const plan = (await planStatistics(place(warehouse, process), await loaded(warehouse), null))!;
    // A job that is started anew, its checkpoint, a change of another engine, and two answers that are lost.
    const job = await Process.start(warehouse, rules);
    await job.checkpoint([change("a", "+77:x:1")]);
    await new ForeignWriter(warehouse, "a").update([{ action: "set-properties", updates: new Map([["owner", "me"]]) }]);
    let lost = 2;
    warehouse.fault = (operation) => {
      if (operation === "replace" && lost-- > 0) throw storeGone();
    };
    const done = await runStatistics(place(warehouse, process), plan);
    expect(done.rows).toBe(30);
    expect((await statistics(warehouse)).map((entry) => entry.snapshotId)).toEqual([plan.snapshot.snapshotId]);
    await job.checkpoint([change("a", "+78:x:1")]);
  });

  it.each([
    ["and its files live on", "+77:x:1"],
    ["with its files", "!"],
  ])("gives up when the snapshot is expired meanwhile, %s", async (_, later) => {
    const { warehouse, process } = await filled();
    const plan = (await planStatistics(place(warehouse, process), await loaded(warehouse), null))!;
    await process.checkpoint([change("a", later)]);
    const policy = { minSnapshotsToKeep: 1, maxSnapshotAgeMs: -1_000_000n };
    await runExpiry(
      place(warehouse, process),
      await planExpiry(place(warehouse, process), await loaded(warehouse), policy),
    );
    await expect(runStatistics(place(warehouse, process), plan)).rejects.toMatchObject({ code: "SNAPSHOT_GONE" });
    expect(await statistics(warehouse)).toEqual([]);
  });
});
