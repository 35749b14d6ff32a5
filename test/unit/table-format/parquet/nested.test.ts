import fc from "fast-check";
import { parquetMetadata } from "hyparquet";
import { describe, expect, it } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import { batchOfRows } from "../../../../table-format/arrow/row-batch.ts";
import type { FileIO } from "../../../../table-format/io/file-io.ts";
import { parseJson } from "../../../../table-format/json/exact-json.ts";
import type { EncodedFile } from "../../../../table-format/parquet/data-file-writer.ts";
import { openDataFileWriter } from "../../../../table-format/parquet/hyparquet-encoder.ts";
import { withLineage } from "../../../../table-format/parquet/lineage.ts";
import { NO_SOURCES, readParquetColumns } from "../../../../table-format/parquet/reader.ts";
import { newSchema, nestedFields } from "../../../../table-format/schema/schema.ts";
import { parseSchema } from "../../../../table-format/schema/schema-json.ts";
import type { PrimitiveType, Schema, Type } from "../../../../table-format/schema/types.ts";
import { type Cell, type CellStruct, cellAt } from "../../../../table-format/values/cell.ts";
import { decodeValue } from "../../../../table-format/values/single-value.ts";
import { list, map, struct } from "../../../support/nested-types.ts";
import { anyCell, anyType } from "../../../support/nested-values.ts";
import { ALL_TYPES, anyValue } from "../columns.ts";

const AT = "memory://files/nested.parquet";
const plain = (kind: "int" | "long" | "string" | "double" | "unknown"): PrimitiveType => ({ kind });

async function write(
  io: FileIO,
  schema: Schema,
  batches: readonly (readonly CellStruct[])[],
  rowGroupSizeBytes = 1 << 25,
): Promise<EncodedFile> {
  const writer = openDataFileWriter({ schema, output: await io.openWrite(AT), rowGroupSizeBytes });
  for (const rows of batches) await writer.write(batchOfRows(schema, rows));
  return writer.finish();
}

async function read(io: FileIO, { fields }: Schema): Promise<{ rows: CellStruct[]; groups: number }> {
  const fileSizeBytes = (await io.stat(AT))?.sizeBytes ?? 0;
  const rows: CellStruct[] = [];
  let groups = 0;
  for await (const { length, columns } of readParquetColumns(io, { filePath: AT, fileSizeBytes }, fields, NO_SOURCES)) {
    groups++;
    for (let row = 0; row < length; row++) {
      rows.push(Object.fromEntries(columns.map((column, k) => [fields[k]?.name ?? "", cellAt(column, row)])));
    }
  }
  return { rows, groups };
}

const anyFields = fc.array(fc.tuple(fc.boolean(), anyType(fc.constantFrom(...ALL_TYPES), 3)), {
  minLength: 1,
  maxLength: 3,
});
/** A schema of nested columns, and two batches of its rows. */
const anyTable = anyFields.chain((fields) => {
  const schema = newSchema(
    fields.map(([required, type], k) => ({ name: `f${k}`, required, type })),
    [],
  );
  const cells = schema.fields.map(({ type, required }) => anyCell(type, required, anyValue));
  const row = fc.tuple(...cells).map((values) => Object.fromEntries(values.map((value, k) => [`f${k}`, value])));
  return fc.tuple(fc.constant(schema), fc.array(row, { maxLength: 40 }), fc.array(row, { maxLength: 10 }));
});

it("gives back every value of every nesting, over batches and row groups", async () => {
  await fc.assert(
    fc.asyncProperty(anyTable, fc.constantFrom(200, 1 << 25), async ([schema, first, second], groupBytes) => {
      const io = createMemoryStorage();
      const file = await write(io, schema, [first, second], groupBytes);
      const { rows, groups } = await read(io, schema);
      expect(rows).toEqual([...first, ...second]);
      expect(file.recordCount).toBe(BigInt(rows.length));
      expect(file.splitOffsets?.length ?? 0).toBe(groups);
      for (const leaf of leavesOf(schema)) expectMetrics(file, leaf, rows);
    }),
    { numRuns: 30 },
  );
});

