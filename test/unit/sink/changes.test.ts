import { describe, expect, it } from "vitest";
import { currentSnapshot, planSnapshot, type PrimitiveType } from "../../../table-format/index.ts";
import { must } from "../../../src/core/errors.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { batchOf } from "../../support/rows-batch.ts";
import { tableRows } from "../../support/table-rows.ts";

const a = (text: string) => change("a", text);
const rowsOf = (warehouse: Warehouse) => tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });

const LONG: PrimitiveType = { kind: "long" };
const INT: PrimitiveType = { kind: "int" };
const TEXT: PrimitiveType = { kind: "string" };
const WIDE = { id: LONG, part: TEXT, value: LONG };

async function fresh(...given: Parameters<typeof upsertRule> | []) {
  const warehouse = memoryWarehouse("memory");
  return { warehouse, process: await Process.start(warehouse, [upsertRule("a", given[1])]) };
}

describe("changes of one key in one checkpoint", () => {
  it.each([
    ["insert, delete", ["+9:x:1", "-9"], []],
    ["delete, insert of a row that is there", ["-1", "+1:y:2"], ["1|y|2"]],
    ["insert, delete, insert", ["+9:x:1", "-9", "+9:y:2"], ["9|y|2"]],
    ["delete twice", ["-1", "-1"], []],
    ["to another partition and back", ["~1:y:1", "~1:x:5"], ["1|x|5"]],
  ])("%s", async (_, changes, expected) => {
    const { warehouse, process } = await fresh("a", { partitionBy: ["part"] });
    await process.checkpoint(["+1:x:1"].map(a));
    await process.checkpoint(changes.map(a));
    expect(
      (await rowsOf(warehouse)).filter((row) => row !== "1|x|1" || changes.some((one) => one.includes("1:"))),
    ).toEqual(expected);
  });

  it("truncates in the middle: what came before is gone, what comes after stays", async () => {
    const { warehouse, process } = await fresh();
    await process.checkpoint(["+1:x:1", "+2:x:2"].map(a));
    await process.checkpoint(["~1:x:5", "+3:x:3", "!", "+2:y:9", "+4:y:4"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["2|y|9", "4|y|4"]);
    await process.checkpoint(["~2:z:8", "~1:z:1"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|z|1", "2|z|8", "4|y|4"]);
    await process.checkpoint([a("!")]);
    expect(await rowsOf(warehouse)).toEqual([]);
  });
});

describe("keys", () => {
  it("are found after their column was widened", async () => {
    const { warehouse, process } = await fresh();
    const narrow = batchOf(
      process,
      { id: INT, part: TEXT },
      [
        ["insert", 1, "x"],
        ["insert", -2, "x"],
      ],
      0,
    );
    await process.checkpointOf([narrow], 2);
    const wide = batchOf(
      process,
      { id: LONG, part: TEXT },
      [
        ["update", 1n, "y"],
        ["delete", -2n, null],
      ],
      2,
    );
    await process.checkpointOf([wide], 4);
    expect(await rowsOf(warehouse)).toEqual(["1|y"]);
  });

  it("are found after a date became a timestamp", async () => {
    const { warehouse, process } = await fresh();
    const days = batchOf(
      process,
      { id: { kind: "date" }, part: TEXT },
      [
        ["insert", 1, "x"],
        ["insert", 2, "x"],
      ],
      0,
    );
    await process.checkpointOf([days], 2);
    const times = batchOf(process, { id: { kind: "timestamp" }, part: TEXT }, [["update", 86_400_000_000n, "y"]], 2);
    await process.checkpointOf([times], 3);
    const rows = await rowsOf(warehouse);
    expect([rows.length, rows.filter((row) => row.endsWith("|y")).length]).toEqual([2, 1]);
  });

  it("that the messages name otherwise than before are refused", async () => {
    const { process } = await fresh("a", { key: null });
    await process.checkpoint(["+1:x:1"].map(a));
    const batch = batchOf(process, WIDE, [["insert", 1n, "y", 2n]], 1, { key: ["id", "part"] });
    await expect(process.checkpointOf([batch], 2)).rejects.toMatchObject({ code: "KEY_CHANGED", kind: "config" });
  });
});

describe("tables of format version 2", () => {
  it("delete rows by one position delete file a data file", async () => {
    const { warehouse, process } = await fresh("a", { formatVersion: 2 });
    await process.checkpoint(["+1:x:1", "+2:x:2", "+3:x:3"].map(a));
    await process.checkpoint(["~1:x:10", "+4:x:4"].map(a));
    await process.checkpoint(["-2", "-1"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["3|x|3", "4|x|4"]);
    const { metadata } = await new ForeignWriter(warehouse, "a").load();
    const snapshot = must(currentSnapshot(metadata), "a snapshot");
    const plan = await planSnapshot(warehouse.io, metadata, snapshot);
    const deletes = [...plan.deletes.values()].flat().map(({ file }) => [file.fileFormat, file.recordCount]);
    expect([metadata.formatVersion, snapshot.summary.get("total-delete-files"), deletes]).toEqual([
      2,
      "2",
      [
        ["PARQUET", 1n],
        ["PARQUET", 2n],
      ],
    ]);
  });

  it("are followed by a process that starts, and go on with vectors when they become version 3", async () => {
    const rules = [upsertRule("a", { formatVersion: 2 })];
    const warehouse = memoryWarehouse("memory");
    const first = await Process.start(warehouse, rules);
    await first.checkpoint(["+1:x:1", "+2:x:2", "+3:x:3", "+4:x:4"].map(a));
    await first.checkpoint(["-1"].map(a));
    const second = await Process.start(warehouse, rules);
    await second.checkpoint(["+1:y:1", "-2"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|y|1", "3|x|3", "4|x|4"]);
    const foreign = new ForeignWriter(warehouse, "a");
    await foreign.update([{ action: "upgrade-format-version", formatVersion: 3 }]);
    await second.checkpoint(["-3", "~4:y:4"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["1|y|1", "4|y|4"]);
    await second.checkpoint(["-1", "+5:y:5"].map(a));
    expect(await rowsOf(warehouse)).toEqual(["4|y|4", "5|y|5"]);
  });
});
