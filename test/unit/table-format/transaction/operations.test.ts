import { describe, expect, test } from "vitest";
import {
  appendFiles,
  cherryPick,
  createBranch,
  createTag,
  deleteDataFiles,
  type DataFile,
  encodeValue,
  expireSnapshots,
  fastAppend,
  fastForwardBranch,
  type LoadedTable,
  overwriteFiles,
  planSnapshot,
  readManifestList,
  removeBranch,
  removeTag,
  renameBranch,
  replacePartitions,
  replaceRef,
  RoaringBitmap,
  rollbackTo,
  rollbackToTime,
  rewriteFiles,
  rowDelta,
  setCurrentSnapshot,
  setRefRetention,
  type TableOperation,
  updateProperties,
  upgradeFormatVersion,
} from "../../../../table-format/index.ts";
import { readManifest } from "../../../../table-format/manifest/manifest-reader.ts";
import { requirementsFor } from "../../../../table-format/transaction/requirements.ts";
import { dataFile } from "../data-file.ts";
import { BY_PART, equalityDeletes, file, vector, WrittenTable } from "./written-table.ts";

const append = (...names: string[]) => appendFiles({ dataFiles: names.map((name) => file(name)) });
const ids = async (table: WrittenTable) => (await table.load()).metadata.snapshots.map(({ snapshotId }) => snapshotId);

describe("manifests", () => {
  test("a fast append leaves all others as they are, an append merges them", async () => {
    const table = await WrittenTable.create({ properties: { "commit.manifest.min-count-to-merge": "3" } });
    for (let i = 0; i < 4; i++) await table.commit(fastAppend({ dataFiles: [file(`f${i}`)] }));
    expect(await readManifestList(table.io, await table.head())).toHaveLength(4);
    await table.commit(append("f4"));
    expect(await readManifestList(table.io, await table.head())).toHaveLength(1);
    expect(await table.live()).toEqual(["f0", "f1", "f2", "f3", "f4"]);
  });

  test("rewritten files keep the data sequence number that is asked for, and row ids go on", async () => {
    const table = await WrittenTable.create();
    await table.commit(append("A", "B"));
    await table.commit(rowDelta({ deleteFiles: [equalityDeletes("E")] }));
    await table.commit(
      rewriteFiles({ deletedFiles: [await table.liveFile("A")], addedFiles: [file("N")], dataSequenceNumber: 1n }),
    );
    const { metadata } = await table.load();
    const head = await table.head();
    expect(head.summary.get("operation")).toBe("replace");
    const entries = (
      await Promise.all(
        (await readManifestList(table.io, head)).map((manifest) => readManifest(table.io, metadata, manifest)),
      )
    ).flat();
    const added = entries.find((entry) => entry.file.filePath === "N")!;
    expect([added.sequenceNumber, added.fileSequenceNumber]).toEqual([1n, 3n]);
    expect(added.file.firstRowId).toBe(20n);
  });

  test.each([
    [{ deletedFiles: [], addedFiles: [] }, /found none/],
    [{ deletedFiles: [{ n: 1n }], addedFiles: [file("N", undefined, 11n)] }, /at most the 10 replaced rows.*found 11/],
    [{ deletedDeleteFiles: [{ n: 1n }], addedFiles: [file("N")] }, /no data files to add/],
    [{ deletedFiles: [{ n: 1n }], addedDeleteFiles: [vector("P", "A")] }, /no delete files to add/],
  ])("a rewrite that is none is refused: %#", (given, message) => {
    const live = { file: file("A"), snapshotId: 1n, sequenceNumber: 1n, fileSequenceNumber: 1n };
    const filled = Object.fromEntries(
      Object.entries(given).map(([key, value]) => [key, value.map((each) => ("n" in each ? live : each))]),
    );
    expect(() => rewriteFiles(filled)).toThrow(message);
  });
});

