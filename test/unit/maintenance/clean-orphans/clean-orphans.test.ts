import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Catalog, currentSchema, type FileIO, FrazilError } from "../../../../table-format/index.ts";
import { setTag } from "../../../../src/commit/tag-snapshot.ts";
import { runCleaning } from "../../../../src/maintenance/clean-orphans/clean.ts";
import { planOrphans } from "../../../../src/maintenance/clean-orphans/plan.ts";
import { runCompaction } from "../../../../src/maintenance/compact/compact.ts";
import { planCompaction } from "../../../../src/maintenance/compact/plan.ts";
import { sortArrangement } from "../../../../src/maintenance/compact/arrangement.ts";
import { planExpiry, runExpiry } from "../../../../src/maintenance/expire/expire.ts";
import {
  change,
  memoryWarehouse,
  Process,
  storeGone,
  upsertRule,
  type Warehouse,
} from "../../../support/checkpoints.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { filesOf, IDENT, loaded, place, stored } from "../../../support/maintenance.ts";
import { tableRows } from "../../../support/table-rows.ts";

/** The virtual clocks hardly move: with this every file is old, and with the other none. */
const ALL_OLD = -1_000_000;
const ALL_YOUNG = 1_000_000_000;
const FOLDER = "mem://w/shop/a";

const bytes = new TextEncoder().encode("garbage");

async function orphans(warehouse: Warehouse, process: Process, olderThanMs = ALL_OLD) {
  const settings = { olderThanMs, foreign: true, locations: [] };
  const plan = await planOrphans(place(warehouse, process), await loaded(warehouse), settings);
  return plan.orphans.map(({ location }) => location);
}

async function clean(
  warehouse: Warehouse,
  process: Process,
  given: { olderThanMs?: number; candidatesHeld?: number } = {},
) {
  const settings = { olderThanMs: ALL_OLD, foreign: true, locations: [], ...given };
  const plan = await planOrphans(place(warehouse, process), await loaded(warehouse), settings);
  return runCleaning(place(warehouse, process), plan);
}

/** What of the table is stored that nothing needs, metadata files included, but for the copies of versions that go with commits. */
async function garbage(warehouse: Warehouse): Promise<Set<string>> {
  const { metadata, metadataLocation } = await loaded(warehouse);
  const needed = await filesOf(warehouse.io, metadata, metadata.snapshots);
  needed.add(metadataLocation);
  for (const { metadataFile } of metadata.metadataLog) needed.add(metadataFile);
  const left = new Set<string>();
  const versionOf = (location: string): number => Number(/\/(\d+)-[^/]*$/.exec(location)?.[1]) + 1;
  const versions = [metadataLocation, ...metadata.metadataLog.map(({ metadataFile }) => metadataFile)].map(versionOf);
  const [first, current] = [Math.min(...versions), versionOf(metadataLocation)];
  for await (const { location } of warehouse.io.list(FOLDER)) {
    const copy = Number(/\/metadata\/v(\d+)\.metadata\.json$/.exec(location)?.[1]);
    const isCopy = copy >= first && copy <= current;
    if (!needed.has(location) && !location.endsWith("version-hint.text") && !isCopy) left.add(location);
  }
  return left;
}

/** Statistics of another engine, a file of one beside the table's, and files that are nobody's business. */
async function litter(io: FileIO, mark: string): Promise<string[]> {
  const garbageFiles = [
    `${FOLDER}/data/00000-1-${mark}.parquet`,
    `${FOLDER}/data/p=1/00000-1-${mark}-deletes.puffin`,
    `${FOLDER}/metadata/${mark}-m0.avro`,
    `${FOLDER}/metadata/snap-1-0-${mark}.avro`,
    `${FOLDER}/metadata/${mark}.stats`,
    `${FOLDER}/metadata/00000-${mark}.metadata.json`,
  ];
  const strange = [
    `${FOLDER}/_ingest/x/ledger.json`,
    `${FOLDER}/metadata/v99999.metadata.json`,
    `${FOLDER}/data/_temporary/${mark}.parquet`,
    `${FOLDER}/notes.txt`,
    // The next version of a commit that is under way.
    `${FOLDER}/metadata/99999-${mark}.metadata.json`,
  ];
  for (const location of [...garbageFiles, ...strange]) await io.write(location, bytes);
  return strange;
}

