import { describe, expect, test } from "vitest";
import {
  appendFiles,
  type Catalog,
  catalogView,
  type DataFile,
  deleteDataFiles,
  type FileFilter,
  overwriteFiles,
  replacePartitions,
  RoaringBitmap,
  rewriteFiles,
  rollbackTo,
  rowDelta,
  type TableOperation,
} from "../../../../table-format/index.ts";
import { BY_PART, equalityDeletes, file, vector, WrittenTable } from "./written-table.ts";

/** Rows of one partition, as an expression on its column says it. */
const part = (value: string): FileFilter => ({
  text: `part = "${value}"`,
  mightMatch: ({ partition }: DataFile) => partition[0] === value,
  mustMatch: ({ partition }: DataFile) => partition[0] === value,
});

type Make = (table: WrittenTable) => Promise<TableOperation>;
const live = (table: WrittenTable, path: string) => table.liveFile(path);

/** What another writer commits first, on a table that holds A and B in partition a and C in partition b. */
const OTHERS: Readonly<Record<string, Make>> = {
  "append to a": async () => appendFiles({ dataFiles: [file("N", "a")] }),
  "delete of file A": async () => deleteDataFiles({ paths: ["A"] }),
  "overwrite of file A": async (t) =>
    overwriteFiles({ deletedFiles: [await live(t, "A")], addedFiles: [file("N", "a")] }),
  "rewrite of file A": async (t) => rewriteFiles({ deletedFiles: [await live(t, "A")], addedFiles: [file("N", "a")] }),
  "vector for A": async () => rowDelta({ deleteFiles: [vector("P", "A", "a")] }),
  "equality deletes in a": async () => rowDelta({ deleteFiles: [equalityDeletes("E", "a")] }),
  "new content of a": async () => replacePartitions({ dataFiles: [file("N", "a")] }),
};
type Other = keyof typeof OTHERS;

const serializable = { validateNoConflictingData: true, validateNoConflictingDeletes: true };

/**
 * What we commit then, and with which others it conflicts by Java: `BaseRowDelta.validate`, `BaseOverwriteFiles.validate`,
 * `BaseRewriteFiles.validate`, `BaseReplacePartitions.validate`, `StreamingDelete` and `MergeAppend`, which validates nothing.
 */
