import { describe, expect, it } from "vitest";
import { comparePlainPoints } from "../../../../src/core/compare-points.ts";
import { planHintRepair } from "../../../../src/maintenance/repair/hint.ts";
import { verifyMetadata } from "../../../../src/maintenance/verify/metadata.ts";
import { verifyPipeline } from "../../../../src/maintenance/verify/pipeline.ts";
import { tableReferences } from "../../../../src/maintenance/verify/references.ts";
import { verifyHint } from "../../../../src/maintenance/verify/version-hint.ts";
import { verifyRows } from "../../../../src/maintenance/verify/rows.ts";
import {
  currentSnapshot,
  type LoadedTable,
  type ManifestFile,
  must,
  planSnapshot,
  readManifestList,
} from "../../../../table-format/index.ts";
import { encodeManifestList } from "../../../../table-format/manifest/manifest-list.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../../support/checkpoints.ts";

const IDENT = { namespace: ["shop"], name: "a" };
const FOLDER = "mem://w/shop/a/metadata";
const HINT = `${FOLDER}/version-hint.text`;
const load = async ({ catalog }: Warehouse): Promise<LoadedTable> => must(await catalog.loadTable(IDENT), "the table");

/** Three checkpoints of a job. */
async function warehouseOf(): Promise<Warehouse> {
  const warehouse = memoryWarehouse("object-store");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  for (const text of ["+1:x:1", "+2:x:2", "+3:x:3"]) await process.checkpoint([change("a", text)]);
  return warehouse;
}

async function dataFilesOf(warehouse: Warehouse) {
  const { metadata } = await load(warehouse);
  const plan = await planSnapshot(warehouse.io, metadata, must(currentSnapshot(metadata), "a snapshot"));
  return plan.dataFiles.map(({ file }) => file);
}

describe("a manifest list that somebody wrote anew", () => {
  async function findingsOf(edit: (list: readonly ManifestFile[]) => readonly ManifestFile[]) {
    const warehouse = await warehouseOf();
    const table = await load(warehouse);
    const snapshot = must(currentSnapshot(table.metadata), "a snapshot");
    const list = edit(await readManifestList(warehouse.io, snapshot));
    await warehouse.io.write(snapshot.manifestList, encodeManifestList({ formatVersion: 3, ...snapshot }, list));
    return (await tableReferences(warehouse.io, table, table.metadata.snapshots)).findings;
  }

  it("is told from one that is whole", async () => expect(await findingsOf((list) => list)).toEqual([]));

  it("and names a manifest twice", async () => {
    const findings = await findingsOf((list) => [...list, must(list[0], "a manifest")]);
    expect(findings.map(({ found }) => found)).toEqual(["1 named again", "4"]);
  });

  it("and leaves one out", async () => {
    const findings = await findingsOf((list) => list.slice(1));
    expect(findings).toMatchObject([
      { check: "manifests", expected: expect.stringMatching(/^3 data files/), found: "2" },
    ]);
  });
});

describe("a data file", () => {
  it("that holds other bytes of the same length is told, and one that is whole is not", async () => {
    const warehouse = await warehouseOf();
    const table = await load(warehouse);
    expect(await verifyRows(warehouse.io, table, new Set(), true)).toEqual([]);
    const [file] = await dataFilesOf(warehouse);
    const { filePath, fileSizeBytes } = must(file, "a data file");
    await warehouse.io.write(filePath, new Uint8Array(Number(fileSizeBytes)).fill(7));
    expect(await verifyRows(warehouse.io, table, new Set(), false)).toMatchObject([{ object: filePath }]);
    expect(await verifyRows(warehouse.io, table, new Set([filePath]), false)).toEqual([]);
  });

  it("with one bit of a page turned is told where all of it is read", async () => {
    const warehouse = await warehouseOf();
    const table = await load(warehouse);
    const [file] = await dataFilesOf(warehouse);
    const { filePath } = must(file, "a data file");
    const bytes = Uint8Array.from(await warehouse.io.read(filePath));
    // The last page ends where the footer begins.
    const footer = new DataView(bytes.buffer).getUint32(bytes.length - 8, true) + 8;
    const at = bytes.length - footer - 2;
    bytes[at] = must(bytes[at], "a byte") ^ 16;
    await warehouse.io.write(filePath, bytes);
    expect(await verifyRows(warehouse.io, table, new Set(), true)).toMatchObject([{ object: filePath }]);
  });
});

