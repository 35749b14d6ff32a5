// Rules of Java's operations that stand in no pair of `conflicts.test.ts`: table-format/README.md lists them method by method.
import { describe, expect, test } from "vitest";
import {
  appendFiles,
  createBranch,
  currentSnapshot,
  type DataFile,
  deleteDataFiles,
  encodeValue,
  expireSnapshots,
  fastAppend,
  type LiveFile,
  overwriteFiles,
  type PartitionSpec,
  readManifestList,
  replacePartitions,
  replaceRef,
  RoaringBitmap,
  rewriteFiles,
  rowDelta,
  type Snapshot,
  updateSchema,
  updateSpec,
  type Value,
  writeDeletionVectors,
} from "../../../../table-format/index.ts";
import { readManifest } from "../../../../table-format/manifest/manifest-reader.ts";
import { BY_PART, equalityDeletes, file, vector, WrittenTable } from "./written-table.ts";

const long = { kind: "long" } as const;
const bound = (value: bigint) => new Map([[1, encodeValue(long, value)]]);
/** A file whose ids lie between two values. */
const withIds = (given: DataFile, low: bigint, high: bigint): DataFile => ({
  ...given,
  lowerBounds: bound(low),
  upperBounds: bound(high),
  valueCounts: new Map([[1, given.recordCount]]),
  nullValueCounts: new Map([[1, 0n]]),
});
const isPart = (value: string) => ({ type: "eq", term: "part", value }) as const;

/** A table of A and B in partition a and of C in b. */
async function three(given: Parameters<typeof WrittenTable.create>[0] = {}) {
  const table = await WrittenTable.create({ spec: BY_PART, ...given });
  await table.commit(appendFiles({ dataFiles: [file("A", "a"), file("B", "a"), file("C", "b")] }));
  return table;
}

async function liveDeletes(table: WrittenTable): Promise<LiveFile[]> {
  const { metadata } = await table.load();
  const manifests = (await readManifestList(table.io, await table.head())).filter(
    ({ content }) => content === "deletes",
  );
  const entries = await Promise.all(manifests.map((manifest) => readManifest(table.io, metadata, manifest)));
  return entries.flat().filter(({ status }) => status !== "deleted");
}
const namesOf = (files: readonly LiveFile[]) => files.map((each) => each.file.filePath).sort();

