import { expect, it } from "vitest";
import { sortArrangement } from "../../../../src/maintenance/compact/arrangement.ts";
import {
  type CompactedGroup,
  type CompactOptions,
  type MovedInOrder,
  runCompaction,
} from "../../../../src/maintenance/compact/compact.ts";
import { partitionScope, whereScope } from "../../../../src/maintenance/compact/file-scope.ts";
import { type CompactSettings, planCompaction } from "../../../../src/maintenance/compact/plan.ts";
import type { TableRule } from "../../../../src/core/table-rule.ts";
import {
  currentSchema,
  type DataFile,
  partitionPath,
  planSnapshot,
  readDataFile,
  snapshotById,
  specById,
  valueAt,
} from "../../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule } from "../../../support/checkpoints.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { IDENT, loaded, place } from "../../../support/maintenance.ts";
import { tableRows } from "../../../support/table-rows.ts";

const settings: CompactSettings = { targetSizeBytes: 1 << 20, minFiles: 2 };

/** A table of one checkpoint a text, each of some changes. */
async function tableOf(given: Partial<TableRule>, checkpoints: readonly string[]) {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a", given)]);
  for (const texts of checkpoints) await process.checkpoint(texts.split(" ").map((text) => change("a", text)));
  const context = place(warehouse, process);
  const plan = async (more: Partial<CompactSettings> = {}) =>
    planCompaction(context, await loaded(warehouse), { ...settings, ...more });
  const run = async (more: Partial<CompactSettings> = {}, options: CompactOptions = {}): Promise<CompactedGroup[]> =>
    Array.fromAsync(runCompaction(context, await plan(more), options));
  /** Live data files, each with its rows (deleted ones too) as `id`. */
  const files = async () => {
    const { metadata } = await loaded(warehouse);
    const head = snapshotById(metadata, metadata.currentSnapshotId!)!;
    const { dataFiles } = await planSnapshot(warehouse.io, metadata, head);
    return Promise.all(
      dataFiles.map(async ({ file }) => ({
        file,
        partition: partitionPath(specById(metadata, file.specId), currentSchema(metadata), file.partition),
        rows: await rowsOf(file),
      })),
    );
  };
  const rowsOf = async (file: DataFile): Promise<string[]> => {
    const schema = currentSchema((await loaded(warehouse)).metadata);
    const rows: string[] = [];
    for await (const batch of readDataFile(
      warehouse.io,
      file,
      schema,
      schema.fields.map(({ id }) => id),
    )) {
      for (let row = 0; row < batch.length; row++) {
        rows.push(batch.columns.map((column) => String(valueAt(column, row))).join("|"));
      }
    }
    return rows;
  };
  const rows = () => tableRows(warehouse.io, warehouse.catalog, IDENT);
  const order = async (...terms: string[]) => {
    const { metadata } = await loaded(warehouse);
    return sortArrangement(metadata, currentSchema(metadata), terms.length === 0 ? null : terms);
  };
  return { warehouse, process, plan, run, files, rows, order };
}

it("reads no delete file for a plan, and says why files are left", async () => {
  const { warehouse, plan } = await tableOf({ partitionBy: ["part"] }, ["+1:x:1 +2:x:2 +3:y:3", "+4:x:4 -1", "+5:z:5"]);
  const read: string[] = [];
  warehouse.fault = (operation, location) => {
    if (operation.startsWith("read")) read.push(location);
  };
  const { groups, skipped } = await plan();
  expect(read.filter((location) => !/\.(avro|json)$/.test(location))).toEqual([]);
  expect(groups.map(({ partition, inputs }) => [partition, inputs.map((input) => input.deletedRows)])).toEqual([
    ["part=x", [0, 1]],
  ]);
  expect(skipped.map(({ partition, reason, files }) => `${partition} ${reason} ${files}`).toSorted()).toEqual([
    "part=y fewer than 2 small files together 1",
    "part=z fewer than 2 small files together 1",
  ]);
  const large = await plan({ targetSizeBytes: 100 });
  expect(large.groups.map(({ inputs }) => inputs.length)).toEqual([1]);
  expect(new Set(large.skipped.map(({ reason }) => reason))).toEqual(new Set(["large enough"]));
});