/** The catalog, with something to wait for before each call of a verb. */
function beforeEach(catalog: Catalog, verb: string, wait: () => Promise<void>): Catalog {
  return new Proxy(catalog, {
    get(given, property) {
      const value: unknown = Reflect.get(given, property, given);
      if (typeof value !== "function") return value;
      return async (...parameters: unknown[]): Promise<unknown> => {
        if (property === verb) await wait();
        return (value as (...all: unknown[]) => unknown).apply(given, parameters);
      };
    },
  });
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("change" as const), id: fc.integer({ min: 0, max: 5 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: "tag" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "compact" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "expire" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "foreign" as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("crash" as const), at: fc.nat({ max: 12 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("clean" as const), candidatesHeld: fc.constantFrom(1, 3, 1000) }),
  },
);

it.each([
  ["memory", 2],
  ["memory", 3],
  ["object-store", 3],
] as const)(
  "deletes exactly what nothing reaches, after crashes, compactions and expiries, in a %s catalog and format version %i",
  async (kind, formatVersion) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (script) => {
        const warehouse = memoryWarehouse(kind);
        const start = () => Process.start(warehouse, [upsertRule("a", { formatVersion })]);
        let process = await start();
        await process.checkpoint([change("a", "+1:x:1"), change("a", "+2:x:2")]);
        const foreign = new ForeignWriter(warehouse, "a");
        const strange = new Set<string>();
        for (const [index, one] of [...script, { do: "clean" as const, candidatesHeld: 1000 }].entries()) {
          const before = await tableRows(warehouse.io, warehouse.catalog, IDENT);
          if (one.do === "change") {
            await process.checkpoint([change("a", `~${one.id}:x:${index}`)]);
          } else if (one.do === "tag") {
            await setTag(
              { catalog: warehouse.catalog, runtime: process.runtime },
              await loaded(warehouse),
              `t${index}`,
              (await loaded(warehouse)).metadata.currentSnapshotId,
            );
          } else if (one.do === "compact") {
            const plan = await planCompaction(place(warehouse, process), await loaded(warehouse), {
              targetSizeBytes: 1 << 20,
              minFiles: 2,
            });
            await Array.fromAsync(runCompaction(place(warehouse, process), plan));
          } else if (one.do === "foreign") {
            await foreign.append([{ id: BigInt(100 + index), part: "f", value: 1n }]);
            for (const location of await litter(warehouse.io, `x${index}`)) strange.add(location);
          } else if (one.do === "expire") {
            const plan = await planExpiry(place(warehouse, process), await loaded(warehouse), {
              minSnapshotsToKeep: 1,
              maxSnapshotAgeMs: BigInt(ALL_OLD),
            });
            // And ends before it deletes.
            process.runtime.onStep = (name) => {
              if (name === "expire.delete") throw new Error("crash");
            };
            await runExpiry(place(warehouse, process), plan).catch(() => undefined);
            process.runtime.onStep = () => undefined;
          } else if (one.do === "crash") {
            let steps = 0;
            process.runtime.onStep = () => {
              if (steps++ === one.at) throw new Error("crash");
            };
            await process.checkpoint([change("a", `~3:x:${index}`)]).catch(() => undefined);
            process = await start();
          } else {
            const report = await clean(warehouse, process, one);
            expect(report.notDeleted).toEqual([]);
            expect(await garbage(warehouse)).toEqual(strange);
            expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(before);
          }
        }
        const { metadata } = await loaded(warehouse);
        for (const file of await filesOf(warehouse.io, metadata, metadata.snapshots)) {
          expect(await warehouse.io.stat(file)).not.toBeNull();
        }
        await (await start()).checkpoint([change("a", "~1:x:7")]);
      }),
      { numRuns: 15 },
    );
  },
);

