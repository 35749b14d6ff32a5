import { describe, expect, it } from "vitest";
import { currentSchema, planSnapshot, readDataFile, snapshotById, valueAt } from "../../../table-format/index.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";

const a = (text: string) => change("a", text);

/** Each live file's order id and its rows as they stand in it, deleted ones too; files by their first row. */
async function files(warehouse: Warehouse): Promise<string[]> {
  const { metadata } = await new ForeignWriter(warehouse, "a").load();
  const schema = currentSchema(metadata);
  const snapshot = snapshotById(metadata, metadata.currentSnapshotId as bigint);
  const plan = await planSnapshot(warehouse.io, metadata, snapshot!);
  const ids = schema.fields.map(({ id }) => id);
  const texts: string[] = [];
  for (const { file } of plan.dataFiles) {
    const rows: string[] = [];
    for await (const batch of readDataFile(warehouse.io, file, schema, ids)) {
      for (let row = 0; row < batch.length; row++) {
        rows.push(batch.columns.map((column) => String(valueAt(column, row))).join("|"));
      }
    }
    texts.push(`${file.sortOrderId}: ${rows.join(" ")}`);
  }
  return texts.sort();
}

async function start(warehouse: Warehouse, rule: Partial<TableRule>): Promise<Process> {
  return Process.start(warehouse, [upsertRule("a", rule)]);
}

describe("the rows of a data file", () => {
  it("stand in the table's order in each partition, and later changes of their keys find them", async () => {
    const warehouse = memoryWarehouse("memory");
    const rule = { partitionBy: ["part"], sortBy: ["value desc"], formatVersion: 2 as const };
    const process = await start(warehouse, rule);
    await process.checkpoint(["+1:x:5", "+2:y:1", "+3:x:9", "+4:x", "+5:y:2", "+6:x:9"].map(a));
    expect(await files(warehouse)).toEqual(["1: 3|x|9 6|x|9 1|x|5 4|x|null", "1: 5|y|2 2|y|1"]);
    const foreign = new ForeignWriter(warehouse, "a");
    await process.checkpoint(["~3:x:1", "~6:y:7", "-4", "~2:y:8"].map(a));
    expect(await foreign.rows()).toEqual(["1|x|5", "2|y|8", "3|x|1", "5|y|2", "6|y|7"]);
    // A process that learns the keys' places from the files finds the same.
    const next = await start(warehouse, rule);
    await next.checkpoint(["~1:y:6", "-5", "~6:x:3"].map(a));
    expect(await foreign.rows()).toEqual(["1|y|6", "2|y|8", "3|x|1", "6|x|3"]);
  });

  it("stand in the new order once the job names another", async () => {
    const warehouse = memoryWarehouse("memory");
    await (await start(warehouse, {})).checkpoint(["+2:x:1", "+1:x:2"].map(a));
    await (await start(warehouse, { sortBy: ["id"] })).checkpoint(["+4:x:1", "+3:x:2"].map(a));
    await (await start(warehouse, { sortBy: ["value"] })).checkpoint(["+5:x:2", "+6:x:1"].map(a));
    // A job that says nothing keeps the order that the table has, and one that has been used before gets its id again.
    await (await start(warehouse, {})).checkpoint(["+7:x:2", "+8:x:1"].map(a));
    await (await start(warehouse, { sortBy: ["id asc nulls first"] })).checkpoint(["+11:x:2", "+10:x:1"].map(a));
    await (await start(warehouse, { sortBy: [] })).checkpoint(["+13:x:2", "+12:x:1"].map(a));
    expect(await files(warehouse)).toEqual([
      "1: 10|x|1 11|x|2",
      "1: 3|x|2 4|x|1",
      "2: 6|x|1 5|x|2",
      "2: 8|x|1 7|x|2",
      "null: 13|x|2 12|x|1",
      "null: 2|x|1 1|x|2",
    ]);
    const { metadata } = await new ForeignWriter(warehouse, "a").load();
    expect(metadata.sortOrders.map(({ orderId }) => orderId)).toEqual([0, 1, 2]);
    expect(metadata.defaultSortOrderId).toBe(0);
  });

  it("stand as they come, and the file says so, once a column of the order is gone", async () => {
    const warehouse = memoryWarehouse("memory");
    const rule = { sortBy: ["extra desc", "id"] };
    const foreign = new ForeignWriter(warehouse, "a");
    await (await start(warehouse, {})).checkpoint(["+2:x:1"].map(a));
    const { metadata } = await foreign.load();
    const schema = currentSchema(metadata);
    const extra = { id: 4, name: "extra", type: { kind: "long" as const }, required: false };
    await foreign.update([
      { action: "add-schema", schema: { ...schema, fields: [...schema.fields, extra] }, lastColumnId: 4 },
      { action: "set-current-schema", schemaId: -1 },
    ]);
    await (await start(warehouse, rule)).checkpoint(["+4:x:1", "+3:x:1"].map(a));
    await foreign.update([{ action: "set-current-schema", schemaId: 0 }]);
    await (await start(warehouse, rule)).checkpoint(["+6:x:1", "+5:x:1"].map(a));
    expect(await files(warehouse)).toEqual(["1: 3|x|1 4|x|1", "null: 2|x|1", "null: 6|x|1 5|x|1"]);
  });

  it("of append and history tables are sorted too", async () => {
    const warehouse = memoryWarehouse("memory");
    const process = await start(warehouse, { mode: "history", sortBy: ["part", "_op desc"] });
    await process.checkpoint(["+1:y:1", "+2:x:2", "~2:x:3"].map(a));
    expect(await files(warehouse)).toEqual([
      "1: 2|x|3|update_after|null|t/0|3 2|x|2|insert|null|t/0|2 1|y|1|insert|null|t/0|1",
    ]);
  });
});

describe("a column that a table lacks", () => {
  it.each([
    [{ sortBy: ["at desc"] }, 'table shop.a: sort_by "at desc": column "at" does not exist'],
    [{ partitionBy: ["day(at)"] }, 'table shop.a: partition_by "day(at)": column "at" does not exist'],
    [{ partitionBy: ["day(part)"] }, "table shop.a: partition transform day does not take string"],
  ])("is refused by table and column: %o", async (rule, message) => {
    const process = await start(memoryWarehouse("memory"), rule);
    await expect(process.checkpoint([a("+1:x:1")])).rejects.toThrow(
      expect.objectContaining({ kind: "config", message: expect.stringContaining(message) }),
    );
  });

  it("is refused in a table that is there, when the job comes to name it", async () => {
    const warehouse = memoryWarehouse("memory");
    await (await start(warehouse, { sortBy: ["id"] })).checkpoint([a("+1:x:1")]);
    const process = await start(warehouse, { sortBy: ["at"] });
    await expect(process.checkpoint([a("+2:x:1")])).rejects.toThrow(/table shop\.a: sort_by "at"/);
  });
});