it.each([
  ["part = 'x'", "part=x"],
  ["part in ('y', 'z') and not_there is null", null],
  ["part in ('y', 'z')", "part=y part=z"],
  ["part <> 'x' and value > 35", "part=y"],
  ["value >= 40 or part = 'z'", "part=y part=z"],
  ["(value = 10 or value = 11) and part < 'z'", "part=x"],
  ["value is null", "part=z"],
  ["part is null", ""],
  ["id <= -1", ""],
  ["part = 7", null],
  ["part = 'x' part", null],
  ["part == 'x'", null],
] as const)("takes the files where %s may hold: %s", async (where, expected) => {
  const { warehouse, plan } = await tableOf({ partitionBy: ["part"] }, [
    "+1:x:10 +2:y:40 +3:z",
    "+4:x:11 +5:y:41 +6:z",
  ]);
  const { metadata } = await loaded(warehouse);
  if (expected === null) {
    expect(() => whereScope(metadata, where, 0)).toThrow(expect.objectContaining({ code: "COMPACT_SCOPE" }));
    return;
  }
  const { groups, skipped } = await plan({ scope: whereScope(metadata, where, 0) });
  expect(groups.map(({ partition }) => partition).join(" ")).toBe(expected);
  expect(groups.length + skipped.length).toBe(3);
  expect(skipped.every(({ reason }) => reason === "not asked for" || reason.startsWith("fewer"))).toBe(true);
});

it("takes a partition by the name of its folder", async () => {
  const { warehouse, run, files } = await tableOf({ partitionBy: ["part"] }, ["+1:x:10 +2:y:40", "+4:x:11 +5:y:41"]);
  const { metadata } = await loaded(warehouse);
  expect(() => partitionScope(metadata, "region=x")).toThrow(expect.objectContaining({ code: "COMPACT_SCOPE" }));
  expect((await run({ scope: partitionScope(metadata, "part=y") })).map(({ partition }) => partition)).toEqual([
    "part=y",
  ]);
  expect((await files()).map(({ partition }) => partition).toSorted()).toEqual(["part=x", "part=x", "part=y"]);
});

it("merges files of the table's order, and gives up the order where they have none in common", async () => {
  const table = await tableOf({ sortBy: ["value desc"] }, ["+1:x:1 +2:x:9 +3:x:5", "+4:x:7 +5:x:3 -3"]);
  const [merged] = await table.run();
  expect(merged).toMatchObject({ arrangement: "sorted by value desc nulls last", filesAfter: 1, skipped: null });
  const [file] = await table.files();
  expect(file?.rows).toEqual(["2|x|9", "4|x|7", "5|x|3", "1|x|1"]);
  expect(file?.file.sortOrderId).toBe((await loaded(table.warehouse)).metadata.defaultSortOrderId);
  expect((await table.plan({ arrangement: await table.order() })).skipped).toMatchObject([
    { reason: "already in this order" },
  ]);

  await new ForeignWriter(table.warehouse, "a").append([{ id: 90n, part: "x", value: 8n }]);
  expect(await table.run()).toMatchObject([{ arrangement: "in their order", orderKept: true }]);
  expect((await table.files()).map(({ file: { sortOrderId }, rows }) => [sortOrderId, rows.length])).toEqual([
    [null, 5],
  ]);

  // A file that is rewritten for its deletes alone stays in its order.
  await table.run({ arrangement: await table.order() });
  await table.process.checkpoint([change("a", "-1"), change("a", "-5")]);
  expect(await table.run()).toMatchObject([{ arrangement: "in their order", filesBefore: 1, rows: 3n }]);
  expect((await table.files()).map(({ file: { sortOrderId } }) => sortOrderId)).toEqual([file?.file.sortOrderId]);
});

