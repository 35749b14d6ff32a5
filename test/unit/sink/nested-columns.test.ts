import { describe, expect, it } from "vitest";
import type { TableRule } from "../../../src/core/table-rule.ts";
import {
  addColumns,
  type Cell,
  cellAt,
  currentSchema,
  currentSnapshot,
  must,
  scanRows,
} from "../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { list, map, struct } from "../../support/nested-types.ts";

const a = (text: string) => change("a", text);
const LONG = { kind: "long" } as const;
const STRING = { kind: "string" } as const;

/** Another engine adds columns to the table that a job writes. */
async function addNested(warehouse: Warehouse): Promise<void> {
  const foreign = new ForeignWriter(warehouse, "a");
  const { metadata } = await foreign.load();
  const { schema, lastColumnId } = addColumns(currentSchema(metadata), metadata.lastColumnId, [
    { name: "place", type: struct(["city", STRING, true]) },
    { name: "marks", type: list(LONG, true) },
    { name: "tags", type: map(STRING, LONG) },
  ]);
  await foreign.update([
    { action: "add-schema", schema, lastColumnId },
    { action: "set-current-schema", schemaId: -1 },
  ]);
}

/** Rows by id, without the columns of history tables. */
async function rows(warehouse: Warehouse): Promise<(Cell | null)[][]> {
  const { metadata } = await new ForeignWriter(warehouse, "a").load();
  const names = ["id", "value", "place", "marks", "tags"];
  const fields = currentSchema(metadata).fields.filter(({ name }) => names.includes(name));
  const schema = currentSchema(metadata);
  const found: (Cell | null)[][] = [];
  const snapshot = must(currentSnapshot(metadata), "a snapshot");
  for await (const { length, columns } of scanRows(warehouse.io, metadata, snapshot, { schema, fields })) {
    for (let row = 0; row < length; row++) found.push(columns.map((column) => cellAt(column, row)));
  }
  return found.sort(([x], [y]) => Number((x as bigint) - (y as bigint)));
}

async function withNested(rule: Partial<TableRule>): Promise<{ warehouse: Warehouse; process: Process }> {
  const warehouse = memoryWarehouse("memory");
  const first = await Process.start(warehouse, [upsertRule("a", rule)]);
  await first.checkpoint(["+1:x:1", "+2:y:2"].map(a));
  await addNested(warehouse);
  return { warehouse, process: await Process.start(warehouse, [upsertRule("a", rule)]) };
}

describe("columns of structs, lists and maps that another engine has added", () => {
  it.each([{ mode: "append" }, { mode: "history", partitionBy: ["part"], sortBy: ["id desc"] }] as const)(
    "are null in new rows of a table with %o",
    async (rule) => {
      const { warehouse, process } = await withNested(rule);
      await process.checkpoint(["+3:x:3", "+4:y:4"].map(a));
      await process.checkpoint(["+5:x:5"].map(a));
      expect(await rows(warehouse)).toEqual([1n, 2n, 3n, 4n, 5n].map((id) => [id, id, null, null, null]));
    },
  );

  it("end a job that would replace rows, and their values", async () => {
    const { warehouse, process } = await withNested({});
    await expect(process.checkpoint(["~1:x:3"].map(a))).rejects.toMatchObject({
      kind: "unsupported",
      code: "NESTED_COLUMN",
      message: expect.stringContaining("column place has type struct<"),
    });
    expect(await rows(warehouse)).toHaveLength(2);
  });
});