describe("of young files", () => {
  const young = async () => {
    const warehouse = memoryWarehouse("object-store");
    const process = await Process.start(warehouse, [upsertRule("a")]);
    await process.checkpoint([change("a", "+1:x:1")]);
    // The tag is under epoch 2 from here on.
    const next = await Process.start(warehouse, [upsertRule("a")]);
    await next.checkpoint([change("a", "~1:x:2")]);
    return { warehouse, process: next };
  };
  const epoch = (text: string) => text.padStart(10, "0");

  it("deletes those of an epoch below the pipeline's, and no others", async () => {
    const { warehouse, process } = await young();
    const named = (e: string, scope: string, end: string) => `test-e${epoch(e)}-${scope}-${end}`;
    const decided = [
      `data/${named("1", "c000000000009", "w00-0000-0123abcd.parquet")}`,
      `data/p=1/${named("1", "c000000000009", "pd-0000-0123abcd.parquet")}`,
      `data/${named("1", "c000000000001", "dv-0123abcd.puffin")}`,
      `data/${named("1", "k0123456789abcdef", "w00-0000-0123abcd.parquet")}`,
      `metadata/${named("1", "c000000000001", "a0-m0-0123abcd.avro")}`,
    ];
    const kept = [
      `data/${named("2", "c000000000001", "w00-0000-0123abcd.parquet")}`,
      `data/${named("2", "c000000000099", "w00-0000-0123abcd.parquet")}`,
      `data/${named("2", "k0123456789abcdef", "w00-0000-0123abcd.parquet")}`,
      `data/${named("3", "c000000000001", "w00-0000-0123abcd.parquet")}`,
      `data/other-e${epoch("1")}-c000000000001-w00-0000-0123abcd.parquet`,
      "data/frazil-k0123456789abcdef-w00-0000-0123abcd.parquet",
      "data/00000-1-foreign.parquet",
      "metadata/snap-17-a0-0123abcd.avro",
      "metadata/00000-0bcf5e2b.metadata.json",
    ];
    for (const path of [...decided, ...kept]) await warehouse.io.write(`${FOLDER}/${path}`, bytes);
    const found = await orphans(warehouse, process, ALL_YOUNG);
    expect(new Set(found)).toEqual(new Set(decided.map((path) => `${FOLDER}/${path}`)));
    // Of a checkpoint that is still to come, and of an epoch that is not fenced in yet: never, however old.
    const later = await orphans(warehouse, process);
    for (const path of [kept[1], kept[3]]) expect(later).not.toContain(`${FOLDER}/${path}`);
    expect(later.length).toBe(decided.length + kept.length - 2);
  });

  it("keeps what only an older version of the table reaches, as long as that version is young", async () => {
    const { warehouse, process } = await young();
    for (let value = 3; value < 6; value++) await process.checkpoint([change("a", `~1:x:${value}`)]);
    const plan = await planExpiry(place(warehouse, process), await loaded(warehouse), {
      minSnapshotsToKeep: 1,
      maxSnapshotAgeMs: BigInt(ALL_OLD),
    });
    // Takes the snapshots out and leaves their files.
    process.runtime.onStep = (name) => {
      if (name === "expire.delete") throw new Error("crash");
    };
    await expect(runExpiry(place(warehouse, process), plan)).rejects.toThrow("crash");
    process.runtime.onStep = () => undefined;
    const left = await garbage(warehouse);
    expect(left.size).toBeGreaterThan(3);
    expect(await orphans(warehouse, process, ALL_YOUNG)).toEqual([]);
    expect(new Set(await orphans(warehouse, process))).toEqual(left);
  });
});

/** The next version's file is written before the commit that names it; one of the current version's number has lost its race. */
it("takes old metadata files for garbage up to the current version, and none above it", async () => {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  const current = Number(/\/(\d{5})-[^/]*$/.exec((await loaded(warehouse)).metadataLocation)?.[1]);
  const file = (version: number) => `${FOLDER}/metadata/${String(version).padStart(5, "0")}-lost.metadata.json`;
  for (const version of [current - 1, current, current + 1]) await warehouse.io.write(file(version), bytes);
  expect(await orphans(warehouse, process)).toEqual([file(current - 1), file(current)]);
  expect(await orphans(warehouse, process, ALL_YOUNG)).toEqual([]);
});