it("sorts into files of even size whose ranges do not overlap, and keeps row ids", async () => {
  const ids = Array.from({ length: 600 }, (_, k) => `+${k}:x:${(k * 379) % 600}`);
  const table = await tableOf({}, [ids.slice(0, 300).join(" "), ids.slice(300).join(" ")]);
  const total = (await table.files()).reduce((sum, { file }) => sum + Number(file.fileSizeBytes), 0);
  const targetSizeBytes = Math.floor(total / 3);
  const arrangement = await table.order("value");
  const before = await table.rows();
  for (const memoryBytes of [1 << 26, 20_000]) {
    const done = await table.run({ arrangement, targetSizeBytes, memoryBytes });
    expect(done.every(({ snapshotId }) => snapshotId !== null)).toBe(true);
    expect(await table.rows()).toEqual(before);
  }
  const files = await table.files();
  expect(files.length).toBeGreaterThan(2);
  const ranges = files.map(({ rows }) => rows.map((row) => Number(row.split("|")[2])));
  const all = ranges.toSorted(([a], [b]) => a! - b!).flat();
  expect(all).toEqual(all.toSorted((a, b) => a - b));
  for (const { file, rows } of files) {
    const values = rows.map((row) => Number(row.split("|")[2]));
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    // An order that is none of the table's has no id.
    expect(file.sortOrderId).toBeNull();
  }
});

it("puts rows of an older spec into the present partitions, or says why not", async () => {
  const table = await tableOf({}, ["+1:x:1 +2:y:2 +3:x:3", "+4:z:4 -1"]);
  const { metadata } = await loaded(table.warehouse);
  const part = currentSchema(metadata).fields.find(({ name }) => name === "part")!.id;
  const spec = { specId: 1, fields: [{ sourceId: part, fieldId: 1000, name: "part", transform: "identity" }] };
  await new ForeignWriter(table.warehouse, "a").update([
    { action: "add-spec", spec },
    { action: "set-default-spec", specId: -1 },
  ]);
  const restarted = await Process.start(table.warehouse, [upsertRule("a", { partitionBy: ["part"] })]);
  await restarted.checkpoint([change("a", "+5:x:5")]);
  const large = await table.plan({ targetSizeBytes: 100, minFiles: 9 });
  expect(large.skipped.map(({ reason }) => reason)).toContain("of partition spec 0, and large enough");
  const before = await table.rows();

  const plan = await table.plan({ oldSpecs: true });
  expect(plan.groups.map(({ moves, inputs }) => [moves, inputs.length])).toEqual([[true, 2]]);
  const done = await Array.fromAsync(runCompaction(place(table.warehouse, restarted), plan));
  expect(done).toMatchObject([{ filesBefore: 2, filesAfter: 3, rows: 3n }]);
  expect(await table.rows()).toEqual(before);
  const files = await table.files();
  expect(
    files.map(({ file: { specId }, partition, rows }) => `${specId} ${partition} ${rows.join()}`).toSorted(),
  ).toEqual(["1 part=x 3|x|3", "1 part=x 5|x|5", "1 part=y 2|y|2", "1 part=z 4|z|4"]);
  await restarted.checkpoint([change("a", "~3:y:33"), change("a", "-4")]);
  expect(await table.rows()).toEqual(["2|y|2", "3|y|33", "5|x|5"]);
});

it("ends between two commits when it is told to, and rests as long as its pace says", async () => {
  const table = await tableOf({ partitionBy: ["part"] }, ["+1:x:1 +2:y:2", "+3:x:3 +4:y:4"]);
  const { runtime } = table.process;
  const plan = await table.plan();
  const stop = new AbortController();
  const done: CompactedGroup[] = [];
  for await (const group of runCompaction(place(table.warehouse, table.process), plan, { signal: stop.signal })) {
    done.push(group);
    stop.abort();
  }
  expect(done.length).toBe(1);
  expect([...(await loaded(table.warehouse)).metadata.refs.keys()]).toEqual(["main", "ingest.test"]);

  let now = 0;
  const rests: number[] = [];
  // Each look at the clock costs three milliseconds of work.
  const clock = {
    ...runtime.clock,
    monotonicMs: () => (now += 3),
    sleep: async (ms: number) => void (rests.push(ms), (now += ms)),
  };
  const left = await table.plan();
  const context = { ...place(table.warehouse, table.process), runtime: { ...runtime, clock } };
  for await (const group of runCompaction(context, left, { pace: 0.25 })) expect(group.snapshotId).not.toBeNull();
  // Between them it listens whether others are at work.
  const own = rests.filter((ms) => ms !== 4);
  expect(own.length).toBeGreaterThanOrEqual(2);
  expect(own.every((ms) => ms >= 9)).toBe(true);
});

