import { expect, it } from "vitest";
import { type ChangeBatch, Op, offsetPoints } from "../../../src/core/change-batch.ts";
import { change, memoryWarehouse, Process, upsertRule } from "../../support/checkpoints.ts";
import { tableRows } from "../../support/table-rows.ts";

it("a truncate without columns, as a decoder makes it that has seen no row yet, empties the table", async () => {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a")]);
  const rows = () => tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });
  await process.checkpoint(["+1:x:1", "+2:x:2"].map((text) => change("a", text)));
  expect(await rows()).toEqual(["1|x|1", "2|x|2"]);
  const batch: ChangeBatch = {
    table: process.router.byStream("a")?.table as number,
    split: "t/0",
    length: 1,
    ops: Uint8Array.of(Op.truncate),
    fields: [],
    columns: [],
    absent: [],
    key: null,
    points: offsetPoints(BigInt64Array.of(3n)),
    sizeBytes: 9,
  };
  await process.checkpointOf([batch], 3);
  expect(await rows()).toEqual([]);
});
