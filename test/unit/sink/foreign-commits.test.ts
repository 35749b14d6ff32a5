import { describe, expect, it } from "vitest";
import type { Warehouse } from "../../support/checkpoints.ts";
import { change, memoryWarehouse, Process, storeGone, upsertRule } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { tableRows } from "../../support/table-rows.ts";

const a = (text: string) => change("a", text);
const rowsOf = (warehouse: Warehouse) => tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });

async function written(changes: readonly string[]) {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  await process.checkpoint(changes.map(a));
  return { warehouse, process, foreign: new ForeignWriter(warehouse, "a") };
}

/** Runs `act` once, just before the process sends its next commit. */
function beforeSending(process: Process, warehouse: Warehouse, act: () => Promise<void>): void {
  const { catalog } = warehouse;
  const commit = catalog.commit.bind(catalog);
  let done = false;
  catalog.commit = async (changes, claim) => {
    if (!done) {
      done = true;
      await act();
    }
    return commit(changes, claim);
  };
}

describe("a foreign commit between two checkpoints", () => {
  it("rewrites our files: keys are found in the new one", async () => {
    const { warehouse, process, foreign } = await written(["+1:x:1", "+2:x:2", "+3:x:3"]);
    await process.checkpoint(["~2:x:20"].map(a));
    await foreign.compact();
    await process.checkpoint(["~1:x:10", "-3", "+4:x:4"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|x|10", "2|x|20", "4|x|4"]);
  });

  it("appends rows: ours replace them", async () => {
    const { warehouse, process, foreign } = await written(["+1:x:1"]);
    await foreign.append([{ id: 2n, part: "f", value: 2n }]);
    await process.checkpoint(["~2:x:20"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|x|1", "2|x|20"]);
  });

  it("deletes rows of our files: our vectors are the union", async () => {
    const { warehouse, process, foreign } = await written(["+1:x:1", "+2:x:2", "+3:x:3", "+4:x:4"]);
    await process.checkpoint(["-4"].map(a));
    await foreign.replace([1n], []);
    await process.checkpoint(["-2"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["3|x|3"]);
  });

  it("deletes rows of several files by one position delete file: ours add to it", async () => {
    const warehouse = memoryWarehouse("memory");
    const process = await Process.start(warehouse, [upsertRule("a", { formatVersion: 2 })]);
    await process.checkpoint(["+1:x:1", "+2:x:2", "+3:x:3"].map(a));
    await process.checkpoint(["+4:x:4", "+5:x:5", "+6:x:6"].map(a));
    const foreign = new ForeignWriter(warehouse, "a");
    await foreign.deleteAcross([1n, 4n]);
    await process.checkpoint(["-2", "+1:y:10"].map(a));
    expect(await foreign.rows()).toEqual(["1|y|10", "3|x|3", "5|x|5", "6|x|6"]);
    const next = await Process.start(warehouse, [upsertRule("a", { formatVersion: 2 })]);
    await next.checkpoint(["-5", "~1:y:11", "+4:y:4"].map(a));
    expect(await foreign.rows()).toEqual(["1|y|11", "3|x|3", "4|y|4", "6|x|6"]);
  });

  it("deletes rows, and the store fails while the vector is read", async () => {
    const { warehouse, process, foreign } = await written(["+1:x:1", "+2:x:2", "+3:x:3"]);
    await foreign.replace([1n], []);
    let left = 1;
    warehouse.fault = (operation, location) => {
      if (location.endsWith(".puffin") && operation.startsWith("read") && left-- > 0) throw storeGone();
    };
    await process.checkpoint(["-2"].map(a));
    expect(left).toBeLessThan(1);
    expect(await rowsOf(warehouse)).toEqual(["3|x|3"]);
  });

  it("is taken back: rows that live again are found again", async () => {
    const { warehouse, process, foreign } = await written(["+1:x:1", "+2:x:2", "+3:x:3"]);
    const ours = (await foreign.load()).metadata.currentSnapshotId as bigint;
    // Our process sees the update only on the way to a commit that loses against the rollback.
    await foreign.replace([1n, 2n], [{ id: 1n, part: "f", value: 100n }]);
    beforeSending(process, warehouse, () => foreign.rollback(ours));
    await process.checkpoint(["+4:x:4"].map(a));
    await process.checkpoint(["~1:x:10", "~2:x:20"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|x|10", "2|x|20", "3|x|3", "4|x|4"]);
  });
});

describe("a foreign commit whose files cannot be read, and which is taken back meanwhile", () => {
  it.each([
    ["before the checkpoint", false],
    ["behind a first attempt at its commit", true],
  ])("%s: the table is known as it is again", async (_, afterAttempt) => {
    const { warehouse, process, foreign } = await written(["+1:x:1", "+2:x:2", "+3:x:3"]);
    const { currentSnapshotId } = (await foreign.load()).metadata;
    if (afterAttempt) beforeSending(process, warehouse, () => foreign.compact());
    else await foreign.compact();
    let reads = 0;
    warehouse.fault = (operation, location) => {
      if (operation.startsWith("read") && /\/data\/foreign-.*parquet$/.test(location) && reads++ === 0)
        throw storeGone();
    };
    const load = warehouse.catalog.loadTable.bind(warehouse.catalog);
    let back = false;
    warehouse.catalog.loadTable = async (ident) => {
      if (reads > 0 && !back) {
        back = true;
        await foreign.rollback(currentSnapshotId as bigint);
      }
      return load(ident);
    };
    await process.checkpoint(["~1:x:10"].map(a));
    expect(back).toBe(true);
    await process.checkpoint(["~2:x:20", "-3"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|x|10", "2|x|20"]);
  });
});

describe("a foreign commit while a checkpoint is being committed", () => {
  it.each([
    ["a compaction", (foreign: ForeignWriter) => foreign.compact(), ["1|x|10", "3|x|3", "5|x|5"]],
    ["a delete of another row", (foreign: ForeignWriter) => foreign.replace([3n], []), ["1|x|10", "5|x|5"]],
    [
      "a change of the same row",
      (foreign: ForeignWriter) => foreign.replace([1n], [{ id: 1n, part: "f", value: 100n }]),
      ["1|x|10", "3|x|3", "5|x|5"],
    ],
    [
      "an append of a key that we insert",
      (foreign: ForeignWriter) => foreign.append([{ id: 5n, part: "f", value: 50n }]),
      ["1|x|10", "3|x|3", "5|x|5"],
    ],
  ])("%s", async (_, act, expected) => {
    const { warehouse, process, foreign } = await written(["+1:x:1", "+2:x:2", "+3:x:3", "+9:x:9"]);
    // The file has a vector already: resolving twice must not add to the first one.
    await process.checkpoint(["-9"].map(a));
    beforeSending(process, warehouse, () => act(foreign));
    await process.checkpoint(["~1:x:10", "-2", "+5:x:5"].map(a));
    expect(await rowsOf(warehouse)).toEqual(expected);
    // What was learned on the way serves the next checkpoint, too.
    await process.checkpoint(["-5", "~1:x:11"].map(a));
    expect((await rowsOf(warehouse)).filter((row) => row.startsWith("1|") || row.startsWith("5|"))).toEqual(["1|x|11"]);
  });
});