describe("deletes that came since", () => {
  test("conflict only where their keys can meet the file's (DeleteFileIndex.forDataFile)", async () => {
    const table = await WrittenTable.create();
    await table.commit(appendFiles({ dataFiles: [withIds(file("A"), 1n, 9n), withIds(file("B"), 20n, 29n)] }));
    const known = await table.load();
    const rewrites = await Promise.all(
      ["A", "B"].map(async (name) =>
        rewriteFiles({ deletedFiles: [await table.liveFile(name)], addedFiles: [file(`new ${name}`)] }),
      ),
    );
    await table.commit(rowDelta({ deleteFiles: [withIds(equalityDeletes("E"), 22n, 23n)] }));
    await table.commitFrom(known, rewrites[0]!);
    await expect(table.commitFrom(known, rewrites[1]!)).rejects.toMatchObject({ code: "CONFLICTING_DELETES" });
  });

  test("apply everywhere when their spec is void throughout (PartitionSpec.isUnpartitioned)", async () => {
    const nothing: PartitionSpec = {
      specId: 0,
      fields: [{ sourceId: 2, fieldId: 1000, name: "part", transform: "void" }],
    };
    const table = await WrittenTable.create({ spec: nothing });
    await table.commit(updateSpec([{ change: "add-field", term: "bucket(4, id)" }]));
    const bucketed = (name: string): DataFile => ({ ...file(name), specId: 1, partition: [null, 1] });
    await table.commit(appendFiles({ dataFiles: [bucketed("A")] }));
    const known = await table.load();
    const ours = rewriteFiles({ deletedFiles: [await table.liveFile("A")], addedFiles: [bucketed("N")] });
    const replacing = replacePartitions({ dataFiles: [file("R", null)] });
    await table.commit(rowDelta({ deleteFiles: [{ ...equalityDeletes("E"), partition: [null] }] }));
    await expect(table.commitFrom(known, ours)).rejects.toMatchObject({ code: "CONFLICTING_DELETES" });
    // And files of such a spec are the whole table.
    await table.commit(replacing);
    expect(await table.live()).toEqual(["R"]);
    expect(await liveDeletes(table)).toEqual([]);
  });

  test("are looked for from the snapshot on that the caller names, in the history of the branch", async () => {
    const table = await three();
    const start = (await table.head()).snapshotId;
    await table.commit(appendFiles({ dataFiles: [file("N", "a")] }));
    const serializable = { conflictDetectionFilter: isPart("a"), validateNoConflictingDataFiles: true } as const;
    const delta = (options: object) =>
      table.commit(rowDelta({ deleteFiles: [vector("Q", "A", "a")], ...serializable, ...options }));
    await expect(delta({ validateFromSnapshot: start })).rejects.toMatchObject({ code: "CONFLICTING_DATA" });
    await expect(delta({ validateFromSnapshot: 7n })).rejects.toMatchObject({ code: "HISTORY_UNKNOWN" });
    await delta({ validateFromSnapshot: (await table.head()).snapshotId });
    await table.commit(createBranch("dev"));
    await table.commit(appendFiles({ dataFiles: [file("M", "a")] }));
    // What main got meanwhile is nothing to the branch.
    const since = (await table.load()).metadata.refs.get("dev")!.snapshotId;
    await table.commit(
      rowDelta({ dataFiles: [file("D", "a")], branch: "dev", ...serializable, validateFromSnapshot: since }),
    );
  });

  test("conflict with an overwrite of files by what the caller says that it has read", async () => {
    const overwriting = async (of: string, conflictDetectionFilter: ReturnType<typeof isPart> | undefined) => {
      const table = await three();
      const known = await table.load();
      const deletedFiles = [await table.liveFile("A")];
      const ours = overwriteFiles({
        deletedFiles,
        addedFiles: [file("O", "a")],
        conflictDetectionFilter,
        validateNoConflictingData: true,
      });
      await table.commit(appendFiles({ dataFiles: [file("N", of)] }));
      return table.commitFrom(known, ours);
    };
    await overwriting("b", isPart("a"));
    await expect(overwriting("a", isPart("a"))).rejects.toMatchObject({ code: "CONFLICTING_DATA" });
    // With no filter all rows count (dataConflictDetectionFilter).
    await expect(overwriting("b", undefined)).rejects.toMatchObject({ code: "CONFLICTING_DATA" });
  });
});

