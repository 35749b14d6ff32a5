import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import { bindExpression } from "../../../../table-format/expression/bind.ts";
import { and, type Expression } from "../../../../table-format/expression/expression.ts";
import type { DataFile } from "../../../../table-format/manifest/data-file.ts";
import { readColumns } from "../../../../table-format/scan/data-columns.ts";
import { planFiles } from "../../../../table-format/scan/file-tasks.ts";
import { planSnapshot } from "../../../../table-format/scan/plan.ts";
import { scanRows } from "../../../../table-format/scan/rows.ts";
import { scanFilter } from "../../../../table-format/scan/scan-filter.ts";
import { typeText } from "../../../../table-format/schema/type-json.ts";
import { encodeValue } from "../../../../table-format/values/single-value.ts";
import { ALL_TYPES, anyRows } from "../columns.ts";
import { dataFile } from "../data-file.ts";
import { anyPredicate, truthOf } from "../expression/filters.ts";
import { tableMetadata } from "../metadata.ts";
import { batchOf, schemaOf, writeFile } from "../parquet/files.ts";
import { TestTable } from "../test-table.ts";

const rowsFrom = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ id: BigInt(from + i), name: `n${from + i}`, day: 100 + from + i }));

/** A table of four commits of ten rows, each a manifest of its own, partitioned by day. */
async function dailyTable(formatVersion: 2 | 3 = 3): Promise<TestTable> {
  const fields = [{ sourceId: 3, fieldId: 1000, name: "day", transform: "day" }];
  const table = await TestTable.inMemory({ formatVersion, spec: { specId: 0, fields } });
  for (let commit = 0; commit < 4; commit++) await table.change({ insert: rowsFrom(commit * 10, commit * 10 + 10) });
  return table;
}

/** What is read while something runs. */
async function readsOf(table: TestTable, run: () => Promise<unknown>): Promise<string[]> {
  const { io } = table;
  const [read, readRange] = [io.read.bind(io), io.readRange.bind(io)];
  const seen: string[] = [];
  io.read = (location) => (seen.push(location), read(location));
  io.readRange = (location, offset, length) => (seen.push(location), readRange(location, offset, length));
  await run();
  [io.read, io.readRange] = [read, readRange];
  return seen;
}

describe("planning", () => {
  test("reads only manifests whose partitions can hold a wanted row, and opens no data file", async () => {
    const table = await dailyTable();
    const filter: Expression = { type: "in", term: "day", values: [105, 128] };
    let tasks = 0;
    const seen = await readsOf(table, async () => {
      for await (const { residual } of planFiles(table.io, table.metadata, table.snapshot, { filter })) {
        expect(residual.kind).toBe("true");
        tasks++;
      }
    });
    expect(tasks).toBe(2);
    // The manifest list, and two of four manifests.
    expect(seen.length).toBe(3);
  });

  test("leaves out files by their metrics, and those that count no rows", async () => {
    const table = await dailyTable();
    const plan = async (filter: Expression) =>
      (await planSnapshot(table.io, table.metadata, table.snapshot, undefined, { filter })).dataFiles.length;
    expect(await plan({ type: "eq", term: "id", value: 17n })).toBe(1);
    expect(await plan({ type: "eq", term: "name", value: "n17" })).toBe(1);
    expect(await plan({ type: "is-null", term: "name" })).toBe(0);
    expect(await plan({ type: "false" })).toBe(0);
    expect(await plan({ type: "true" })).toBe(40);
    const filter = scanFilter(table.metadata, table.metadata.schemas[0]!, { type: "not-null", term: "name" });
    expect(filter.residualOf(dataFile({ recordCount: 0n, partition: [100] }))).toBeNull();
  });

  test("streams: the first file comes before the last manifests are read", async () => {
    const table = await TestTable.inMemory({
      formatVersion: 3,
      properties: new Map([["commit.manifest-merge.enabled", "false"]]),
    });
    for (let id = 0; id < 40; id++) await table.change({ insert: rowsFrom(id, id + 1) });
    const seen = await readsOf(table, async () => {
      for await (const _task of planFiles(table.io, table.metadata, table.snapshot)) break;
    });
    expect(seen.length).toBeLessThan(25);
  });

  test("reads only the deletes of wanted partitions", async () => {
    const table = await dailyTable(2);
    await table.change({ insert: [{ id: 50n, name: "same day", day: 105 }] });
    await table.change({ insert: [{ id: 51n, name: "same day", day: 120 }] });
    await table.change({ delete: [50n] });
    const count = async (filter: Expression) =>
      (await planSnapshot(table.io, table.metadata, table.snapshot, undefined, { filter })).deletes.size;
    expect(await count({ type: "eq", term: "day", value: 120 })).toBe(0);
    expect(await count({ type: "true" })).toBe(await count({ type: "eq", term: "day", value: 105 }));
  });
});