it("keeps a checkpoint's files when it is committed between the listing and the load", async () => {
  const warehouse = memoryWarehouse("object-store");
  const before = await Process.start(warehouse, [upsertRule("a")]);
  await before.checkpoint([change("a", "+1:x:1")]);
  const table = await loaded(warehouse);
  let listed!: () => void;
  let committed!: () => void;
  const whenListed = new Promise<void>((resolve) => void (listed = resolve));
  const whenCommitted = new Promise<void>((resolve) => void (committed = resolve));
  const cleaner = place(warehouse, before);
  before.runtime.onStep = (name) => {
    if (name === "orphans.listed") listed();
  };
  const slow = beforeEach(warehouse.catalog, "loadTable", () => whenCommitted);
  let plan: ReturnType<typeof planOrphans> | undefined;
  const catalog = beforeEach(warehouse.catalog, "commit", async () => {
    // The second process's checkpoint: its files are written, and nothing names them yet.
    if (!started || plan !== undefined) return;
    plan = planOrphans({ ...cleaner, catalog: slow }, table, { olderThanMs: ALL_OLD, foreign: true, locations: [] });
    await whenListed;
  });
  let started = false;
  const job = await Process.start({ ...warehouse, catalog }, [upsertRule("a")]);
  started = true;
  await job.checkpoint([change("a", "+2:x:2")]);
  committed();
  const found = await plan!;
  expect(found.listed).toBeGreaterThan(0);
  await runCleaning(cleaner, found);
  expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(["1|x|1", "2|x|2"]);
});

it("keeps a checkpoint's files however old they are, as its process may have been suspended", async () => {
  const warehouse = memoryWarehouse("object-store");
  let cleaned: number | null = null;
  const io: FileIO = new Proxy(warehouse.io, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function" || property === "list") return value;
      return async (...given: unknown[]): Promise<unknown> => {
        if (property === "write" && cleaned === null && /-c\d{11}2-a0-m0-/.test(String(given[0]))) {
          // The data files are there, and no manifest yet.
          cleaned = (await clean(warehouse, job)).deleted.length;
        }
        return (value as (...all: unknown[]) => unknown).apply(target, given);
      };
    },
  });
  const job = await Process.start({ ...warehouse, io }, [upsertRule("a")]);
  await job.checkpoint([change("a", "+1:x:1")]);
  await job.checkpoint([change("a", "+2:x:2")]);
  expect(cleaned).not.toBeNull();
  expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(["1|x|1", "2|x|2"]);
});

// The name of a manifest list once told no epoch: it was swept by its age, and the process that went on committed a snapshot without one.
it("keeps a checkpoint's manifest list however old it is", async () => {
  const warehouse = memoryWarehouse("object-store");
  const before = await Process.start(warehouse, [upsertRule("a")]);
  await before.checkpoint([change("a", "+1:x:1")]);
  let commits = 0;
  const catalog = beforeEach(warehouse.catalog, "commit", async () => {
    // Behind the fence: all files of the checkpoint are there, and nothing names them yet.
    if (commits++ === 1) await clean(warehouse, before);
  });
  const job = await Process.start({ ...warehouse, catalog }, [upsertRule("a")]);
  await job.checkpoint([change("a", "+2:x:2")]);
  expect(commits).toBe(2);
  expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(["1|x|1", "2|x|2"]);
});

it.each([
  [0, true],
  [0.9, true],
  [1.1, false],
  [100, false],
  [-100, true],
])("with a clock that is %d hours ahead of the store's: %s", async (hours, deletes) => {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  await litter(warehouse.io, "x");
  const { clock } = process.runtime;
  const aheadMs = hours * 3_600_000;
  const runtime = { ...process.runtime, clock: { ...clock, nowMs: () => clock.nowMs() + aheadMs } };
  const here = { ...place(warehouse, process), runtime };
  const settings = { olderThanMs: ALL_OLD + aheadMs, foreign: true, locations: [] };
  const plan = await planOrphans(here, await loaded(warehouse), settings);
  const before = await stored(warehouse.io);
  if (deletes) expect((await runCleaning(here, plan)).deleted.length).toBe(6);
  else {
    await expect(runCleaning(here, plan)).rejects.toMatchObject({ code: "CLOCK_AHEAD", kind: "config" });
    expect(await stored(warehouse.io)).toEqual(before);
  }
});

