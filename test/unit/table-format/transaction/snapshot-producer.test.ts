import { describe, expect, test } from "vitest";
import { type DataFile, FrazilError, type LiveFile } from "../../../../table-format/index.ts";
import { encodeManifestList } from "../../../../table-format/manifest/manifest-list.ts";
import { planSnapshot } from "../../../../table-format/scan/plan.ts";
import type { SnapshotInput } from "../../../../table-format/transaction/snapshot-producer.ts";
import { dataFile } from "../data-file.ts";
import { data, Manifests, vector } from "./manifests.ts";

describe("one v3 upsert commit: keys in F1, which has vector D1, and in F2; inserts in F3", () => {
  const upsert = async () => {
    const table = new Manifests();
    await table.commit({ addedDataFiles: [data("F1", 10n), data("F2", 20n)] });
    await table.commit({ addedDeleteFiles: [vector("P1", "F1", 2n), vector("P1", "F0", 1n, 90n)] });
    const d1 = await table.live("P1#4");
    const snapshot = await table.commit({
      addedDataFiles: [data("F3", 5n)],
      addedDeleteFiles: [vector("P2", "F1", 3n), vector("P2", "F2", 1n, 44n)],
      removedDeleteFiles: [d1],
      summary: new Map([["ingest.epoch", "7"]]),
    });
    return { table, snapshot, d1 };
  };

  test("manifests hold what was added, replaced and kept", async () => {
    const { table } = await upsert();
    expect(await table.statuses()).toEqual([
      ["added F3@3"],
      ["added F1@1", "added F2@1"],
      ["added P2#4@3", "added P2#44@3"],
      ["deleted P1#4@2", "existing P1#90@2"],
    ]);
    const replaced = (await table.list())[3]!;
    expect((await table.entries(replaced)).map((entry) => entry.snapshotId)).toEqual([102n, 101n]);
    expect(replaced).toMatchObject({
      content: "deletes",
      minSequenceNumber: 2n,
      sequenceNumber: 3n,
      addedFilesCount: 0,
      existingFilesCount: 1,
      deletedFilesCount: 1,
      existingRowsCount: 1n,
      deletedRowsCount: 2n,
    });
  });

  test("row ids go to the new data manifest only", async () => {
    const { table, snapshot } = await upsert();
    expect([snapshot.firstRowId, snapshot.addedRows]).toEqual([30n, 5n]);
    expect((await table.list()).map((manifest) => manifest.firstRowId)).toEqual([30n, 0n, null, null]);
    const { dataFiles } = await planSnapshot(table.io, table.metadata, table.head);
    expect(dataFiles.map(({ file }) => [file.filePath, file.firstRowId])).toEqual([
      ["F3", 30n],
      ["F1", 0n],
      ["F2", 10n],
    ]);
  });

  test("the summary names the change and carries totals forward", async () => {
    const { snapshot } = await upsert();
    expect(Object.fromEntries(snapshot.summary)).toEqual({
      operation: "overwrite",
      "ingest.epoch": "7",
      "added-data-files": "1",
      "added-delete-files": "2",
      "removed-delete-files": "1",
      "added-dvs": "2",
      "removed-dvs": "1",
      "added-records": "5",
      "added-files-size": "1080",
      "removed-files-size": "40",
      "added-position-deletes": "4",
      "removed-position-deletes": "2",
      "changed-partition-count": "1",
      "total-records": "35",
      "total-files-size": "3120",
      "total-data-files": "3",
      "total-delete-files": "3",
      "total-position-deletes": "5",
      "total-equality-deletes": "0",
      "manifests-created": "3",
      "manifests-kept": "1",
      "manifests-replaced": "1",
    });
    expect(snapshot).toMatchObject({ sequenceNumber: 3n, parentSnapshotId: 101n, schemaId: 0 });
  });

  test("a file without live rows leaves with its vector, and neither comes back", async () => {
    const { table } = await upsert();
    const snapshot = await table.commit({ removedDataFiles: [await table.live("F2")] });
    expect(snapshot.summary.get("operation")).toBe("delete");
    expect(snapshot.summary.get("removed-dvs")).toBe("1");
    expect(await table.statuses()).toEqual([
      ["existing F1@1", "deleted F2@1"],
      ["added F3@3"],
      ["existing P2#4@3", "deleted P2#44@3"],
      ["deleted P1#4@2", "existing P1#90@2"],
    ]);
    // The rewritten manifest takes ids as the specification asks, the row ids of its files stay.
    expect((await table.live("F1")).file.firstRowId).toBe(0n);
    expect((await table.list()).map((manifest) => manifest.firstRowId)).toEqual([35n, 30n, null, null]);
    expect(snapshot.addedRows).toBe(10n);
    await table.commit({ removedDeleteFiles: [await table.live("P2#4")], addedDeleteFiles: [vector("P3", "F1", 9n)] });
    expect(await table.statuses()).toEqual([
      ["existing F1@1", "deleted F2@1"],
      ["added F3@3"],
      ["added P3#4@5"],
      ["deleted P2#4@3"],
      ["deleted P1#4@2", "existing P1#90@2"],
    ]);
    await table.commit({});
    expect((await table.statuses()).map((each) => each[0])).toEqual([
      "existing F1@1",
      "added F3@3",
      "added P3#4@5",
      "deleted P1#4@2",
    ]);
  });
});

