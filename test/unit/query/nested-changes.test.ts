import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openDiff } from "../../../src/query/diff.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { RuleRouter } from "../../../src/sink/layout/router.ts";
import { currentSnapshot, planSnapshot, type Schema, snapshotSchema, valueAt } from "../../../table-format/index.ts";
import { upsertRule } from "../../support/checkpoints.ts";
import { newSnapshot } from "../../support/new-snapshot.ts";
import { tableSource } from "../../support/table-chain.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";
import { dataFile } from "../table-format/data-file.ts";
import { commit, createTable, jsonLines, temporaryWarehouse } from "./local-warehouse.ts";

const IDENT = { namespace: ["shop"], name: "nested" };
const LONG = { kind: "long" } as const;
const STRING = { kind: "string" } as const;
const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [1],
  fields: [
    { id: 1, name: "id", required: true, type: LONG },
    {
      id: 2,
      name: "place",
      required: false,
      type: { kind: "struct", fields: [{ id: 5, name: "city", required: false, type: STRING }] },
    },
    {
      id: 3,
      name: "marks",
      required: false,
      type: { kind: "list", elementId: 6, elementRequired: false, element: LONG },
    },
    {
      id: 4,
      name: "tags",
      required: false,
      type: {
        kind: "map",
        keyId: 7,
        key: STRING,
        valueId: 8,
        valueRequired: false,
        value: LONG,
      },
    },
  ],
};

let warehouse: Warehouse & AsyncDisposable;
beforeAll(async () => {
  warehouse = await temporaryWarehouse();
  await createTable(warehouse, IDENT, SCHEMA);
});
afterAll(() => warehouse[Symbol.asyncDispose]());

/** Replaces all rows, as an engine that copies on write does. */
async function overwrite(count: number, values: string): Promise<void> {
  const { metadata } = (await warehouse.catalog.loadTable(IDENT))!;
  const name = `rows-${metadata.snapshots.length}.parquet`;
  const filePath = `${metadata.location}/data/${name}`;
  // The folder comes with its first file.
  await warehouse.io.write(`${filePath}.none`, Buffer.from(""));
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT id::BIGINT AS id, place, marks::BIGINT[] AS marks, tags::MAP(VARCHAR, BIGINT) AS tags FROM (VALUES ${values}) v(id, place, marks, tags))
     TO '${join(filePath)}' (FORMAT parquet, FIELD_IDS {id: 1, place: {__duckdb_field_id: 2, city: 5}, marks: {__duckdb_field_id: 3, element: 6}, tags: {__duckdb_field_id: 4, key: 7, value: 8}})`,
  );
  connection.closeSync();
  instance.closeSync();
  const stat = await warehouse.io.stat(filePath);
  const file = dataFile({
    filePath,
    recordCount: BigInt(count),
    fileSizeBytes: BigInt(stat!.sizeBytes),
  });
  const old = currentSnapshot(metadata);
  const snapshotId = 100n + BigInt(metadata.snapshots.length);
  const updates = await newSnapshot(warehouse.io, metadata, {
    snapshotId,
    timestampMs: metadata.lastUpdatedMs + 1000n,
    addedDataFiles: [file],
    removedDataFiles: old === null ? [] : (await planSnapshot(warehouse.io, metadata, old)).dataFiles,
    schema: old === null ? SCHEMA : snapshotSchema(metadata, old),
  });
  await commit(warehouse, IDENT, updates);
}

it("changes of structs, lists and maps are told as changes of their values", async () => {
  await overwrite(
    4,
    `(1, {'city': 'Rom'}, [1, 2], MAP {'a': 1}), (2, {'city': NULL}, [], MAP {}), (3, NULL, NULL, NULL), (4, {'city': 'Bern'}, [NULL], MAP {'n': NULL})`,
  );
  await overwrite(
    4,
    `(4, {'city': 'Bern'}, [NULL], MAP {'n': NULL}), (1, {'city': 'Rom'}, [1, 2, 3], MAP {'a': 1}), (3, {'city': NULL}, NULL, NULL), (5, NULL, [], MAP {'b': 2})`,
  );
  const diff = await openDiff(warehouse, (await warehouse.catalog.loadTable(IDENT))!, "100..101");
  const rows = (await jsonLines(diff)).map((line) => JSON.parse(line) as object);
  await diff.close();
  expect(rows).toEqual([
    { _op: "update_before", id: 1, place: { city: "Rom" }, marks: [1, 2], tags: { a: 1 } },
    { _op: "update_after", id: 1, place: { city: "Rom" }, marks: [1, 2, 3], tags: { a: 1 } },
    { _op: "delete", id: 2, place: { city: null }, marks: [], tags: {} },
    { _op: "update_before", id: 3, place: null, marks: null, tags: null },
    { _op: "update_after", id: 3, place: { city: null }, marks: null, tags: null },
    { _op: "insert", id: 5, place: null, marks: [], tags: { b: 2 } },
  ]);
});

/** What the source `table` gives of the table, up to where it is idle. */
async function sourceRows(columns: readonly string[]): Promise<string[]> {
  const declared = new Map(columns.map((name) => [name, STRING] as const));
  const rule = upsertRule("x", { from: "shop.nested", key: ["id"], columns: declared });
  const router = new RuleRouter([rule], new Map());
  const source = tableSource(warehouse, "shop.nested")(virtualRuntime(1))(
    router,
    { inferred() {}, unrouted() {} },
    null,
  );
  await source.open();
  const rows: string[] = [];
  const stop = new AbortController();
  for await (const { changes, ends } of source.read(await source.startPosition(), stop.signal)) {
    if (ends.size === 0) stop.abort();
    for (const { length, columns: values } of changes) {
      for (let row = 0; row < length; row++) rows.push(values.map((column) => String(valueAt(column, row))).join(" "));
    }
  }
  return rows;
}

it("a job takes them as JSON texts where it says so, and is refused where it does not", async () => {
  expect(await sourceRows(["place", "marks", "tags"])).toEqual([
    '1 {"city":"Rom"} [1,2] {"a":1}',
    '2 {"city":null} [] {}',
    "3 null null null",
    '4 {"city":"Bern"} [null] {"n":null}',
    "2",
    '1 {"city":"Rom"} [1,2,3] {"a":1}',
    '3 {"city":null} null null',
    '5 null [] {"b":2}',
  ]);
  await expect(sourceRows(["place", "marks"])).rejects.toMatchObject({
    code: "NESTED_COLUMN",
    hint: "columns: { tags: string }",
  });
});