describe("a row delta", () => {
  test("does not delete rows of a file that it removes, nor ask for it (validateNoConflictingFileAndPositionDeletes)", async () => {
    const table = await three();
    const removedDataFiles = [await table.liveFile("A")];
    for (const given of [
      { deleteFiles: [vector("Q", "A", "a")] },
      { deletedRows: [{ dataFile: removedDataFiles[0]!, positions: RoaringBitmap.from([1]) }] },
      { validateDataFilesExist: ["A"] },
    ]) {
      expect(() => rowDelta({ ...given, removedDataFiles })).toThrow(
        expect.objectContaining({ kind: "data", code: "DELETES_OF_REMOVED_FILE" }),
      );
    }
  });

  test("does not remove a file of which others have deleted rows", async () => {
    const table = await three();
    const known = await table.load();
    const removedDataFiles = [await table.liveFile("A")];
    const ours = rowDelta({
      removedDataFiles,
      validateNoConflictingDeleteFiles: true,
      conflictDetectionFilter: isPart("b"),
    });
    await table.commit(rowDelta({ deleteFiles: [vector("P", "A", "a")] }));
    // The filter is about rows that were read; it lets this delete pass, as in Java.
    await table.commitFrom(known, ours);
    const again = await table.load();
    const removing = rowDelta({
      removedDataFiles: [await table.liveFile("B")],
      validateNoConflictingDeleteFiles: true,
    });
    await table.commit(rowDelta({ deleteFiles: [vector("R", "B", "a")] }));
    await expect(table.commitFrom(again, removing)).rejects.toMatchObject({ code: "CONFLICTING_DELETES" });
  });

  test("joins vectors that it is given for one file (DVUtil.mergeAndWriteDVsIfRequired)", async () => {
    const table = await three();
    const { file: ofA } = await table.liveFile("A");
    const { file: ofC } = await table.liveFile("C");
    const made = async (location: string, target: DataFile, ...positions: number[]) =>
      writeDeletionVectors(table.io, `mem://w/${location}`, [
        { dataFile: target, bitmap: RoaringBitmap.from(positions) },
      ]);
    const deleteFiles = [
      ...(await made("1.puffin", ofA, 1, 2)),
      ...(await made("2.puffin", ofA, 2, 5)),
      ...(await made("3.puffin", ofC, 0)),
    ];
    await table.commit(rowDelta({ deleteFiles: [...deleteFiles, deleteFiles[2]!] }));
    const { deletes } = await table.plan();
    expect(deletes.get("A")!.map((each) => each.file.recordCount)).toEqual([3n]);
    expect(deletes.get("C")!.map((each) => each.file.filePath)).toEqual(["mem://w/3.puffin"]);
    expect((await table.head()).summary.get("added-dvs")).toBe("2");
    const apart = { ...deleteFiles[0]!, partition: ["b"] };
    await expect(table.commit(rowDelta({ deleteFiles: [apart, deleteFiles[1]!] }))).rejects.toMatchObject({
      code: "PARTITION_VALUES",
    });
  });

  test("is not lost where the file was rewritten between the plan and the load", async () => {
    const table = await three();
    const positions = RoaringBitmap.from([1]);
    const planned = await Promise.all(
      ["A", "B"].map(async (name) => ({ dataFile: await table.liveFile(name), positions })),
    );
    await table.commit(rewriteFiles({ deletedFiles: [await table.liveFile("A")], addedFiles: [file("N", "a")] }));
    await expect(table.commit(rowDelta({ deletedRows: planned }))).rejects.toMatchObject({
      kind: "conflict",
      code: "FILE_NOT_LIVE",
    });
    // B lies in another manifest by now.
    await table.commit(rowDelta({ deletedRows: planned.slice(1) }));
    expect((await table.plan()).deletes.keys().toArray()).toEqual(["B"]);
  });

  test("names no row beyond the file's end", async () => {
    const table = await three();
    const positions = RoaringBitmap.from([10]);
    const deletedRows = [{ dataFile: await table.liveFile("A"), positions }];
    expect(() => rowDelta({ deletedRows })).toThrow(expect.objectContaining({ code: "POSITION_OUT_OF_FILE" }));
  });
});

describe("files that are added", () => {
  test("count once, and belong to a partition of a spec that the table has", async () => {
    const table = await three();
    await table.commit(appendFiles({ dataFiles: [file("D", "a"), file("D", "a")] }));
    expect((await table.head()).summary.get("added-data-files")).toBe("1");
    for (const [wrong, code] of [
      [{ ...file("X", "a"), specId: 4 }, "UNKNOWN_SPEC"],
      [file("X"), "PARTITION_VALUES"],
    ] as const) {
      await expect(table.commit(fastAppend({ dataFiles: [wrong] }))).rejects.toMatchObject({ kind: "data", code });
    }
    expect(() => appendFiles({ dataFiles: [vector("P", "A", "a")] })).toThrow(
      expect.objectContaining({ code: "NOT_A_DATA_FILE" }),
    );
  });

  test("are deletes with the numbers that they had, where deletes are only rewritten", async () => {
    const table = await WrittenTable.create({ formatVersion: 2 });
    await table.commit(appendFiles({ dataFiles: [file("A")] }));
    await table.commit(rowDelta({ deleteFiles: [equalityDeletes("E1"), equalityDeletes("E2")] }));
    await table.commit(appendFiles({ dataFiles: [file("later")] }));
    const deletedDeleteFiles = await liveDeletes(table);
    await table.commit(
      rewriteFiles({ deletedDeleteFiles, addedDeleteFiles: [{ ...equalityDeletes("E"), dataSequenceNumber: 2n }] }),
    );
    const [joined, ...none] = await liveDeletes(table);
    expect([joined?.file.filePath, joined?.sequenceNumber, joined?.fileSequenceNumber]).toEqual(["E", 2n, 4n]);
    expect(none).toEqual([]);
    expect((await table.head()).summary.get("operation")).toBe("replace");
  });
});

