import { rmSync } from "node:fs";
import { expect, it } from "vitest";
import { tableNow } from "../../../src/query/as-of.ts";
import { type RowChoice, rowChoice } from "../../../src/query/row-choice.ts";
import { openScan } from "../../../src/query/scan.ts";
import type { Warehouse } from "../../../src/warehouse.ts";
import { type Cell, must, planSnapshot, type Schema, type Type } from "../../../table-format/index.ts";
import { CONDITION_COLUMNS, CONDITION_SCHEMA } from "./condition/columns.ts";
import { appendColumns, createTable, jsonLines, temporaryWarehouse } from "./local-warehouse.ts";

const IDENT = { namespace: ["shop"], name: "things" };

const LIST: Type = {
  kind: "list",
  elementId: 201,
  elementRequired: false,
  element: { kind: "decimal", precision: 9, scale: 2 },
};
const MAP: Type = {
  kind: "map",
  keyId: 203,
  key: { kind: "string" },
  valueId: 204,
  valueRequired: false,
  value: { ...LIST, elementId: 205 },
};

const SCHEMA: Schema = {
  ...CONDITION_SCHEMA,
  fields: [
    ...CONDITION_SCHEMA.fields,
    { id: 200, name: "sums", required: false, type: LIST },
    { id: 202, name: "lists", required: false, type: MAP },
  ],
};

/** Each value of each column, and nulls; `id` goes on. */
async function appendFile(warehouse: Warehouse, first: number, rows = 12): Promise<void> {
  const column = (values: readonly (Cell | null)[]) =>
    Array.from({ length: rows }, (_, row) => [...values, null][(first + row) % (values.length + 1)] ?? null);
  await appendColumns(warehouse, IDENT, [
    Array.from({ length: rows }, (_, row) => BigInt(first + row)),
    ...CONDITION_COLUMNS.map(({ values }) => column(values)),
    column([
      { city: "ab", area: 1n },
      { city: null, area: -5n },
    ]),
    column([[], [1n, null, -250n]]),
    column([
      [],
      [
        ["a", [7n]],
        ["b", null],
      ],
    ]),
  ]);
}

async function tableOf(warehouse: Warehouse) {
  return tableNow(must(await warehouse.catalog.loadTable(IDENT), "the table"));
}

async function scanned(warehouse: Warehouse, choice: RowChoice) {
  const scan = await openScan(warehouse, await tableOf(warehouse), choice);
  try {
    return { lines: (await jsonLines(scan)).sort(), types: scan.types.map(String), required: scan.required };
  } finally {
    await scan.close();
  }
}

it("gives what DuckDB gives, of every type", async () => {
  await using warehouse = await temporaryWarehouse();
  await createTable(warehouse, IDENT, SCHEMA);
  await appendFile(warehouse, 0);
  await appendFile(warehouse, 12);
  const planned = await scanned(warehouse, rowChoice({ where: "id >= 0" }));
  expect(planned.lines).toHaveLength(24);
  // A comment is for DuckDB alone.
  expect(planned).toEqual(await scanned(warehouse, rowChoice({ where: "id >= 0 --" })));

  const columns = ["lists", "id"];
  const some = await scanned(warehouse, rowChoice({ columns, where: "i = 7 OR place.city = 'ab'" }));
  expect(some.lines.length).toBeGreaterThan(5);
  expect(some).toEqual(await scanned(warehouse, rowChoice({ columns, where: "i = 7 OR place.city = 'ab' --" })));
});

it("opens the files alone that may hold rows of which the condition is true", async () => {
  await using warehouse = await temporaryWarehouse();
  await createTable(warehouse, IDENT, SCHEMA);
  for (const first of [0, 12, 24]) await appendFile(warehouse, first);
  const { table, snapshot } = await tableOf(warehouse);
  const { dataFiles } = await planSnapshot(warehouse.io, table.metadata, must(snapshot, "a snapshot"));
  for (const { file } of dataFiles) {
    const isWanted = file.lowerBounds?.get(1)?.[0] === 12;
    if (!isWanted) rmSync(must(warehouse.localPath, "a folder")(file.filePath));
  }
  const { lines } = await scanned(warehouse, rowChoice({ columns: ["id"], where: "id BETWEEN 14 AND 15" }));
  expect(lines).toEqual(['{"id":14}', '{"id":15}']);
  await expect(scanned(warehouse, rowChoice({ where: "id + 0 = 14" }))).rejects.toMatchObject({ code: "QUERY_FAILED" });
});

it("gives each row to one part, whatever the others choose", async () => {
  await using warehouse = await temporaryWarehouse();
  await createTable(warehouse, IDENT, SCHEMA);
  for (const first of [0, 12, 24]) await appendFile(warehouse, first);
  for (const where of ["id < 30", "id < 30 --"]) {
    const parts = await Promise.all(
      [0, 1].map((index) => scanned(warehouse, rowChoice({ columns: ["id"], where, part: { index, of: 2 } }))),
    );
    expect(parts.flatMap(({ lines }) => lines)).toHaveLength(30);
    expect(new Set(parts.flatMap(({ lines }) => lines)).size).toBe(30);
    expect(parts.every(({ lines }) => lines.length >= 6)).toBe(true);
  }
});
