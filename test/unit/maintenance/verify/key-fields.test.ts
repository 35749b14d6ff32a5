import { expect, it } from "vitest";
import { planKeyRepair } from "../../../../src/maintenance/repair/key-fields.ts";
import { keySchema, verifyKeyFields } from "../../../../src/maintenance/verify/key-fields.ts";
import { currentSchema, type LoadedTable, must, type Schema } from "../../../../table-format/index.ts";
import { change, memoryWarehouse, Process, upsertRule, type Warehouse } from "../../../support/checkpoints.ts";
import { ForeignWriter } from "../../../support/foreign-writer.ts";
import { tableRows } from "../../../support/table-rows.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";

const IDENT = { namespace: ["shop"], name: "a" };
const RULES = [upsertRule("a")];
const load = async ({ catalog }: Warehouse): Promise<LoadedTable> => must(await catalog.loadTable(IDENT), "the table");

/** A table of a job, whose schema another engine has changed. */
async function changedTable(schemaOf: (schema: Schema) => Partial<Schema>): Promise<Warehouse> {
  const warehouse = memoryWarehouse("memory");
  const process = await Process.start(warehouse, RULES);
  await process.checkpoint([change("a", "+1:x:1"), change("a", "+2:x:2")]);
  const { metadata } = await load(warehouse);
  expect(verifyKeyFields(await load(warehouse))).toEqual([]);
  const schema = { ...currentSchema(metadata), ...schemaOf(currentSchema(metadata)) };
  await new ForeignWriter(warehouse, "a").update([
    { action: "add-schema", schema, lastColumnId: metadata.lastColumnId },
    { action: "set-current-schema", schemaId: -1 },
  ]);
  return warehouse;
}

it("identifier fields that another engine has removed are told, and come back; the job goes on", async () => {
  const warehouse = await changedTable(() => ({ identifierFieldIds: [] }));
  const [finding, ...more] = verifyKeyFields(await load(warehouse));
  expect([finding, more]).toMatchObject([
    { check: "keys", expected: expect.stringContaining("[id]"), found: "none" },
    [],
  ]);
  const plan = planKeyRepair({ ...warehouse, runtime: virtualRuntime(1) }, await load(warehouse));
  expect(plan).toMatchObject({ refusals: [], repairs: [{ repair: "key", table: "shop.a", rows: 0n }] });
  await plan.repairs[0]?.run();
  const { metadata } = await load(warehouse);
  expect(currentSchema(metadata).identifierFieldIds).toEqual(must(keySchema(metadata), "a key").identifierFieldIds);
  expect(verifyKeyFields(await load(warehouse))).toEqual([]);
  await (await Process.start(warehouse, RULES)).checkpoint([change("a", "+1:x:9")]);
  expect(await tableRows(warehouse.io, warehouse.catalog, IDENT)).toEqual(["1|x|9", "2|x|2"]);
});

it("other identifier fields than those that the table was made with are told by their names", async () => {
  const warehouse = await changedTable(({ fields }) => {
    const [id, second, ...rest] = fields;
    const other = { ...must(second, "a second column"), required: true };
    return { fields: [must(id, "id"), other, ...rest], identifierFieldIds: [other.id] };
  });
  expect(verifyKeyFields(await load(warehouse))).toMatchObject([{ found: expect.not.stringContaining("[id]") }]);
  expect(planKeyRepair({ ...warehouse, runtime: virtualRuntime(2) }, await load(warehouse)).repairs).toHaveLength(1);
});

it.each([
  ["is no longer required", (fields: Schema["fields"]) => fields.map((field) => ({ ...field, required: false }))],
  ["has been dropped", (fields: Schema["fields"]) => fields.slice(1)],
])("a column that %s is not made a key again", async (why, fieldsOf) => {
  const warehouse = await changedTable(({ fields }) => ({ fields: fieldsOf(fields), identifierFieldIds: [] }));
  const { repairs, refusals } = planKeyRepair({ ...warehouse, runtime: virtualRuntime(3) }, await load(warehouse));
  expect([repairs, refusals]).toMatchObject([[], [{ problem: expect.stringContaining(why) }]]);
});

it("a table for upserts whose schemas no longer tell of a key is told, and one of another engine is not", async () => {
  const table = await load(await changedTable(() => ({ identifierFieldIds: [] })));
  const schemas = table.metadata.schemas.map((schema) => ({ ...schema, identifierFieldIds: [] }));
  const lost = { ...table, metadata: { ...table.metadata, schemas } };
  expect(verifyKeyFields(lost)).toMatchObject([{ found: "none" }]);
  expect(verifyKeyFields({ ...lost, metadata: { ...lost.metadata, properties: new Map() } })).toEqual([]);
});