interface Leaf {
  readonly id: number;
  readonly path: readonly string[];
  readonly isRepeated: boolean;
}

function leavesOf({ fields }: Schema): Leaf[] {
  const of = (type: Type, leaf: Leaf): Leaf[] => {
    const repeated = { path: [], isRepeated: true };
    switch (type.kind) {
      case "struct":
        return type.fields.flatMap((part) => of(part.type, { ...leaf, id: part.id, path: [...leaf.path, part.name] }));
      case "list":
        return of(type.element, { id: type.elementId, ...repeated });
      case "map":
        return [...of(type.key, { id: type.keyId, ...repeated }), ...of(type.value, { id: type.valueId, ...repeated })];
      default:
        return [leaf];
    }
  };
  return fields.flatMap(({ id, name, type }) => of(type, { id, path: [name], isRepeated: false }));
}

function expectMetrics(file: EncodedFile, { id, path, isRepeated }: Leaf, rows: readonly CellStruct[]): void {
  expect(file.columnSizes?.has(id)).toBe(true);
  if (isRepeated) {
    for (const map of [file.valueCounts, file.nullValueCounts, file.lowerBounds]) expect(map?.has(id)).toBe(false);
    return;
  }
  const values = rows.map((row) =>
    path.reduce<Cell | null>((cell, name) => (cell as CellStruct | null)?.[name] ?? null, row),
  );
  expect(file.valueCounts?.get(id)).toBe(BigInt(rows.length));
  expect(file.nullValueCounts?.get(id)).toBe(BigInt(values.filter((value) => value === null).length));
}

const schemaOf = (parts: Readonly<Record<string, Type>>): Schema =>
  newSchema(
    Object.entries(parts).map(([name, type]) => ({ name, type, required: false })),
    [],
  );

it("tells what is null from what is empty, at every level", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf({
    s: struct(["a", plain("int")], ["in", struct(["b", plain("string")])]),
    l: list(list(plain("long"))),
    m: map(plain("string"), list(plain("int"))),
  });
  const rows: CellStruct[] = [
    { s: null, l: null, m: null },
    { s: { a: null, in: null }, l: [], m: [] },
    { s: { a: null, in: { b: null } }, l: [null], m: [["k", null]] },
    { s: { a: 1, in: { b: "" } }, l: [[]], m: [["k", []]] },
    {
      s: { a: 2, in: null },
      l: [[null], [], null, [1n, null, 2n]],
      m: [
        ["", [null]],
        ["z", [1, 2]],
      ],
    },
  ];
  await write(io, schema, [rows]);
  expect((await read(io, schema)).rows).toEqual(rows);
});

it("ends pages at rows and finds each value again in columns of many entries", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf({ l: list(plain("long"), true), m: map(plain("int"), plain("string")) });
  const rows = Array.from({ length: 50_000 }, (_, k): CellStruct => ({
    l: Array.from({ length: k % 7 }, (__, i) => BigInt(k) * 3_000_000_007n + BigInt(i)),
    m: k % 3 === 0 ? null : [[k, k % 2 === 0 ? null : `v${k % 50}`]],
  }));
  await write(io, schema, [rows.slice(0, 20_000), rows.slice(20_000)]);
  // Compared as text, which takes a tenth of the time.
  const text = (all: readonly CellStruct[]) =>
    JSON.stringify(all, (_, cell: unknown) => (typeof cell === "bigint" ? `${cell}` : cell));
  expect(text((await read(io, schema)).rows)).toBe(text(rows));
});