describe("filters", () => {
  const bounded = (name: string, low: bigint, high: bigint): DataFile => {
    const bound = (value: bigint) => new Map([[1, encodeValue({ kind: "long" }, value)]]);
    return dataFile({
      filePath: name,
      lowerBounds: bound(low),
      upperBounds: bound(high),
      valueCounts: new Map([[1, 10n]]),
      nullValueCounts: new Map([[1, 0n]]),
    });
  };
  const below = (value: bigint) => ({ type: "lt", term: "id", value }) as const;

  test("take files whose every row matches, by their metrics, and refuse those of which some may", async () => {
    const table = await WrittenTable.create();
    await table.commit(
      appendFiles({ dataFiles: [bounded("A", 0n, 4n), bounded("B", 5n, 9n), bounded("C", 20n, 29n)] }),
    );
    await expect(table.commit(deleteDataFiles({ rowFilter: below(7n) }))).rejects.toMatchObject({
      kind: "data",
      code: "PARTIAL_MATCH",
    });
    await table.commit(overwriteFiles({ overwriteByRowFilter: below(10n), addedFiles: [bounded("N", 1n, 8n)] }));
    expect(await table.live()).toEqual(["C", "N"]);
    expect((await table.head()).summary.get("operation")).toBe("overwrite");
    const outside = overwriteFiles({
      overwriteByRowFilter: below(10n),
      addedFiles: [bounded("O", 1n, 10n)],
      validateAddedFilesMatchOverwriteFilter: true,
    });
    await expect(table.commit(outside)).rejects.toMatchObject({ code: "ADDED_OUTSIDE_FILTER" });
    await table.commit(deleteDataFiles({ rowFilter: below(10n) }));
    expect(await table.live()).toEqual(["C"]);
  });

  test("decide what conflicts", async () => {
    const table = await WrittenTable.create();
    await table.commit(appendFiles({ dataFiles: [bounded("A", 0n, 4n), bounded("C", 20n, 29n)] }));
    const known = await table.load();
    const overwrite = overwriteFiles({
      overwriteByRowFilter: below(10n),
      addedFiles: [bounded("N", 1n, 8n)],
      validateNoConflictingData: true,
      validateNoConflictingDeletes: true,
    });
    await table.commit(appendFiles({ dataFiles: [bounded("D", 10n, 12n)] }));
    await table.commitFrom(known, overwrite);
    await table.commit(appendFiles({ dataFiles: [bounded("E", 9n, 12n)] }));
    await expect(table.commitFrom(known, overwrite)).rejects.toMatchObject({ code: "CONFLICTING_DATA" });
  });
});