const OURS: readonly (readonly [name: string, make: Make, conflicts: Readonly<Partial<Record<Other, string>>>])[] = [
  ["append to a", async () => appendFiles({ dataFiles: [file("O", "a")] }), {}],
  [
    "delete of A that must exist",
    async () => deleteDataFiles({ paths: ["A"], validateFilesExist: true }),
    {
      "delete of file A": "FILE_NOT_LIVE",
      "overwrite of file A": "FILE_NOT_LIVE",
      "rewrite of file A": "FILE_NOT_LIVE",
      "new content of a": "FILE_NOT_LIVE",
    },
  ],
  ["delete of A", async () => deleteDataFiles({ paths: ["A"] }), {}],
  [
    // validateDataFilesExist passes over deletes by default; validateAddedDVs looks at overwrites, deletes and replaces.
    "vector for A",
    async () => rowDelta({ deleteFiles: [vector("Q", "A", "a")], validateDataFilesExist: ["A"] }),
    {
      "overwrite of file A": "MISSING_DATA_FILES",
      "rewrite of file A": "MISSING_DATA_FILES",
      "new content of a": "MISSING_DATA_FILES",
      "vector for A": "CONFLICTING_VECTOR",
    },
  ],
  [
    "vector for A, also where its rows were deleted",
    async () =>
      rowDelta({ deleteFiles: [vector("Q", "A", "a")], validateDataFilesExist: ["A"], validateDeletedFiles: true }),
    {
      "delete of file A": "MISSING_DATA_FILES",
      "overwrite of file A": "MISSING_DATA_FILES",
      "rewrite of file A": "MISSING_DATA_FILES",
      "new content of a": "MISSING_DATA_FILES",
      "vector for A": "CONFLICTING_VECTOR",
    },
  ],
  [
    "serializable delta in a",
    async () =>
      rowDelta({
        dataFiles: [file("O", "a")],
        deleteFiles: [vector("Q", "B", "a")],
        conflictDetectionFilter: part("a"),
        validateNoConflictingDataFiles: true,
        validateNoConflictingDeleteFiles: true,
      }),
    {
      "append to a": "CONFLICTING_DATA",
      "overwrite of file A": "CONFLICTING_DATA",
      "new content of a": "CONFLICTING_DATA",
      "vector for A": "CONFLICTING_DELETES",
      "equality deletes in a": "CONFLICTING_DELETES",
    },
  ],
  [
    "serializable delta in b",
    async () =>
      rowDelta({
        deleteFiles: [vector("Q", "C", "b")],
        conflictDetectionFilter: part("b"),
        validateNoConflictingDataFiles: true,
        validateNoConflictingDeleteFiles: true,
      }),
    {},
  ],
  [
    "overwrite of a by filter",
    async () => overwriteFiles({ overwriteByRowFilter: part("a"), addedFiles: [file("O", "a")], ...serializable }),
    {
      "append to a": "CONFLICTING_DATA",
      "delete of file A": "CONFLICTING_REMOVAL",
      "overwrite of file A": "CONFLICTING_DATA",
      // validateDeletedDataFiles looks at replaces, too.
      "rewrite of file A": "CONFLICTING_REMOVAL",
      "vector for A": "CONFLICTING_DELETES",
      "equality deletes in a": "CONFLICTING_DELETES",
      "new content of a": "CONFLICTING_DATA",
    },
  ],
  [
    "overwrite of a by filter, not validated",
    async () => overwriteFiles({ overwriteByRowFilter: part("a"), addedFiles: [file("O", "a")] }),
    {},
  ],
  [
    "overwrite of b by filter",
    async () => overwriteFiles({ overwriteByRowFilter: part("b"), addedFiles: [file("O", "b")], ...serializable }),
    {},
  ],
  [
    "copy-on-write of A, snapshot isolation",
    async (t) =>
      overwriteFiles({
        deletedFiles: [await live(t, "A")],
        addedFiles: [file("O", "a")],
        validateNoConflictingDeletes: true,
      }),
    {
      "delete of file A": "FILE_NOT_LIVE",
      "overwrite of file A": "FILE_NOT_LIVE",
      "rewrite of file A": "FILE_NOT_LIVE",
      "new content of a": "FILE_NOT_LIVE",
      "vector for A": "CONFLICTING_DELETES",
      "equality deletes in a": "CONFLICTING_DELETES",
    },
  ],
  [
    "rewrite of A",
    async (t) => rewriteFiles({ deletedFiles: [await live(t, "A")], addedFiles: [file("O", "a")] }),
    {
      "delete of file A": "FILE_NOT_LIVE",
      "overwrite of file A": "FILE_NOT_LIVE",
      "rewrite of file A": "FILE_NOT_LIVE",
      "new content of a": "FILE_NOT_LIVE",
      "vector for A": "CONFLICTING_DELETES",
      "equality deletes in a": "CONFLICTING_DELETES",
    },
  ],
  [
    // With a data sequence number later equality deletes still apply to the new file (validateNoNewDeletesForDataFiles).
    "rewrite of A that keeps its sequence number",
    async (t) =>
      rewriteFiles({ deletedFiles: [await live(t, "A")], addedFiles: [file("O", "a")], dataSequenceNumber: 1n }),
    {
      "delete of file A": "FILE_NOT_LIVE",
      "overwrite of file A": "FILE_NOT_LIVE",
      "rewrite of file A": "FILE_NOT_LIVE",
      "new content of a": "FILE_NOT_LIVE",
      "vector for A": "CONFLICTING_DELETES",
    },
  ],
  ["rewrite of C", async (t) => rewriteFiles({ deletedFiles: [await live(t, "C")], addedFiles: [file("O", "b")] }), {}],
  [
    "new content of a",
    async () => replacePartitions({ dataFiles: [file("O", "a")], ...serializable }),
    {
      "append to a": "CONFLICTING_DATA",
      "delete of file A": "CONFLICTING_REMOVAL",
      "overwrite of file A": "CONFLICTING_DATA",
      "rewrite of file A": "CONFLICTING_REMOVAL",
      "vector for A": "CONFLICTING_DELETES",
      "equality deletes in a": "CONFLICTING_DELETES",
      "new content of a": "CONFLICTING_DATA",
    },
  ],
  ["new content of b", async () => replacePartitions({ dataFiles: [file("O", "b")], ...serializable }), {}],
];