test("a manifest of DELETED entries alone is listed by the snapshot that wrote it and by no later one", async () => {
  const table = new Manifests();
  await table.commit({ addedDataFiles: [data("A")] });
  await table.commit({ removedDataFiles: [await table.live("A")] });
  expect(await table.statuses()).toEqual([["deleted A@1"]]);
  const empty = await table.commit({});
  expect(await table.statuses()).toEqual([]);
  expect(empty.summary.get("operation")).toBe("append");
  expect(empty.summary.get("total-records")).toBe("0");
});

test("the operation follows what data comes and goes", async () => {
  const table = new Manifests();
  const operation = async (input: Partial<SnapshotInput>) => (await table.commit(input)).summary.get("operation");
  expect(await operation({ addedDataFiles: [data("A"), data("B")] })).toBe("append");
  expect(await operation({ addedDeleteFiles: [vector("P", "A", 1n)] })).toBe("delete");
  expect(await operation({ removedDataFiles: [await table.live("B")] })).toBe("delete");
  expect(await operation({ addedDataFiles: [data("C")], removedDataFiles: [await table.live("A")] })).toBe("overwrite");
  expect(
    await operation({ addedDataFiles: [data("D")], removedDataFiles: [await table.live("C")], operation: "replace" }),
  ).toBe("replace");
});

test("time does not run backwards", async () => {
  const table = new Manifests({ lastUpdatedMs: 9_000n });
  expect((await table.commit({})).timestampMs).toBe(9_000n);
});

describe("totals of the parent", () => {
  test("that are missing stay missing", async () => {
    const table = new Manifests();
    await table.commit({ addedDataFiles: [data("A")] });
    const summary = new Map(table.head.summary);
    summary.delete("total-records");
    summary.set("total-data-files", "many");
    table.metadata = { ...table.metadata, snapshots: [{ ...table.head, summary }] };
    const next = await table.commit({ addedDataFiles: [data("B")] });
    expect(next.summary.has("total-records")).toBe(false);
    expect(next.summary.has("total-data-files")).toBe(false);
    expect(next.summary.get("total-files-size")).toBe("2000");
  });
});