describe("deletes that are older than all data go with the last file that they could be about (dropDeleteFilesOlderThan)", () => {
  const story = async () => {
    const table = await WrittenTable.create({ formatVersion: 2 });
    await table.commit(appendFiles({ dataFiles: [file("A"), file("B")] }));
    await table.commit(rowDelta({ deleteFiles: [equalityDeletes("E")] }));
    await table.commit(appendFiles({ dataFiles: [file("later")] }));
    const rewrite = async (name: string, dataSequenceNumber?: bigint) =>
      table.commit(
        rewriteFiles({
          deletedFiles: [await table.liveFile(name)],
          addedFiles: [file(`new ${name}`)],
          dataSequenceNumber,
        }),
      );
    return { table, rewrite };
  };

  test("and not before", async () => {
    const { table, rewrite } = await story();
    await rewrite("A");
    expect(namesOf(await liveDeletes(table))).toEqual(["E"]);
    await rewrite("B");
    expect(namesOf(await liveDeletes(table))).toEqual([]);
    expect((await table.head()).summary.get("removed-equality-delete-files")).toBe("1");
  });

  test("but stay for a new file with an old number", async () => {
    const { table, rewrite } = await story();
    await rewrite("A", 1n);
    await rewrite("B");
    expect(namesOf(await liveDeletes(table))).toEqual(["E"]);
    await table.commit(deleteDataFiles({ rowFilter: { type: "true" } }));
    expect(namesOf(await liveDeletes(table))).toEqual([]);
  });
});

describe("a condition on rows", () => {
  test.each(["overwrite", "delete"] as const)("takes deletes of its partitions along: %s", async (how) => {
    const table = await three({ formatVersion: 2 });
    await table.commit(rowDelta({ deleteFiles: [equalityDeletes("in a", "a"), equalityDeletes("in b", "b")] }));
    const filter = isPart("a");
    await table.commit(
      how === "delete" ? deleteDataFiles({ rowFilter: filter }) : overwriteFiles({ overwriteByRowFilter: filter }),
    );
    expect(await table.live()).toEqual(["C"]);
    expect(namesOf(await liveDeletes(table))).toEqual(["in b"]);
    expect((await table.head()).summary.get("removed-equality-delete-files")).toBe("1");
  });

  test("leaves deletes alone that other rows need", async () => {
    const table = await WrittenTable.create({ formatVersion: 2 });
    await table.commit(appendFiles({ dataFiles: [withIds(file("A"), 1n, 9n), withIds(file("B"), 20n, 29n)] }));
    await table.commit(rowDelta({ deleteFiles: [equalityDeletes("E")] }));
    await table.commit(deleteDataFiles({ rowFilter: { type: "lt", term: "id", value: 10n } }));
    expect(await table.live()).toEqual(["B"]);
    expect(namesOf(await liveDeletes(table))).toEqual(["E"]);
    await table.commit(deleteDataFiles({ rowFilter: { type: "true" } }));
    expect([await table.live(), await liveDeletes(table)]).toEqual([[], []]);
  });

  test("an overwrite takes the delete files that it is told", async () => {
    const table = await three({ formatVersion: 2 });
    await table.commit(rowDelta({ deleteFiles: [equalityDeletes("E", "a"), equalityDeletes("F", "a")] }));
    const [first] = await liveDeletes(table);
    await table.commit(overwriteFiles({ deletedFiles: [await table.liveFile("A")], deletedDeleteFiles: [first!] }));
    expect(await liveDeletes(table)).toHaveLength(1);
  });
});

test("partitions that are only to be filled hold neither files nor deletes (validateAppendOnly)", async () => {
  const table = await three({ formatVersion: 2 });
  const filling = (part: string) =>
    table.commit(replacePartitions({ dataFiles: [file("N", part)], validateAppendOnly: true }));
  await expect(filling("a")).rejects.toMatchObject({ kind: "conflict", code: "PARTITION_NOT_EMPTY" });
  await table.commit(rowDelta({ deleteFiles: [equalityDeletes("E", "c")] }));
  await expect(filling("c")).rejects.toMatchObject({ code: "PARTITION_NOT_EMPTY" });
  await filling("d");
  expect(await table.live()).toContain("N");
});

