import { expect, it } from "vitest";
import { newSchema } from "../../../table-format/index.ts";
import { appendColumns, commit, createTable, queryLines, temporaryWarehouse } from "./local-warehouse.ts";

it("compares values of a widened column as what they are now", async () => {
  await using warehouse = await temporaryWarehouse();
  const ident = { namespace: ["shop"], name: "weights" };
  const schemaOf = (kind: "float" | "double") => newSchema([{ name: "kg", type: { kind }, required: false }], []);
  await createTable(warehouse, ident, schemaOf("float"));
  await appendColumns(warehouse, ident, [[0.1]]);
  await commit(warehouse, ident, [
    { action: "add-schema", schema: { ...schemaOf("double"), schemaId: 1 }, lastColumnId: 1 },
    { action: "set-current-schema", schemaId: -1 },
  ]);
  const count = async (filter: string): Promise<string> =>
    (await queryLines(warehouse, `SELECT count(*) AS n FROM shop.weights WHERE ${filter}`)).join();
  // The float 0.1 is 0.10000000149011612.
  expect(await count("kg > 0.1")).toBe('{"n":1}');
  expect(await count("kg = 0.1")).toBe('{"n":0}');
  expect(await count("kg <= 0.1::DOUBLE")).toBe('{"n":0}');
  expect(await count("kg = 0.1::FLOAT")).toBe('{"n":1}');
});