describe("while it deletes", () => {
  const littered = async () => {
    const warehouse = memoryWarehouse("object-store");
    const process = await Process.start(warehouse, [upsertRule("a")]);
    await process.checkpoint([change("a", "+1:x:1")]);
    await litter(warehouse.io, "x");
    return { warehouse, process, needed: await stored(warehouse.io) };
  };

  it("can crash at every step, and the next run finishes", async () => {
    for (const at of ["orphans.listed", "orphans.delete"]) {
      const { warehouse, process } = await littered();
      process.runtime.onStep = (name) => {
        if (name === at) throw new Error("crash");
      };
      await expect(clean(warehouse, process)).rejects.toThrow("crash");
      process.runtime.onStep = () => undefined;
      expect((await clean(warehouse, process)).deleted.length).toBe(6);
      expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(["1|x|1"]);
    }
  });

  it("goes on where somebody else has deleted a file, waits for a store that is away, and names what it refuses", async () => {
    const { warehouse, process } = await littered();
    const plan = await planOrphans(place(warehouse, process), await loaded(warehouse), {
      olderThanMs: ALL_OLD,
      foreign: true,
      locations: [],
    });
    const [first, second] = plan.orphans;
    await warehouse.io.delete(first!.location);
    let outages = 5;
    warehouse.fault = (operation, location) => {
      if (operation !== "delete") return;
      if (location === second!.location) throw new FrazilError("permission", "DENIED", "no right to delete");
      if (outages-- > 0) throw storeGone();
    };
    const report = await runCleaning(place(warehouse, process), plan);
    expect(report.notDeleted).toEqual([second!.location]);
    expect(report.deleted.length).toBe(plan.orphans.length - 1);
    warehouse.fault = (operation) => {
      if (operation === "delete") throw storeGone();
    };
    await expect(runCleaning(place(warehouse, process), plan)).rejects.toMatchObject({ kind: "unavailable" });
  });

  it.each([
    // Spelled as another engine might.
    "mem2://w/shop/a//data/l%61te.parquet",
    // By way of a symbolic link, or of another name of the same store.
    "mem://w/lake/current/shop/a/data/late.parquet",
    "mem:///mnt/Shop/A/data/late.parquet",
  ])("keeps what the table has come to reach since the plan as %s", async (filePath) => {
    const { warehouse, process } = await littered();
    const [encoded] = (await new ForeignWriter(warehouse, "a").load()).metadata.snapshots;
    expect(encoded).toBeDefined();
    const location = `${FOLDER}/data/late.parquet`;
    await warehouse.io.write(location, bytes);
    const plan = await planOrphans(place(warehouse, process), await loaded(warehouse), {
      olderThanMs: ALL_OLD,
      foreign: true,
      locations: [],
    });
    expect(plan.orphans.map((each) => each.location)).toContain(location);
    const empty = {
      recordCount: 0n,
      fileSizeBytes: 7n,
      columnSizes: null,
      valueCounts: null,
      nullValueCounts: null,
      nanValueCounts: null,
      lowerBounds: null,
      upperBounds: null,
      splitOffsets: null,
    };
    await new ForeignWriter(warehouse, "a").addFiles([{ filePath, ...empty }]);
    const report = await runCleaning(place(warehouse, process), plan);
    expect(report.kept).toBe(1);
    expect(await warehouse.io.stat(location)).not.toBeNull();
  });

  it("deletes nothing of a table that was replaced since", async () => {
    const { warehouse, process } = await littered();
    const table = await loaded(warehouse);
    const plan = await planOrphans(place(warehouse, process), table, {
      olderThanMs: ALL_OLD,
      foreign: true,
      locations: [],
    });
    const other = { ...plan, table: { ...table, metadata: { ...table.metadata, tableUuid: "another" } } };
    await expect(runCleaning(place(warehouse, process), other)).rejects.toMatchObject({ code: "TABLE_REPLACED" });
  });
});

it("takes what an interrupted sort left behind for garbage by its age", async () => {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+3:x:1"), change("a", "+1:x:2")]);
  await process.checkpoint([change("a", "+2:x:2")]);
  const { metadata } = await loaded(warehouse);
  const plan = await planCompaction(place(warehouse, process), await loaded(warehouse), {
    targetSizeBytes: 1 << 20,
    minFiles: 2,
    memoryBytes: 64,
    arrangement: sortArrangement(metadata, currentSchema(metadata), ["id"]),
  });
  // The process dies: it removes nothing more.
  warehouse.fault = (operation, location) => {
    if (operation === "delete" && location.includes("/_scratch/")) throw storeGone();
  };
  await Array.fromAsync(runCompaction(place(warehouse, process), plan)).catch(() => undefined);
  warehouse.fault = () => undefined;
  const runs = (await Array.fromAsync(warehouse.io.list(`${FOLDER}/_scratch`))).map(({ location }) => location);
  expect(runs.length).toBeGreaterThan(0);
  expect(await orphans(warehouse, process, ALL_YOUNG)).not.toContain(runs[0]);
  expect(await orphans(warehouse, process)).toEqual(expect.arrayContaining(runs));
});
