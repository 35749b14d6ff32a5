import fc from "fast-check";
import { expect, it } from "vitest";
import { NeededFiles } from "../../../../src/maintenance/clean-orphans/needed-files.ts";
import { planExpiry, runExpiry } from "../../../../src/maintenance/expire/expire.ts";
import {
  type FileIO,
  parseTableMetadata,
  readManifest,
  readManifestList,
  statisticsPaths,
  type TableUpdate,
} from "../../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../../support/checkpoints.ts";
import { IDENT, loaded, place } from "../../../support/maintenance.ts";

const ALWAYS = 0;

/** A table with a checkpoint. */
async function begun() {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint([change("a", "+1:x:1")]);
  return { warehouse, process };
}

async function commit({ catalog }: Warehouse, ...updates: TableUpdate[]): Promise<void> {
  expect(await catalog.commit([{ ident: IDENT, requirements: [], updates }])).toMatchObject({ outcome: "committed" });
}

/** Takes all snapshots out that need not stay, and leaves their files. */
async function expire(warehouse: Warehouse, process: Process): Promise<void> {
  const policy = { minSnapshotsToKeep: 1, maxSnapshotAgeMs: -1_000_000n };
  const plan = await planExpiry(place(warehouse, process), await loaded(warehouse), policy);
  process.runtime.onStep = (name) => {
    if (name === "expire.delete") throw new Error("crash");
  };
  await runExpiry(place(warehouse, process), plan).catch(() => undefined);
  process.runtime.onStep = () => undefined;
}

async function setStatistics(warehouse: Warehouse, path: string): Promise<void> {
  const snapshotId = (await loaded(warehouse)).metadata.currentSnapshotId!;
  const statistics = { snapshotId, path, fileSizeBytes: 1n, footerSizeBytes: 1n, blobs: [] };
  await commit(warehouse, { action: "set-statistics", statistics });
}

/** What all versions reach that the log names, read one by one. */
async function reachedByAll(
  io: FileIO,
  warehouse: Warehouse,
): Promise<{ files: Set<string>; statistics: Set<string> }> {
  const { metadata, metadataLocation } = await loaded(warehouse);
  const log = metadata.metadataLog.map(({ metadataFile }) => metadataFile);
  const files = new Set([metadataLocation, ...log]);
  const statistics = new Set<string>();
  for (const location of [...log, metadataLocation]) {
    const version = parseTableMetadata(await io.read(location), location);
    for (const path of statisticsPaths(version)) statistics.add(path);
    for (const snapshot of version.snapshots) {
      files.add(snapshot.manifestList);
      for (const manifest of await readManifestList(io, snapshot)) {
        files.add(manifest.path);
        for (const { status, file } of await readManifest(io, version, manifest)) {
          if (status !== "deleted") files.add(file.filePath);
        }
      }
    }
  }
  return { files, statistics };
}

/** A store that notes which metadata files are read. */
function noting(io: FileIO): { readonly io: FileIO; readonly versions: string[] } {
  const versions: string[] = [];
  const noted = new Proxy(io, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== "function") return member;
      return (...given: unknown[]): unknown => {
        if (key === "read" && String(given[0]).endsWith("metadata.json")) versions.push(String(given[0]));
        return member.apply(target, given) as unknown;
      };
    },
  });
  return { io: noted, versions };
}

const step = fc.constantFrom("change", "change", "change", "expire", "property", "statistics", "look");

it("reaches what all versions reach, without reading most of them", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), fc.boolean(), async (script, all) => {
      const { warehouse, process } = await begun();
      const files = new Set<string>();
      // Asked twice of the same candidates: between plan and cleaning.
      const needed = new NeededFiles(warehouse.io, ALWAYS);
      const look = async (): Promise<void> => {
        const table = await loaded(warehouse);
        await needed.present(table, (location) => files.add(location));
        await needed.earlier(
          table,
          (location) => files.add(location),
          () => all,
        );
        const expected = await reachedByAll(warehouse.io, warehouse);
        for (const path of expected.files) expect(files).toContain(path);
        if (all) for (const path of expected.statistics) expect(files).toContain(path);
        for (const path of files) expect(expected.files.has(path) || expected.statistics.has(path)).toBe(true);
      };
      for (const [index, one] of script.entries()) {
        if (one === "change") await process.checkpoint([change("a", `~${index % 4}:x:${index}`)]);
        else if (one === "expire") await expire(warehouse, process);
        else if (one === "statistics") await setStatistics(warehouse, `mem://w/shop/a/metadata/${index}.stats`);
        else if (one === "look") await look();
        else await commit(warehouse, { action: "set-properties", updates: new Map([["turn", String(index)]]) });
      }
      await look();
    }),
    { numRuns: 10 },
  );
});

it("reads the oldest version, and the others only where snapshots came and went between those that were read", async () => {
  const { warehouse, process } = await begun();
  for (let turn = 0; turn < 20; turn++) await process.checkpoint([change("a", `~1:x:${turn}`)]);
  const { io, versions } = noting(warehouse.io);
  const ask = async (needed: NeededFiles): Promise<number> => {
    versions.length = 0;
    const table = await loaded(warehouse);
    await needed.present(table, () => undefined);
    await needed.earlier(
      table,
      () => undefined,
      () => false,
    );
    return versions.length;
  };
  const needed = new NeededFiles(io, ALWAYS);
  expect(await ask(needed)).toBe(1);
  expect(await ask(needed)).toBe(0);
  for (let turn = 0; turn < 10; turn++) await process.checkpoint([change("a", `~1:x:${turn}`)]);
  expect(await ask(needed)).toBe(0);
  await expire(warehouse, process);
  for (let turn = 0; turn < 10; turn++) await process.checkpoint([change("a", `~1:x:${turn}`)]);
  // Of ten commits, and of forty: as many more as it takes to find the expiry.
  expect(await ask(needed)).toBeLessThanOrEqual(6);
  expect(await ask(new NeededFiles(io, ALWAYS))).toBeLessThanOrEqual(9);
});