it("names the levels as the specification does, with an id on every field", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf({ l: list(struct(["a", plain("int"), true]), true), m: map(plain("string"), plain("long")) });
  await write(io, schema, [[{ l: [{ a: 1 }], m: [["k", 1n]] }]]);
  const bytes = await io.read(AT);
  const { schema: elements } = parquetMetadata(bytes.slice().buffer);
  expect(
    elements.map(({ name, field_id: id, repetition_type: repetition, logical_type: type, num_children: children }) =>
      [name, id, repetition, type?.type, children].map((part) => part ?? "-").join(" "),
    ),
  ).toEqual([
    "table - - - 2",
    "l 1 OPTIONAL LIST 1",
    "list - REPEATED - 1",
    "element 3 REQUIRED - 1",
    "a 4 REQUIRED - -",
    "m 2 OPTIONAL MAP 1",
    "key_value - REPEATED - 2",
    "key 5 REQUIRED STRING -",
    "value 6 OPTIONAL - -",
  ]);
  expect(new Set([...nestedFields(schema.fields)].map(({ id }) => id))).toEqual(new Set([1, 2, 3, 4, 5, 6]));
});

it("bounds the leaves of structs", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf({
    s: struct(["a", plain("int")], ["in", struct(["d", plain("double")])]),
    l: list(plain("int")),
  });
  const file = await write(io, schema, [
    [
      { s: { a: 5, in: { d: NaN } }, l: [1] },
      { s: { a: -7, in: { d: 0.5 } }, l: [2, 3] },
      { s: null, l: null },
    ],
  ]);
  const bound = (bounds: EncodedFile["lowerBounds"], id: number, type: PrimitiveType) =>
    decodeValue(type, bounds?.get(id) ?? new Uint8Array(0));
  expect([bound(file.lowerBounds, 3, plain("int")), bound(file.upperBounds, 3, plain("int"))]).toEqual([-7, 5]);
  expect([bound(file.lowerBounds, 5, plain("double")), bound(file.upperBounds, 5, plain("double"))]).toEqual([
    0.5, 0.5,
  ]);
  expect(file.nanValueCounts).toEqual(new Map([[5, 1n]]));
  expect([...(file.columnSizes?.keys() ?? [])]).toEqual([3, 5, 6]);
});

describe("what is refused", () => {
  const schema = schemaOf({
    s: struct(["a", plain("int"), true]),
    l: list(plain("string"), true),
    m: map(plain("string"), plain("int")),
  });
  it.each([
    ["s.a", { s: {} }, "NULL_IN_REQUIRED"],
    ["s.a", { s: { a: 1.5 } }, "WRONG_VALUE"],
    ["s", { s: { a: 1, b: 2 } }, "WRONG_VALUE"],
    ["s", { s: [1] }, "WRONG_VALUE"],
    ["l.element", { l: ["x", null] }, "NULL_IN_REQUIRED"],
    ["l.element", { l: [1] }, "WRONG_VALUE"],
    ["l", { l: "x" }, "WRONG_VALUE"],
    ["m.key", { m: [[null, 1]] }, "NULL_IN_REQUIRED"],
    ["m", { m: [["k"]] }, "WRONG_VALUE"],
    ["m.value", { m: [["k", 2 ** 31]] }, "WRONG_VALUE"],
  ] as readonly [string, CellStruct, string][])("%s: %j", async (name, row, code) => {
    const io = createMemoryStorage();
    const writer = openDataFileWriter({ schema, output: await io.openWrite(AT) });
    const good: CellStruct = { s: { a: 1 }, l: ["x"], m: [["k", null]] };
    const refused = writer.write(batchOfRows(schema, [good, row]));
    await expect(refused).rejects.toMatchObject({
      kind: "data",
      code,
      message: expect.stringMatching(`^column ${name}[: ]`),
    });
  });

  it("nothing of a refused batch is written", async () => {
    const io = createMemoryStorage();
    const writer = openDataFileWriter({ schema, output: await io.openWrite(AT) });
    await expect(writer.write(batchOfRows(schema, [{ l: ["a"] }, { l: [1] }]))).rejects.toMatchObject({ kind: "data" });
    await writer.write(batchOfRows(schema, [{ l: ["b"] }]));
    await writer.finish();
    expect((await read(io, schema)).rows).toEqual([{ s: null, l: ["b"], m: null }]);
  });

  it.each<[string, Type]>([
    ["structs of nothing", struct()],
    ["structs of unknown", struct(["u", plain("unknown")])],
    ["lists of unknown", list(plain("unknown"))],
  ])("%s", async (_, type) => {
    const output = await createMemoryStorage().openWrite(AT);
    expect(() => openDataFileWriter({ schema: schemaOf({ c: type }), output })).toThrow(
      expect.objectContaining({ kind: "unsupported", code: "UNSUPPORTED_COLUMN" }),
    );
  });

  it("flat values that are of another type, and columns that are not there", () => {
    const flat = schemaOf({ i: plain("int") });
    expect(() => batchOfRows(flat, [{ i: 1n }])).toThrow(expect.objectContaining({ code: "WRONG_VALUE" }));
    expect(() => batchOfRows(flat, [{ j: 1 }])).toThrow(expect.objectContaining({ code: "UNKNOWN_COLUMN" }));
  });
});