describe("finding removed files", () => {
  const grown = async (commits: number) => {
    const table = new Manifests({ properties: new Map([["commit.manifest-merge.enabled", "false"]]) });
    for (let i = 0; i < commits; i++) await table.commit({ addedDataFiles: [data(`F${i}`)] });
    return table;
  };
  const manifestsRead = (table: Manifests) => table.read.filter((location) => /-m\d+\.avro$/.test(location));

  test("reads only the manifest that the plan named", async () => {
    const table = await grown(40);
    const planned = await table.live("F7");
    table.read.length = 0;
    await table.produce({ removedDataFiles: [planned] });
    expect(manifestsRead(table)).toEqual(["mem://t/metadata/107-a0-m0.avro"]);
  });

  test("looks first into manifests of the snapshot that added the file when none is named", async () => {
    const table = await grown(40);
    const { file, snapshotId, sequenceNumber, fileSequenceNumber } = await table.live("F7");
    table.read.length = 0;
    await table.produce({ removedDataFiles: [{ file, snapshotId, sequenceNumber, fileSequenceNumber }] });
    expect(manifestsRead(table)).toEqual(["mem://t/metadata/107-a0-m0.avro"]);
  });

  test("skips manifests of other partitions", async () => {
    const table = new Manifests({
      partitionSpecs: [{ specId: 0, fields: [{ sourceId: 2, fieldId: 1000, name: "name", transform: "identity" }] }],
      properties: new Map([["commit.manifest-merge.enabled", "false"]]),
    });
    const of = (name: string | null, file: DataFile) => ({ ...file, partition: [name] });
    for (const name of ["a", "b", "c", null]) await table.commit({ addedDataFiles: [of(name, data(`F${name}`))] });
    for (const name of ["a", "b", null])
      await table.commit({ addedDeleteFiles: [of(name, vector(`P${name}`, `F${name}`, 1n))] });
    const { file, ...rest } = await table.live("Fb");
    table.read.length = 0;
    await table.produce({ removedDataFiles: [{ ...rest, file, manifestPath: "merged away" } as LiveFile] });
    expect(manifestsRead(table)).toEqual(["mem://t/metadata/101-a0-m0.avro", "mem://t/metadata/105-a0-m0.avro"]);
  });

  test("a file that is gone is a conflict", async () => {
    const table = await grown(3);
    const gone = await table.live("F1");
    await table.commit({ removedDataFiles: [gone] });
    await expect(table.produce({ removedDataFiles: [gone] })).rejects.toMatchObject({
      kind: "conflict",
      code: "FILE_NOT_LIVE",
    });
    await table.commit({ addedDeleteFiles: [vector("P", "F2", 1n)] });
    const old = await table.live("P#4");
    await table.commit({ addedDeleteFiles: [vector("Q", "F2", 2n)], removedDeleteFiles: [old] });
    await expect(table.produce({ removedDeleteFiles: [old] })).rejects.toMatchObject({ kind: "conflict" });
  });

  test("a second vector beside one that stays is a conflict", async () => {
    const table = await grown(1);
    await table.commit({ addedDeleteFiles: [vector("P", "F0", 1n)] });
    const error = await table.produce({ addedDeleteFiles: [vector("Q", "F0", 2n)] }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FrazilError);
    expect(error).toMatchObject({ kind: "conflict", code: "DELETION_VECTOR_EXISTS" });
  });
});

