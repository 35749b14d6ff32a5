import fc from "fast-check";
import { expect, test } from "vitest";
import {
  appendFiles,
  batchOfRows,
  currentSnapshot,
  newSchema,
  openDataFileWriter,
  parquetDataFile,
  planFiles,
  type PrimitiveType,
  scanRows,
  type Value,
} from "../../../../table-format/index.ts";
import { anyValue } from "../columns.ts";
import { anyPredicate, truthOf } from "../expression/filters.ts";
import { WrittenTable } from "../transaction/written-table.ts";

const LEAVES: Readonly<Record<string, PrimitiveType>> = {
  "s.a": { kind: "int" },
  "s.b": { kind: "string" },
  "s.d": { kind: "double" },
  "s.t.c": { kind: "long" },
};
const type = (leaf: string): PrimitiveType => LEAVES[leaf]!;
/** A struct in a struct, each of which may be null, and a field that is there in each of the inner ones. */
const SCHEMA = newSchema(
  [
    { name: "id", required: true, type: { kind: "long" } },
    {
      name: "s",
      required: false,
      type: {
        kind: "struct",
        fields: [
          { id: 0, name: "a", required: false, type: type("s.a") },
          { id: 0, name: "b", required: false, type: type("s.b") },
          { id: 0, name: "d", required: false, type: type("s.d") },
          {
            id: 0,
            name: "t",
            required: false,
            type: { kind: "struct", fields: [{ id: 0, name: "c", required: true, type: type("s.t.c") }] },
          },
        ],
      },
    },
  ],
  ["id"],
);

type Row = { a: Value | null; b: Value | null; d: Value | null; t: { c: Value } | null } | null;
const maybe = (leaf: string) => fc.option(anyValue(type(leaf)), { freq: 3 });
const anyRow: fc.Arbitrary<Row> = fc.option(
  fc.record({
    a: maybe("s.a"),
    b: maybe("s.b"),
    d: maybe("s.d"),
    t: fc.option(fc.record({ c: anyValue(type("s.t.c")) })),
  }),
  { freq: 4 },
);
const valueOf = (row: Row, leaf: string): Value | null => {
  if (row === null) return null;
  return leaf === "s.t.c" ? (row.t?.c ?? null) : row[leaf.slice(2) as "a" | "b" | "d"];
};

test("fields of structs are planned and filtered as columns are", async () => {
  const cases = fc
    .tuple(
      fc.array(fc.array(anyRow, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(...Object.keys(LEAVES)),
    )
    .chain(([files, leaf]) => {
      const values = files.flat().map((row) => valueOf(row, leaf));
      return fc.tuple(
        fc.constant(files),
        fc.constant(leaf),
        anyPredicate(leaf, type(leaf), values),
        fc.constantFrom(1, 1_000_000),
      );
    });
  let leftOut = 0;
  await fc.assert(
    fc.asyncProperty(cases, async ([files, leaf, filter, rowGroupSizeBytes]) => {
      const table = await WrittenTable.create({ schema: SCHEMA });
      const wanted: bigint[] = [];
      let id = 0n;
      for (const [k, rows] of files.entries()) {
        const filePath = `mem://w/${k}.parquet`;
        const writer = openDataFileWriter({
          schema: SCHEMA,
          output: await table.io.openWrite(filePath),
          rowGroupSizeBytes,
        });
        const numbered = rows.map((s) => ({ id: id++, s }));
        for (const row of numbered) if (truthOf(filter, () => valueOf(row.s, leaf)) === true) wanted.push(row.id);
        await writer.write(batchOfRows(SCHEMA, numbered));
        const dataFile = parquetDataFile(await writer.finish(), { filePath, specId: 0, partition: [] });
        await table.commit(appendFiles({ dataFiles: [dataFile] }));
      }
      const { metadata } = await table.load();
      const snapshot = currentSnapshot(metadata)!;
      const found: bigint[] = [];
      const fields = SCHEMA.fields.slice(0, 1);
      for await (const { length, columns } of scanRows(table.io, metadata, snapshot, { filter, fields })) {
        found.push(...(columns[0]!.values as BigInt64Array).subarray(0, length));
      }
      expect(BigInt64Array.from(found).sort()).toEqual(BigInt64Array.from(wanted).sort());
      leftOut += files.length - (await Array.fromAsync(planFiles(table.io, metadata, snapshot, { filter }))).length;
    }),
    { numRuns: 60 },
  );
  // Planning is no pruning when it never leaves a file out.
  expect(leftOut).toBeGreaterThan(0);
});