describe("delete files that cannot matter", () => {
  const metadata = tableMetadata();
  const id = (value: bigint) => encodeValue({ kind: "long" }, value);
  const name = (value: string) => encodeValue({ kind: "string" }, value);
  const equality = (given: Partial<DataFile>) =>
    dataFile({
      content: "equality-deletes",
      equalityIds: [1],
      recordCount: 1n,
      lowerBounds: new Map([
        [1, id(5n)],
        [2, name("m")],
      ]),
      upperBounds: new Map([
        [1, id(5n)],
        [2, name("m")],
      ]),
      ...given,
    });
  const asks = (filter: Expression, file: DataFile) =>
    scanFilter(metadata, metadata.schemas[0]!, filter).mayDelete(file);
  const ofKey: Expression = { type: "eq", term: "id", value: 6n };
  const ofName: Expression = { type: "eq", term: "name", value: "a" };

  test("are known by the keys of equality deletes, and never by other columns", () => {
    expect(asks(ofKey, equality({}))).toBe(false);
    // The row with id 5 has another name by now, or had one before.
    expect(asks(ofName, equality({}))).toBe(true);
    expect(asks(ofName, equality({ equalityIds: [1, 2] }))).toBe(false);
    expect(asks(and(ofName, ofKey), equality({}))).toBe(false);
    expect(asks({ type: "or", left: ofName, right: ofKey }, equality({}))).toBe(true);
  });

  test("position deletes have no columns to be known by", () => {
    expect(asks(ofKey, dataFile({ content: "position-deletes", lowerBounds: new Map([[1, id(1n)]]) }))).toBe(true);
  });
});

test("rows that a filter wants are read although their vectors are about others, too", async () => {
  const table = await dailyTable();
  await table.change({ delete: [17n] });
  await table.change({ insert: [{ id: 90n, name: null, day: null }] });
  const found: bigint[] = [];
  const filter: Expression = { type: "gt-eq", term: "id", value: 16n };
  for await (const { columns, length } of scanRows(table.io, table.metadata, table.snapshot, {
    filter: and(filter, { type: "lt", term: "day", value: 119 }),
    fields: table.metadata.schemas[0]!.fields.slice(0, 1),
  })) {
    const [ids] = columns;
    for (let row = 0; row < length; row++) found.push((ids!.values as BigInt64Array)[row]!);
    expect(columns.length).toBe(1);
  }
  expect(new Set(found)).toEqual(new Set([16n, 18n]));
});

describe("row groups", () => {
  test.each(ALL_TYPES.map((type) => [typeText(type), type] as const))(
    "of %s are passed over only when they hold no wanted row",
    async (_name, type) => {
      const io = createMemoryStorage();
      const schema = schemaOf([type]);
      const cases = fc
        .integer({ min: 1, max: 12 })
        .chain((length) => anyRows(type, length))
        .chain((rows) => fc.tuple(fc.constant(rows), anyPredicate("f1", type, rows), fc.constantFrom(1, 30, 1_000)));
      let number = 0;
      await fc.assert(
        fc.asyncProperty(cases, async ([rows, predicate, groupBytes]) => {
          const filePath = `mem://t/${number++}.parquet`;
          // One row a group, some, or all.
          const encoded = await writeFile(io, filePath, schema, [batchOf(schema, [rows])], groupBytes);
          const read: number[] = [];
          const filter = bindExpression(predicate, schema);
          const file = dataFile({ ...encoded, filePath });
          for await (const { start, length } of readColumns(io, tableMetadata(), file, schema.fields, { filter })) {
            for (let row = 0; row < length; row++) read.push(start + row);
          }
          for (const [place, value] of rows.entries()) {
            if (truthOf(predicate, () => value) === true) expect(read).toContain(place);
          }
        }),
        { numRuns: 20 },
      );
    },
  );

  test("are not read when their statistics say so, decimals and microseconds exactly", async () => {
    const io = createMemoryStorage();
    const types = [{ kind: "long" }, { kind: "timestamp" }, { kind: "decimal", precision: 20, scale: 2 }] as const;
    const schema = schemaOf(types);
    const from = 9_007_199_254_740_992n;
    const values = Array.from({ length: 8 }, (_, i) => from + BigInt(i));
    const encoded = await writeFile(io, "mem://t/f.parquet", schema, [batchOf(schema, [values, values, values])], 1);
    const file = dataFile({ ...encoded, filePath: "mem://t/f.parquet" });
    for (const field of schema.fields) {
      const filter = bindExpression({ type: "eq", term: field.name, value: from + 3n }, schema);
      const starts: number[] = [];
      for await (const { start } of readColumns(io, tableMetadata(), file, schema.fields, { filter })) {
        starts.push(start);
      }
      expect(starts).toEqual([3]);
    }
  });
});