describe("branches, tags and rollback", () => {
  const story = async () => {
    const table = await WrittenTable.create();
    await table.commit(append("A"));
    await table.commit(append("B"));
    await table.commit(append("C"));
    return { table, ids: await ids(table) };
  };
  const refs = async (table: WrittenTable) =>
    Object.fromEntries([...(await table.load()).metadata.refs].map(([name, { snapshotId }]) => [name, snapshotId]));

  test("a branch goes on alone, is fast-forwarded, renamed and removed", async () => {
    const {
      table,
      ids: [, second, third],
    } = await story();
    await table.commit(createBranch("dev", second, { minSnapshotsToKeep: 3 }), createTag("v1", second));
    await table.commit(appendFiles({ dataFiles: [file("D")], branch: "dev" }));
    expect(await table.live()).toEqual(["A", "B", "C"]);
    expect(await table.live((await refs(table))["dev"])).toEqual(["A", "B", "D"]);
    expect((await table.load()).metadata.refs.get("dev")).toMatchObject({ minSnapshotsToKeep: 3 });
    await expect(table.commit(fastForwardBranch("main", "dev"))).rejects.toMatchObject({ code: "NOT_AN_ANCESTOR" });
    await expect(table.commit(appendFiles({ dataFiles: [], branch: "v1" }))).rejects.toMatchObject({
      code: "NOT_A_BRANCH",
    });
    await expect(table.commit(createTag("dev"))).rejects.toMatchObject({ code: "REF_EXISTS" });
    await expect(table.commit(removeTag("dev"))).rejects.toMatchObject({ code: "REF_TYPE" });
    await expect(table.commit(removeBranch("main"))).rejects.toMatchObject({ code: "MAIN_STAYS" });
    await table.commit(
      createBranch("behind", second),
      fastForwardBranch("behind", "main"),
      fastForwardBranch("made", "dev"),
    );
    await table.commit(renameBranch("made", "other"), replaceRef("v1", third!), removeBranch("dev"));
    expect(await refs(table)).toEqual({
      main: third,
      behind: third,
      v1: third,
      other: (await ids(table)).at(-1),
    });
    await table.commit(setRefRetention("v1", { maxRefAgeMs: 5n }));
    expect((await table.load()).metadata.refs.get("v1")).toEqual({ type: "tag", snapshotId: third, maxRefAgeMs: 5n });
    await table.commit(setRefRetention("v1", { maxRefAgeMs: null }));
    expect((await table.load()).metadata.refs.get("v1")).toEqual({ type: "tag", snapshotId: third });
    await table.commit(removeTag("v1"), removeBranch("other"));
    expect(Object.keys(await refs(table))).toEqual(["main", "behind"]);
  });

  test("main goes back to an ancestor, a time, or any snapshot", async () => {
    const {
      table,
      ids: [first, second, third],
    } = await story();
    const times = (await table.load()).metadata.snapshots.map(({ timestampMs }) => timestampMs);
    await table.commit(rollbackTo(second!));
    expect(await table.live()).toEqual(["A", "B"]);
    await expect(table.commit(rollbackTo(third!))).rejects.toMatchObject({ code: "NOT_AN_ANCESTOR" });
    await table.commit(setCurrentSnapshot(third!));
    await table.commit(rollbackToTime(times[1]!));
    expect((await table.head()).snapshotId).toBe(first);
    await expect(table.commit(rollbackToTime(times[0]!))).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
    await expect(table.commit(setCurrentSnapshot(1n))).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
    const log = (await table.load()).metadata.snapshotLog.map(({ snapshotId }) => snapshotId);
    expect(log).toEqual([first, second, third, second, third, first]);
  });
});

describe("cherry-pick", () => {
  const staged = async (operation: TableOperation, spec = BY_PART) => {
    const table = await WrittenTable.create({ spec });
    await table.commit(appendFiles({ dataFiles: [file("A", "a"), file("B", "b")] }));
    await table.commit(operation);
    return { table, id: (await ids(table)).at(-1)! };
  };
  const wap = (id: string) => ({ stageOnly: true, summary: new Map([["wap.id", id]]) });

  test("fast-forwards where main has not moved", async () => {
    const { table, id } = await staged(appendFiles({ dataFiles: [file("S", "a")], ...wap("1") }));
    expect(await table.live()).toEqual(["A", "B"]);
    await table.commit(cherryPick(id));
    expect((await table.head()).snapshotId).toBe(id);
    await expect(table.commit(cherryPick(id))).rejects.toMatchObject({ code: "ALREADY_PICKED" });
  });

  test("applies an append anew, once, with its stamps", async () => {
    const { table, id } = await staged(appendFiles({ dataFiles: [file("S", "a")], ...wap("1") }));
    await table.commit(appendFiles({ dataFiles: [file("C", "b")] }));
    await table.commit(cherryPick(id));
    expect(await table.live()).toEqual(["A", "B", "C", "S"]);
    const { summary, parentSnapshotId } = await table.head();
    expect(summary.get("source-snapshot-id")).toBe(String(id));
    expect(summary.get("published-wap-id")).toBe("1");
    expect(parentSnapshotId).not.toBe(id);
    await expect(table.commit(cherryPick(id))).rejects.toMatchObject({ code: "ALREADY_PICKED" });
    await table.commit(appendFiles({ dataFiles: [file("T", "a")], ...wap("1") }));
    await expect(table.commit(cherryPick((await ids(table)).at(-1)!))).rejects.toMatchObject({
      code: "DUPLICATE_WAP_ID",
    });
  });

  test("applies an overwrite of partitions that nobody has changed since", async () => {
    const { table, id } = await staged(replacePartitions({ dataFiles: [file("S", "a")], ...wap("1") }));
    await table.commit(appendFiles({ dataFiles: [file("C", "b")] }));
    await table.commit(cherryPick(id));
    expect(await table.live()).toEqual(["B", "C", "S"]);
  });

  test("refuses an overwrite of partitions that have changed, and everything else", async () => {
    const { table, id } = await staged(replacePartitions({ dataFiles: [file("S", "a")], ...wap("1") }));
    await table.commit(appendFiles({ dataFiles: [file("C", "a")] }));
    await expect(table.commit(cherryPick(id))).rejects.toMatchObject({ kind: "conflict", code: "CONFLICTING_DATA" });
    await table.commit(rowDelta({ deleteFiles: [vector("P", "A", "a")], ...wap("2") }));
    const delta = (await ids(table)).at(-1)!;
    await table.commit(appendFiles({ dataFiles: [file("D", "b")] }));
    await expect(table.commit(cherryPick(delta))).rejects.toMatchObject({ code: "NOT_PICKABLE" });
    await expect(table.commit(cherryPick(7n))).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
  });
});

