import { describe, expect, it } from "vitest";
import { createBuilder, currentSchema, typeText } from "../../../table-format/index.ts";
import { type ChangeBatch, NO_TIME, Op, offsetPoints } from "../../../src/core/change-batch.ts";
import { canalJson } from "../../../src/formats/canal-json/format.ts";
import { change, memoryWarehouse, Process, upsertRule } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { slabOf } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";

const a = (text: string) => change("a", text);

async function fresh() {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, [upsertRule("a", { mode: "history" })]);
  const rows = () => tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });
  return { warehouse, process, rows };
}

function timed(process: Process, names: readonly string[], times: readonly bigint[]): ChangeBatch {
  const { length } = times;
  const columns = names.map(() => {
    const builder = createBuilder({ kind: "long" });
    for (let row = 0; row < length; row++) builder.appendI64(BigInt(row));
    return builder.finish();
  });
  return {
    table: process.router.byStream("a")?.table as number,
    split: "t/0",
    length,
    ops: new Uint8Array(length).fill(Op.update),
    fields: names.map((name) => ({ name, type: { kind: "long" }, required: true })),
    columns,
    absent: names.map(() => null),
    key: ["id"],
    points: offsetPoints(BigInt64Array.from(times, (_, row) => BigInt(row + 1))),
    timesUs: BigInt64Array.from(times),
    sizeBytes: 8,
  };
}

describe("a table with mode: history", () => {
  it("has a row for each change, in one checkpoint as over many", async () => {
    const { process, rows } = await fresh();
    await process.checkpoint(["+1:x:1", "~1:x:2", "-1"].map(a));
    await process.checkpoint(["!", "+1:y:3"].map(a));
    expect(await rows()).toEqual([
      "1|null|null|delete|null|t/0|3",
      "1|x|1|insert|null|t/0|1",
      "1|x|2|update_after|null|t/0|2",
      "1|y|3|insert|null|t/0|5",
      "null|null|null|truncate|null|t/0|4",
    ]);
  });

  it("has optional columns beside its own, and no key", async () => {
    const { warehouse, process } = await fresh();
    await process.checkpoint([a("+1:x:1")]);
    const schema = currentSchema((await new ForeignWriter(warehouse, "a").load()).metadata);
    expect(schema.identifierFieldIds).toEqual([]);
    expect(schema.fields.map(({ name, type, required }) => `${name} ${typeText(type)} ${required}`)).toEqual([
      "id long false",
      "part string false",
      "value long false",
      "_op string false",
      "_ts timestamptz false",
      "_split string false",
      "_position string false",
    ]);
  });

  it("has the changes' times", async () => {
    const { process, rows } = await fresh();
    await process.checkpointOf([timed(process, ["id"], [1_700_000_000_000_007n, NO_TIME])], 2);
    expect(await rows()).toEqual(["0|update_after|1700000000000007|t/0|1", "1|update_after|null|t/0|2"]);
  });

  it("has the rows of Canal's updates as they were and as they are", async () => {
    const { process, rows } = await fresh();
    const decoder = canalJson.createDecoder(process.router, { inferred() {}, unrouted() {} }, null);
    const value = (type: string, name: string, old: object | null) => ({
      ...{ database: "shop", table: "a", pkNames: ["id"], type, es: 1_700, old: old === null ? null : [old] },
      ...{ mysqlType: { id: "bigint", name: "varchar(9)" }, data: [{ id: "1", name }] },
    });
    const messages = [value("INSERT", "x", null), value("UPDATE", "y", { name: "x" }), value("DELETE", "y", null)];
    await process.checkpointOf(
      decoder.decode(
        slabOf(
          messages.map((one) => ({ value: one })),
          "a",
        ),
      ),
      3,
    );
    expect(await rows()).toEqual([
      "1|x|insert|1700000|a/0|1",
      "1|x|update_before|1700000|a/0|2",
      "1|y|delete|1700000|a/0|3",
      "1|y|update_after|1700000|a/0|2",
    ]);
  });

  it("skips what it has when the source is read again", async () => {
    const { warehouse, process, rows } = await fresh();
    await process.checkpoint(["+1:x:1", "~1:x:2"].map(a));
    const next = await Process.start(warehouse, [upsertRule("a", { mode: "history" })]);
    next.reached = new Map([["t/0", "0"]]);
    await next.checkpoint(["+1:x:1", "~1:x:2", "-1"].map(a));
    expect((await rows()).length).toBe(3);
  });

  it("refuses changes that have a column of the same name", async () => {
    const { process } = await fresh();
    const batch = timed(process, ["id", "_op"], [1n]);
    expect(() => process.checkpointer.add(batch)).toThrow(
      expect.objectContaining({ code: "HISTORY_COLUMN", kind: "data" }),
    );
  });
});