it("ids that could be given twice are told", async () => {
  const table = await load(await warehouseOf());
  expect(verifyMetadata(table)).toEqual([]);
  const back = { ...table, metadata: { ...table.metadata, nextRowId: 1n, lastColumnId: 1 } };
  expect(verifyMetadata(back).map(({ expected }) => expected.split(" ")[0])).toEqual(["next-row-id", "last-column-id"]);
});

it("a table whose main and tag were both moved back is told by the ledger", async () => {
  const warehouse = await warehouseOf();
  const place = { ...warehouse, warehouseLocation: "mem://w", pipeline: "test" };
  expect(await verifyPipeline(place, comparePlainPoints)).toEqual([]);
  const { metadata } = await load(warehouse);
  const before = must(currentSnapshot(metadata)?.parentSnapshotId, "a parent");
  const refs = [...metadata.refs].map(
    ([name, ref]) => ({ action: "set-snapshot-ref", name, ref: { ...ref, snapshotId: before } }) as const,
  );
  await warehouse.catalog.commit([{ ident: IDENT, requirements: [], updates: refs }]);
  const findings = await verifyPipeline(place, comparePlainPoints);
  expect(findings.map(({ hint }) => hint).join()).toMatch(
    /moved main and the tag back.*: frazil rollback shop.a --to \d+/,
  );
});

describe("the hint of a table", () => {
  // Once that of a compressed file was put back, and the copy that was named was of the version before.
  it.each(["none", "gzip"])(
    "that names a newer file which is gone is not put back by repair (compressed: %s)",
    async (codec) => {
      const warehouse = await warehouseOf();
      const property = new Map([["write.metadata.compression-codec", codec]]);
      const updates = [{ action: "set-properties", updates: property } as const];
      await warehouse.catalog.commit([{ ident: IDENT, requirements: [], updates }]);
      const { metadataLocation } = await load(warehouse);
      const bytes = await warehouse.io.read(metadataLocation);
      await warehouse.io.delete(metadataLocation);
      const { repairs, refusals } = await planHintRepair(warehouse.io, IDENT, "mem://w/shop/a");
      expect([repairs, refusals.length]).toEqual([[], 1]);
      const [copy] = /\S+\/metadata\/v\d+(?:\.gz)?\.metadata\.json/.exec(refusals[0]?.hint ?? "") ?? [];
      expect(await warehouse.io.read(copy ?? "")).toEqual(bytes);
    },
  );

  // Once a job that made two commits while verify looked at the other parts of a large table was told to have put the hint back.
  it("is not behind where a job has gone on since the table was loaded", async () => {
    const warehouse = await warehouseOf();
    const process = await Process.start(warehouse, [upsertRule("a")]);
    const table = await load(warehouse);
    const before = await warehouse.io.read(HINT);
    for (const text of ["+4:x:4", "+5:x:5"]) await process.checkpoint([change("a", text)]);
    expect(await verifyHint(warehouse, table)).toEqual([]);
    await warehouse.io.write(HINT, before);
    expect(await verifyHint(warehouse, table)).toMatchObject([{ found: table.metadataLocation }]);
  });

  it("is left alone when a job commits while repair looks", async () => {
    const warehouse = await warehouseOf();
    const right = await warehouse.io.read(HINT);
    const process = await Process.start(warehouse, [upsertRule("a")]);
    let committed = false;
    const io = new Proxy(warehouse.io, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        if (property === "readTagged") return (location: string) => thenCommit(target.readTagged(location));
        if (property !== "list") return value.bind(target) as unknown;
        return async function* (location: string) {
          yield* await thenCommit(Array.fromAsync(target.list(location)));
        };
      },
    });
    /** Whatever repair reads first, the job commits behind it. */
    async function thenCommit<T>(reading: Promise<T>): Promise<T> {
      const read = await reading;
      if (!committed) {
        committed = true;
        await process.checkpoint([change("a", "+4:x:4")]);
      }
      return read;
    }
    const { repairs, refusals } = await planHintRepair(io, IDENT, "mem://w/shop/a");
    expect(committed).toBe(true);
    expect([repairs, refusals]).toEqual([[], []]);
    expect(await warehouse.io.read(HINT)).not.toEqual(right);
  });
});