describe("expiry", () => {
  const aged = async (properties = {}) => {
    const table = await WrittenTable.create({ properties });
    const data: string[] = [];
    const stored = async (name: string): Promise<TableOperation> => {
      const location = `mem://w/ns/t/data/${name}`;
      await table.io.write(location, Uint8Array.of(1));
      data.push(location);
      return appendFiles({ dataFiles: [file(location)] });
    };
    await table.commit(await stored("A"));
    await table.commit(deleteDataFiles({ paths: [data[0]!] }), await stored("B"));
    table.nowMs += 10 * 86_400_000;
    await table.commit(await stored("C"));
    return { table, data };
  };

  test("takes what is older than the table allows, with the files that nothing reaches", async () => {
    const { table, data } = await aged();
    const known = await table.load();
    await table.commit(createTag("kept", known.metadata.snapshots[0]!.snapshotId));
    const first = await expireSnapshots(table.context, await table.load());
    // The tag and the head stay; the delete in between goes, and the file that the tag reaches does not.
    expect(first.snapshotIds).toEqual(known.metadata.snapshots.slice(1, 3).map(({ snapshotId }) => snapshotId));
    expect(first.files.dataFiles).toEqual([]);
    await table.commit(removeTag("kept"));
    const second = await expireSnapshots(table.context, await table.load());
    expect(second.files.dataFiles).toEqual([data[0]]);
    expect(await table.io.stat(data[0]!)).toBeNull();
    expect(second.notDeleted).toEqual([]);
    expect(await table.live()).toEqual(data.slice(1));
    for (const path of [...second.files.manifests, ...second.files.manifestLists]) {
      expect(await table.io.stat(path)).toBeNull();
    }
    expect((await expireSnapshots(table.context, await table.load())).snapshotIds).toEqual([]);
  });

  test("by number, by id, and not where a ref or another table needs it", async () => {
    const { table } = await aged();
    const all = await ids(table);
    const none = await expireSnapshots(table.context, await table.load(), { retainLast: 9 });
    expect(none.snapshotIds).toEqual([]);
    const head = all.at(-1)!;
    await expect(expireSnapshots(table.context, await table.load(), { snapshotIds: [head] })).rejects.toMatchObject({
      code: "SNAPSHOT_REFERENCED",
    });
    const one = await expireSnapshots(table.context, await table.load(), {
      retainLast: 9,
      snapshotIds: [all[0]!],
      cleanExpiredFiles: false,
    });
    expect(one.snapshotIds).toEqual([all[0]]);
    await table.commit(updateProperties({ "gc.enabled": "false" }));
    await expect(expireSnapshots(table.context, await table.load())).rejects.toMatchObject({ code: "GC_DISABLED" });
  });

  test("a tag that comes in between saves its snapshot", async () => {
    const { table } = await aged();
    const known = await table.load();
    const [first] = known.metadata.snapshots;
    const context = { ...table.context, sleep: async () => undefined };
    let tagged = false;
    const commit = context.catalog.commit.bind(context.catalog);
    const catalog = new Proxy(context.catalog, {
      get: (target, key) =>
        key === "commit"
          ? async (...given: Parameters<typeof commit>) => {
              if (!tagged) {
                tagged = true;
                await table.commit(createTag("late", first!.snapshotId));
              }
              return commit(...given);
            }
          : Reflect.get(target, key).bind?.(target),
    });
    const done = await expireSnapshots({ ...context, catalog }, known);
    expect(done.snapshotIds).not.toContain(first!.snapshotId);
    expect(done.table.metadata.refs.has("late")).toBe(true);
  });

  test("asserts that main is not there where it is not", async () => {
    const { table } = await aged();
    const { metadata } = await table.load();
    const dev = metadata.refs.get("main")!;
    const base = { ...metadata, refs: new Map([["dev", dev]]), currentSnapshotId: null };
    expect(requirementsFor(base, [{ action: "remove-snapshots", snapshotIds: [] }])).toMatchObject([
      { type: "assert-table-uuid" },
      { ref: "main", snapshotId: null },
      { ref: "dev", snapshotId: dev.snapshotId },
    ]);
  });
});