describe("merging", () => {
  test("joins the newest manifests once there are enough, and keeps sequence numbers and row ids", async () => {
    const table = new Manifests({ properties: new Map([["commit.manifest.min-count-to-merge", "4"]]) });
    for (let i = 0; i < 3; i++) await table.commit({ addedDataFiles: [data(`F${i}`)] });
    expect((await table.list()).length).toBe(3);
    const snapshot = await table.commit({ addedDataFiles: [data("F3")] });
    expect(await table.statuses()).toEqual([["added F3@4", "existing F2@3", "existing F1@2", "existing F0@1"]]);
    const { dataFiles } = await planSnapshot(table.io, table.metadata, table.head);
    expect(dataFiles.map(({ file }) => file.firstRowId)).toEqual([30n, 20n, 10n, 0n]);
    expect((await table.list())[0]!.minSequenceNumber).toBe(1n);
    expect(snapshot.summary.get("manifests-replaced")).toBe("3");
    // Ids for the rows that moved along are left out; no later snapshot may give them again.
    expect([snapshot.firstRowId, snapshot.addedRows]).toEqual([30n, 40n]);
    await table.commit({ addedDataFiles: [data("F4")] });
    expect((await table.live("F4")).file.firstRowId).toBe(70n);
  });

  test("leaves manifests of the target size alone", async () => {
    const table = new Manifests({
      properties: new Map([
        ["commit.manifest.min-count-to-merge", "2"],
        ["commit.manifest.target-size-bytes", "100"],
      ]),
    });
    for (let i = 0; i < 3; i++) await table.commit({ addedDataFiles: [data(`F${i}`)] });
    expect((await table.list()).length).toBe(3);
  });

  test("never joins data with deletes, nor specs", async () => {
    const specs = [0, 1].map((specId) => ({ specId, fields: [] }));
    const table = new Manifests({
      partitionSpecs: specs,
      properties: new Map([["commit.manifest.min-count-to-merge", "2"]]),
    });
    for (let i = 0; i < 3; i++) {
      await table.commit({
        addedDataFiles: [data(`F${i}`), { ...data(`G${i}`), specId: 1 }],
        addedDeleteFiles: [vector(`P${i}`, `F${i}`, 1n)],
      });
    }
    const list = await table.list();
    expect(list.map(({ content, specId }) => [content, specId])).toEqual([
      ["data", 0],
      ["data", 1],
      ["deletes", 0],
    ]);
  });
});

describe("an upgrade from v2 to v3", () => {
  const upgraded = async () => {
    const table = new Manifests({ formatVersion: 2 });
    await table.commit({ addedDataFiles: [data("A"), data("B", 7n)] });
    await table.commit({ addedDataFiles: [data("C")] });
    table.metadata = { ...table.metadata, formatVersion: 3, nextRowId: 0n };
    return table;
  };

  test("the first commit gives every old manifest its range", async () => {
    const table = await upgraded();
    const snapshot = await table.commit({ addedDataFiles: [data("D", 3n)] });
    expect([snapshot.firstRowId, snapshot.addedRows]).toEqual([0n, 30n]);
    const { dataFiles } = await planSnapshot(table.io, table.metadata, table.head);
    expect(dataFiles.map(({ file }) => [file.filePath, file.firstRowId])).toEqual([
      ["D", 0n],
      ["C", 3n],
      ["A", 13n],
      ["B", 23n],
    ]);
  });

  test("files that such a commit moves get theirs from the new manifest", async () => {
    const table = await upgraded();
    await table.commit({ removedDataFiles: [await table.live("A")] });
    const { dataFiles } = await planSnapshot(table.io, table.metadata, table.head);
    expect(dataFiles.map(({ file }) => [file.filePath, file.firstRowId])).toEqual([
      ["B", 0n],
      ["C", 7n],
    ]);
  });

  test("delete files of the wrong kind are refused", async () => {
    const table = await upgraded();
    const positionDeletes = dataFile({ content: "position-deletes", filePath: "del", referencedDataFile: "A" });
    await expect(table.produce({ addedDeleteFiles: [positionDeletes] })).rejects.toMatchObject({ kind: "unsupported" });
    table.metadata = { ...table.metadata, formatVersion: 2 };
    await expect(table.produce({ addedDeleteFiles: [vector("P", "A", 1n)] })).rejects.toMatchObject({
      kind: "unsupported",
    });
    await table.produce({ addedDeleteFiles: [positionDeletes] });
  });
});