it("holds what it reads with a tag that ages, and takes it away at the end", async () => {
  const table = await tableOf({}, ["+1:x:1", "+2:x:2"]);
  const plan = await table.plan();
  const head = plan.table.metadata.currentSnapshotId;
  const here = place(table.warehouse, table.process);
  const seen: unknown[] = [];
  const sleep = async (): Promise<void> => {
    for (const [name, ref] of (await loaded(table.warehouse)).metadata.refs)
      if (name.startsWith("compact.")) seen.push(ref);
  };
  let now = 0;
  const runtime = { ...here.runtime, clock: { ...here.runtime.clock, sleep, monotonicMs: () => (now += 3) } };
  await Array.fromAsync(runCompaction({ ...here, runtime }, plan));
  expect(seen[0]).toMatchObject({ type: "tag", snapshotId: head });
  expect((seen[0] as { maxRefAgeMs: bigint }).maxRefAgeMs).toBeGreaterThanOrEqual(86_400_000n);
  expect([...(await loaded(table.warehouse)).metadata.refs.keys()]).toEqual(["main", "ingest.test"]);
});

it("tells where rows went that stand as they stood", async () => {
  const table = await tableOf({}, ["+1:x:5 +2:x:4 +3:x:3", "+4:x:2 -2 +5:x:1"]);
  const old = new Map((await table.files()).map(({ file, rows }) => [file.filePath, rows]));
  const told: MovedInOrder[] = [];
  const [kept] = await table.run({}, { moved: (rows) => void told.push(rows) });
  expect([kept!.orderKept, told.length]).toEqual([true, 1]);
  const live = told[0]!.from.flatMap(({ file, deleted }) =>
    old.get(file.filePath)!.filter((_, position) => !deleted.has(position)),
  );
  const now = new Map((await table.files()).map(({ file, rows }) => [file.filePath, rows]));
  expect(live).toHaveLength(4);
  expect(now.get(told[0]!.to.filePath)).toEqual(live);
  await table.process.checkpoint([change("a", "+9:x:0")]);
  const [sorted] = await table.run(
    { arrangement: await table.order("value") },
    { moved: (rows) => void told.push(rows) },
  );
  expect([sorted!.orderKept, told.length]).toEqual([false, 1]);
});

it("rewrites a large file with few deletes where the ratio says so", async () => {
  const rows = Array.from({ length: 20 }, (_, id) => `+${id}:x:${id}`).join(" ");
  const table = await tableOf({}, [rows, "-3"]);
  const large = { targetSizeBytes: 100, minFiles: 9 };
  expect((await table.plan({ ...large, deleteRatio: 0.06 })).groups).toEqual([]);
  for (const ratio of [{ deleteRatio: 0 }, {}]) {
    const [group] = (await table.plan({ ...large, ...ratio })).groups;
    expect(group?.inputs).toMatchObject([{ deletedRows: 1 }]);
  }
});

/** A schedule wrote a table of one partition whole at each run, until its first file was large. */
it("leaves out files that small ones would hardly let grow, where it runs again and again", async () => {
  const rows = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, i) => `+${from + i}:p${from + i}:${from + i}`).join(" ");
  const checkpoints = [rows(0, 4_000), rows(4_000, 4_004), `${rows(4_004, 4_008)} -1`];
  const { plan, run, files, rows: live } = await tableOf({}, checkpoints);
  const before = await live();
  const shape = async (more: Partial<CompactSettings>) =>
    (await plan(more)).groups.map(({ inputs }) => inputs.map((input) => Number(input.live.file.recordCount)));
  expect(await shape({})).toEqual([[4, 4, 4_000]]);
  expect(await shape({ recurring: true })).toEqual([[4, 4]]);
  expect((await plan({ recurring: true })).skipped).toMatchObject([
    { reason: "too large to be written again for the small files beside it", files: 1 },
  ]);
  // One that has many deletes is written again in any case, and the small ones with it.
  expect(await shape({ recurring: true, deleteRatio: 0 })).toEqual([[4, 4, 4_000]]);
  await run({ recurring: true });
  expect((await files()).map(({ rows: some }) => some.length).toSorted((a, b) => b - a)).toEqual([4_000, 8]);
  expect(await live()).toEqual(before);
});