describe("an upgrade of a live table", () => {
  test("gives row ids and takes position deletes up into vectors", async () => {
    const table = await WrittenTable.create({ formatVersion: 2 });
    await table.commit(append("A", "B"));
    const delta = async (path: string, ...positions: number[]) =>
      rowDelta({ deletedRows: [{ dataFile: await table.liveFile(path), positions: RoaringBitmap.from(positions) }] });
    await table.commit(await delta("A", 1, 2));
    await table.commit(await delta("A", 3));
    await table.commit(await delta("B", 9));
    const stale = await delta("A", 4);
    const known = await table.load();
    await table.commit(upgradeFormatVersion(3));
    expect((await table.load()).metadata.nextRowId).toBe(0n);
    // Prepared before the upgrade, written after it: as a vector.
    await table.commitFrom(known, stale);
    const { dataFiles, deletes } = await table.plan();
    const ofA = deletes.get("A")!;
    expect(ofA.map(({ file: each }) => [each.fileFormat, each.recordCount])).toEqual([["PUFFIN", 4n]]);
    expect(deletes.get("B")!.map(({ file: each }) => each.fileFormat)).toEqual(["PARQUET"]);
    expect(dataFiles.map(({ file: each }) => each.firstRowId)).toEqual([0n, 10n]);
    expect((await table.load()).metadata.nextRowId).toBe(20n);
    const { summary } = await table.head();
    expect([summary.get("added-dvs"), summary.get("removed-position-delete-files")]).toEqual(["1", "2"]);
    // A position delete file that somebody prepared for version 2 does not land in version 3.
    await expect(
      table.commit(rowDelta({ deleteFiles: [dataFile({ content: "position-deletes", filePath: "old" })] })),
    ).rejects.toMatchObject({ code: "DELETE_FILE_KIND" });
  });
});

test("several operations are one commit, each on what the others leave", async () => {
  const table = await WrittenTable.create();
  const before = await table.load();
  const after: LoadedTable = await table.commit(
    append("A"),
    createBranch("b"),
    appendFiles({ dataFiles: [file("B")], branch: "b" }),
    append("C"),
    updateProperties({ x: "y" }, ["z"]),
    fastForwardBranch("c", "b"),
  );
  expect(after.metadata.metadataLog).toHaveLength(before.metadata.metadataLog.length + 1);
  expect(await table.live()).toEqual(["A", "C"]);
  const branch = after.metadata.snapshots.find(
    ({ snapshotId }) => snapshotId === after.metadata.refs.get("c")?.snapshotId,
  )!;
  const planned = await planSnapshot(table.io, after.metadata, branch);
  expect(planned.dataFiles.map((each) => each.file.filePath).sort()).toEqual(["A", "B"]);
  await expect(table.commit(append("D"), createTag("b"))).rejects.toMatchObject({ code: "REF_EXISTS" });
  expect(await table.live()).toEqual(["A", "C"]);
});