test("removing a data file of v2 removes the position delete files that are about it alone", async () => {
  const table = new Manifests({ formatVersion: 2 });
  const path = (text: string) => new Map([[2147483546, Buffer.from(text)]]);
  const shared = dataFile({
    content: "position-deletes",
    filePath: "both",
    lowerBounds: path("A"),
    upperBounds: path("B"),
  });
  const byBounds = dataFile({
    content: "position-deletes",
    filePath: "bounds",
    lowerBounds: path("A"),
    upperBounds: path("A"),
  });
  const byReference = dataFile({ content: "position-deletes", filePath: "reference", referencedDataFile: "A" });
  await table.commit({ addedDataFiles: [data("A"), data("B")] });
  await table.commit({ addedDeleteFiles: [shared, byBounds, byReference] });
  await table.commit({ removedDataFiles: [await table.live("A")] });
  expect(await table.statuses()).toEqual([
    ["deleted A@1", "existing B@1"],
    ["existing both@2", "deleted bounds@2", "deleted reference@2"],
  ]);
});

test("lists of version 1 writers get the counts that later versions require", async () => {
  const table = new Manifests({ formatVersion: 2 });
  await table.commit({ addedDataFiles: [data("A"), data("B", 7n)] });
  const [manifest] = await table.list();
  // What a v1 writer leaves out: written here with zeros, read back as absent through a patched list.
  const without = {
    ...manifest!,
    addedFilesCount: 0,
    existingFilesCount: 9,
    addedRowsCount: 0n,
    existingRowsCount: 0n,
  };
  const options = {
    formatVersion: 2 as const,
    snapshotId: 100n,
    parentSnapshotId: null,
    sequenceNumber: 1n,
    firstRowId: null,
  };
  const bytes = Buffer.from(encodeManifestList(options, [without]));
  // Field ids that no reader knows hide the counts.
  for (const [id, hidden] of [
    ["504", "604"],
    ["505", "605"],
    ["506", "606"],
    ["512", "612"],
    ["513", "613"],
    ["514", "614"],
  ]) {
    bytes.write(`"field-id":${hidden}`, bytes.indexOf(`"field-id":${id}`));
  }
  await table.io.write(table.head.manifestList, new Uint8Array(bytes));
  expect((await table.list())[0]!.addedFilesCount).toBeNull();
  await table.commit({});
  expect((await table.list())[0]).toMatchObject({ addedFilesCount: 2, existingFilesCount: 0, addedRowsCount: 17n });
});

test("each attempt writes files of its own", async () => {
  const table = new Manifests();
  const input = { snapshotId: 7n, addedDataFiles: [data("A")], addedDeleteFiles: [vector("P", "X", 1n)] };
  const first = await table.produce(input, 0);
  const second = await table.produce(input, 1);
  expect(first.writtenFiles).toEqual([
    "mem://t/metadata/7-a0-m0.avro",
    "mem://t/metadata/7-a0-m1.avro",
    "mem://t/metadata/snap-7-a0.avro",
  ]);
  expect(new Set([...first.writtenFiles, ...second.writtenFiles]).size).toBe(6);
});

test("what cannot be meant is refused", async () => {
  const table = new Manifests();
  await table.commit({ addedDataFiles: [data("A")] });
  const fails = (input: Partial<SnapshotInput>) =>
    expect(table.produce(input)).rejects.toMatchObject({ kind: "internal" });
  await fails({ addedDataFiles: [data("B"), data("B")] });
  await fails({ addedDataFiles: [vector("P", "A", 1n)] });
  await fails({ addedDeleteFiles: [data("B")] });
  await fails({ addedDeleteFiles: [vector("P", "A", 1n), vector("Q", "A", 2n)] });
  await fails({ addedDeleteFiles: [vector("P", "A", 1n)], removedDataFiles: [await table.live("A")] });
  table.metadata = { ...table.metadata, formatVersion: 1 };
  await expect(table.produce({ addedDeleteFiles: [vector("P", "A", 1n)] })).rejects.toMatchObject({
    kind: "unsupported",
    hint: /upgrade/,
  });
});