describe("a writer that stamps its snapshots", () => {
  const stamped = (name: string, position: number) =>
    appendFiles({
      dataFiles: [file(name, "a")],
      summary: new Map([["my.position", String(position)]]),
      validateWith: (ancestry: Iterable<Snapshot>) => {
        for (const { summary } of ancestry) {
          const last = summary.get("my.position");
          if (last !== undefined) return Number(last) < position ? null : `position ${position} was committed already`;
        }
        return null;
      },
    });

  test("commits each step once, also when another of its kind came first (SnapshotAncestryValidator)", async () => {
    const table = await three();
    const known = await table.load();
    await table.commit(stamped("one", 1));
    await table.commit(appendFiles({ dataFiles: [file("other", "a")] }));
    await expect(table.commitFrom(known, stamped("one again", 1))).rejects.toMatchObject({
      kind: "conflict",
      code: "SNAPSHOT_ANCESTRY",
      message: "position 1 was committed already",
    });
    await table.commitFrom(known, stamped("two", 2));
    expect(await table.live()).toEqual(["A", "B", "C", "one", "other", "two"]);
  });
});

describe("refs", () => {
  test("a branch of a table without snapshots begins with an empty one", async () => {
    const table = await WrittenTable.create();
    const { metadata } = await table.commit(createBranch("dev", undefined, { minSnapshotsToKeep: 2 }));
    const branch = metadata.refs.get("dev")!;
    expect(branch).toMatchObject({ type: "branch", minSnapshotsToKeep: 2 });
    expect([metadata.currentSnapshotId, metadata.snapshots[0]?.summary.get("operation")]).toEqual([null, "append"]);
    expect(await table.live(branch.snapshotId)).toEqual([]);
    await expect(table.commit(createBranch("dev"))).rejects.toMatchObject({ code: "REF_EXISTS" });
    await table.commit(appendFiles({ dataFiles: [file("A")], branch: "dev" }));
    expect(currentSnapshot((await table.load()).metadata)).toBeNull();
  });

  test("a ref takes the place of another", async () => {
    const table = await three();
    await table.commit(createBranch("dev"), appendFiles({ dataFiles: [file("D", "a")], branch: "dev" }));
    await table.commit(replaceRef("main", "dev"));
    expect(await table.live()).toEqual(["A", "B", "C", "D"]);
    await expect(table.commit(replaceRef("main", "none"))).rejects.toMatchObject({ code: "REF_NOT_FOUND" });
  });
});

describe("expiry", () => {
  test("keeps one snapshot at least", async () => {
    const table = await three();
    await expect(expireSnapshots(table.context, await table.load(), { retainLast: 0 })).rejects.toMatchObject({
      code: "RETAIN_LAST",
    });
  });

  test("takes schemas and specs along that no snapshot uses, if asked to", async () => {
    const table = await three();
    await table.commit(updateSchema([{ change: "add-column", name: "x", type: long }]));
    await table.commit(updateSchema([{ change: "add-column", name: "y", type: long }]));
    await table.commit(updateSpec([{ change: "add-field", term: "bucket(4, id)" }]));
    const wider = (name: string, part: Value): DataFile => ({ ...file(name, part), specId: 1, partition: [part, 3] });
    await table.commit(appendFiles({ dataFiles: [wider("D", "a")] }));
    const layouts = async () => {
      const { schemas, partitionSpecs } = (await table.load()).metadata;
      return [schemas.map(({ schemaId }) => schemaId), partitionSpecs.map(({ specId }) => specId)];
    };
    table.nowMs += 10 * 86_400_000;
    const options = { cleanExpiredMetadata: true, cleanExpiredFiles: false };
    await expireSnapshots(table.context, await table.load(), { cleanExpiredFiles: false });
    expect(await layouts()).toEqual([
      [0, 1, 2],
      [0, 1],
    ]);
    // The head still lists files of the first spec, and nothing of the first schemas.
    await expireSnapshots(table.context, await table.load(), options);
    expect(await layouts()).toEqual([[2], [0, 1]]);
    await table.commit(
      deleteDataFiles({ paths: ["A", "B", "C"] }),
      updateSchema([{ change: "delete-column", name: "y" }]),
    );
    await table.commit(appendFiles({ dataFiles: [wider("E", "a")] }));
    table.nowMs += 10 * 86_400_000;
    await expireSnapshots(table.context, await table.load(), options);
    // Schema 2 alone knows the column that was dropped.
    expect(await layouts()).toEqual([[2, 3], [1]]);
    expect(await table.live()).toEqual(["D", "E"]);
  });
});