describe.each(OURS)("%s", (_, make, conflicts) => {
  test.each(Object.keys(OTHERS))("after %s", async (other) => {
    const table = await WrittenTable.create({ spec: BY_PART });
    await table.commit(appendFiles({ dataFiles: [file("A", "a"), file("B", "a"), file("C", "b")] }));
    const known = await table.load();
    const ours = await make(table);
    await table.commit(await OTHERS[other]!(table));
    const before = await table.head();
    const done = table.commitFrom(known, ours);
    const code = conflicts[other];
    if (code === undefined) {
      await done;
      expect((await table.head()).parentSnapshotId).toBe(before.snapshotId);
    } else {
      await expect(done).rejects.toMatchObject({ kind: "conflict", code });
      expect((await table.head()).snapshotId).toBe(before.snapshotId);
    }
    // A conflict is final: waiting cannot cure it.
    expect(table.pauses).toEqual([]);
  });
});

/** Lets others commit between an attempt's look at the table and its own commit. */
function meanwhile(catalog: Catalog, act: () => (() => Promise<unknown>) | null): Catalog {
  return catalogView(catalog, {
    commit: async (changes, claim) => {
      await act()?.();
      return catalog.commit(changes, claim);
    },
  });
}

test.each(OURS)("%s, while it is committed: the next attempt finds the same conflicts", async (_, make, conflicts) => {
  for (const other of Object.keys(OTHERS)) {
    let act: (() => Promise<unknown>) | null = null;
    const table = await WrittenTable.create({
      spec: BY_PART,
      wrap: (catalog) =>
        meanwhile(catalog, () => {
          const once = act;
          act = null;
          return once;
        }),
    });
    await table.commit(appendFiles({ dataFiles: [file("A", "a"), file("B", "a"), file("C", "b")] }));
    const known = await table.load();
    const ours = await make(table);
    const theirs = await OTHERS[other]!(table);
    act = () => table.commit(theirs);
    const done = table.commitFrom(known, ours);
    const code = conflicts[other];
    if (code === undefined) await done;
    else await expect(done, other).rejects.toMatchObject({ kind: "conflict", code });
    expect([other, table.pauses.length]).toEqual([other, 1]);
  }
});

test("deleted rows are merged anew at each attempt, left out with their file, and conflict as vectors do", async () => {
  const table = await WrittenTable.create({ spec: BY_PART });
  await table.commit(appendFiles({ dataFiles: [file("A", "a"), file("B", "a"), file("C", "b")] }));
  const delta = async (path: string, ...positions: number[]) => ({
    dataFile: await table.liveFile(path),
    positions: RoaringBitmap.from(positions),
  });
  const known = await table.load();
  const ofBoth = rowDelta({ deletedRows: [await delta("A", 1), await delta("B", 2)] });
  await table.commit(rowDelta({ deletedRows: [await delta("C", 0)] }));
  await table.commit(deleteDataFiles({ paths: ["A"] }));
  await table.commitFrom(known, ofBoth);
  expect((await table.plan()).deletes.keys().toArray().sort()).toEqual(["B", "C"]);

  const then = await table.load();
  const late = rowDelta({ deletedRows: [await delta("B", 3)] });
  await table.commit(rowDelta({ deletedRows: [await delta("B", 4)] }));
  await expect(table.commitFrom(then, late)).rejects.toMatchObject({ code: "CONFLICTING_VECTOR" });
  await table.commit(late);
  const [merged] = (await table.plan()).deletes.get("B")!;
  expect(merged!.file.recordCount).toBe(3n);
  // The last rows take the file with them.
  await table.commit(rowDelta({ deletedRows: [await delta("B", 0, 1, 5, 6, 7, 8, 9)] }));
  expect((await table.plan()).dataFiles.map((each) => each.file.filePath)).toEqual(["C"]);
  expect((await table.head()).summary.get("operation")).toBe("delete");
});

test("an operation that started from a snapshot that is rolled back does not go on", async () => {
  const table = await WrittenTable.create();
  await table.commit(appendFiles({ dataFiles: [file("A")] }));
  const first = await table.head();
  await table.commit(appendFiles({ dataFiles: [file("B")] }));
  const known = await table.load();
  const ours = rewriteFiles({ deletedFiles: [await table.liveFile("A")], addedFiles: [file("N")] });
  await table.commit(rollbackTo(first.snapshotId), appendFiles({ dataFiles: [file("D")] }));
  await expect(table.commitFrom(known, ours)).rejects.toMatchObject({ kind: "conflict", code: "HISTORY_UNKNOWN" });
  // An append has read nothing.
  await table.commitFrom(known, appendFiles({ dataFiles: [file("E")] }));
  expect(await table.live()).toEqual(["A", "D", "E"]);
});
