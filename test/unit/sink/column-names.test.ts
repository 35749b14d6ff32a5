import { expect, it } from "vitest";
import type { ChangeColumn } from "../../../src/core/change-batch.ts";
import { firstSchema, schemaUpdates } from "../../../src/sink/layout/table-schema.ts";

const LONG = { kind: "long" } as const;
const columns = (...names: string[]) =>
  new Map(names.map((name): [string, ChangeColumn] => [name, { name, type: LONG, required: false }]));

it("column names that differ only by case are refused, whoever brings them", () => {
  const refused = expect.objectContaining({
    kind: "data",
    code: "COLUMN_CASE",
    message: expect.stringMatching(/^table shop\.a: .*"id" and "ID"$/),
  });
  expect(() => firstSchema("shop.a", columns("id", "ID"), [])).toThrow(refused);
  const schema = firstSchema("shop.a", columns("id", "x"), ["id"]);
  const current = { schema, lastColumnId: 2, formatVersion: 3 };
  expect(() => schemaUpdates("shop.a", current, columns("ID"), "evolve")).toThrow(refused);
  expect(schemaUpdates("shop.a", current, columns("ID"), "ignore")).toEqual([]);
  expect(schemaUpdates("shop.a", current, columns("id", "y"), "evolve").length).toBe(2);
});