it("leaves out parts of type unknown and reads them as nulls", async () => {
  const io = createMemoryStorage();
  const schema = schemaOf({ s: struct(["u", plain("unknown")], ["a", plain("int")]) });
  const rows: CellStruct[] = [{ s: { u: null, a: 1 } }, { s: null }];
  await write(io, schema, [rows]);
  expect((await read(io, schema)).rows).toEqual(rows);
});

it("fills what a row leaves out with its write default, and what a file lacks with its initial default", async () => {
  const io = createMemoryStorage();
  const before = schemaOf({ s: struct(["a", plain("int")]), i: plain("int") });
  await write(io, before, [[{ s: { a: 1 } }, { s: null, i: 2 }]]);
  const json = `{"type":"struct","schema-id":1,"fields":[
    {"id":1,"name":"s","required":false,"type":{"type":"struct","fields":[
      {"id":3,"name":"a","required":false,"type":"int","write-default":7},
      {"id":10,"name":"l","required":true,"initial-default":[1,null],"write-default":[],
       "type":{"type":"list","element-id":11,"element":"long","element-required":false}}]}},
    {"id":2,"name":"i","required":false,"type":"int","write-default":9},
    {"id":12,"name":"t","required":true,"initial-default":{},"write-default":{},"type":{"type":"struct","fields":[
      {"id":13,"name":"d","required":false,"type":"decimal(9,2)","initial-default":"1.25","write-default":"2.50"},
      {"id":14,"name":"n","required":false,"type":"string"}]}},
    {"id":15,"name":"m","required":false,"initial-default":{"keys":["k"],"values":[1]},
     "type":{"type":"map","key-id":16,"key":"string","value-id":17,"value":"int","value-required":false}}]}`;
  const now = parseSchema(parseJson(json));
  const t = { d: 125n, n: null };
  expect((await read(io, now)).rows).toEqual([
    { s: { a: 1, l: [1n, null] }, i: null, t, m: [["k", 1]] },
    { s: null, i: 2, t, m: [["k", 1]] },
  ]);
  await write(io, now, [[{}, { s: {}, t: { n: "x" }, m: [] }]]);
  expect((await read(io, now)).rows).toEqual([
    { s: null, i: 9, t: { d: 250n, n: null }, m: null },
    { s: { a: 7, l: [] }, i: 9, t: { d: 250n, n: "x" }, m: [] },
  ]);
});

it("keeps the columns of row lineage beside nested ones", async () => {
  const io = createMemoryStorage();
  const schema = withLineage(schemaOf({ l: list(plain("int")) }));
  const rows: CellStruct[] = [
    { l: [1, 2], _row_id: 7n, _last_updated_sequence_number: 3n },
    { l: null, _row_id: null, _last_updated_sequence_number: null },
  ];
  await write(io, schema, [rows]);
  expect((await read(io, schema)).rows).toEqual(rows);
});
