import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLocalStorage } from "../../../src/storage/local.ts";
import {
  batchOfRows,
  type Cell,
  type CellStruct,
  currentSchema,
  currentSnapshot,
  type DataFile,
  type LoadedTable,
  MemoryCatalog,
  type NestedField,
  newSchema,
  openDataFileWriter,
  planSnapshot,
  type PlainKind,
  type PrimitiveType,
  type Schema,
  type Type,
  withLineage,
} from "../../../table-format/index.ts";
import { highestFieldId } from "../../../table-format/schema/schema.ts";
import { canonicalLines } from "../../readers/canonical.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { openSpark, type SparkReader } from "../../readers/spark.ts";
import { requireServers, withReason } from "../../require.ts";
import { canonicalCell, scanLines } from "../../support/canonical-cells.ts";
import { Dice } from "../../support/fuzz/mutate.ts";
import { list, map, struct } from "../../support/nested-types.ts";
import { newSnapshot } from "../../support/new-snapshot.ts";
import { randomCell, randomNested } from "../../support/nested-values.ts";
import { dataFile } from "../../unit/table-format/data-file.ts";

/** `FRAZIL_NESTED_TABLES` sets another number of random tables. */
const RANDOM_TABLES = Number(process.env["FRAZIL_NESTED_TABLES"] ?? 4);
const missing = await requireServers("readers", "spark");
const io = createLocalStorage();

const plain = (kind: PlainKind): PrimitiveType => ({ kind });
const decimal = (precision: number, scale: number): PrimitiveType => ({ kind: "decimal", precision, scale });

/** Every flat type that Spark reads, and a value of each. */
const LEAVES: readonly (readonly [PrimitiveType, Cell])[] = [
  [plain("boolean"), true],
  [plain("int"), -2_147_483_648],
  [plain("long"), 9_007_199_254_740_993n],
  [plain("float"), 0.5],
  [plain("double"), -0],
  [plain("date"), -1],
  [plain("timestamp"), -1n],
  [plain("timestamptz"), 1_709_164_800_000_001n],
  [plain("string"), "ünï \u{1f9ca}"],
  [plain("uuid"), Buffer.from("f79c3e09677c4bbda4793f349cb785e7", "hex")],
  [plain("binary"), Uint8Array.of(0, 255)],
  [{ kind: "fixed", length: 3 }, Uint8Array.of(0, 255, 7)],
  [decimal(9, 2), -125n],
  [decimal(18, 0), 10n ** 17n],
  [decimal(38, 10), -(10n ** 37n)],
];

const FIELDS: readonly (readonly [string, Type, required?: boolean])[] = [
  ["id", plain("long"), true],
  ["s", struct(["a", plain("int")], ["in", struct(["b", plain("string")], ["c", plain("double")])])],
  ["r", struct(["v", plain("int"), true], ["w", list(plain("int"), true), true]), true],
  ["l", list(struct(["p", plain("long")], ["q", list(plain("string"))]))],
  ["m", map(plain("string"), decimal(20, 4))],
  ["deep", list(list(map(plain("string"), list(map(plain("int"), struct(["z", list(plain("timestamp"))]))))))],
  ["all", struct(...LEAVES.map(([type], k) => [`c${k}`, type] as const))],
  ["alls", list(struct(...LEAVES.map(([type], k) => [`c${k}`, type] as const)))],
];

const ALL: CellStruct = Object.fromEntries(LEAVES.map(([, value], k) => [`c${k}`, value]));
const NONE: CellStruct = Object.fromEntries(LEAVES.map((_, k) => [`c${k}`, null]));
const r = { v: 1, w: [] };
const ROWS: readonly CellStruct[] = [
  { id: 1n, s: null, r, l: null, m: null, deep: null, all: null, alls: null },
  { id: 2n, s: { a: null, in: null }, r: { v: 2, w: [1, 2] }, l: [], m: [], deep: [], all: NONE, alls: [] },
  {
    id: 3n,
    s: { a: null, in: { b: null, c: null } },
    r,
    l: [null],
    m: [["k", null]],
    deep: [null],
    all: ALL,
    alls: [ALL, null, NONE],
  },
  {
    id: 4n,
    s: { a: 4, in: { b: "", c: -0.5 } },
    r,
    l: [{ p: null, q: null }],
    m: [
      ["a", 1n],
      ["", null],
    ],
    deep: [[]],
    all: null,
    alls: [null],
  },
  {
    id: 5n,
    s: { a: 5, in: null },
    r,
    l: [
      { p: 5n, q: [] },
      { p: null, q: ["x", null, ""] },
    ],
    m: null,
    deep: [[null, []], null],
    all: NONE,
    alls: null,
  },
  {
    id: 6n,
    s: null,
    r: { v: 6, w: [6] },
    l: null,
    m: [["z", -1n]],
    deep: [
      [
        [
          ["k", null],
          [
            "l",
            [
              [],
              null,
              [
                [1, null],
                [2, { z: null }],
                [3, { z: [] }],
                [4, { z: [0n, null] }],
              ],
            ],
          ],
        ],
      ],
    ],
    all: ALL,
    alls: [],
  },
];

/** PyIceberg 0.12.0 gives an empty list or map where one of structs is null; it does not look into lists and maps of other things. */
function asPyIceberg(type: Type, cell: Cell | null): Cell | null {
  const item = type.kind === "list" ? type.element : type.kind === "map" ? type.value : null;
  if (cell === null) return item?.kind === "struct" ? [] : null;
  if (type.kind === "struct") {
    const struct = cell as CellStruct;
    return Object.fromEntries(
      type.fields.map((part) => [part.name, asPyIceberg(part.type, struct[part.name] ?? null)]),
    );
  }
  if (item?.kind !== "struct") return cell;
  if (type.kind === "list") return (cell as readonly (Cell | null)[]).map((each) => asPyIceberg(item, each));
  return (cell as readonly [Cell, Cell | null][]).map(([key, value]) => [key, asPyIceberg(item, value)]);
}

describe.skipIf(missing !== null)(withReason("nested columns of ours", missing), () => {
  let readers: Readers;
  let spark: SparkReader;
  let folder: string;
  const written: { readonly location: string; readonly lines: readonly string[] }[] = [];
  beforeAll(async () => {
    [readers, spark] = await Promise.all([openReaders({ timeoutMs: 600_000 }), openSpark({ timeoutMs: 600_000 })]);
    folder = mkdtempSync(join(tmpdir(), "frazil-nested-"));
  }, 600_000);
  afterAll(async () => {
    await readers?.[Symbol.asyncDispose]();
    await spark?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A table whose files hold the given rows, one file and snapshot each. */
  async function tableOf(
    name: string,
    formatVersion: 2 | 3,
    schema: Schema,
    files: readonly (readonly CellStruct[])[],
  ) {
    const catalog = new MemoryCatalog("frazil", io, join(folder, name), {
      nowMs: () => 1_795_000_000_000,
      uuid: () => "8a3c4d5e-0000-4000-8000-000000000002",
    });
    const ident = { namespace: ["ns"], name: "t" };
    await catalog.ensureNamespace(ident.namespace);
    let table = await committed(catalog, ident, formatVersion, schema);
    for (const [k, rows] of files.entries()) table = await append(catalog, table, schema, BigInt(k + 1), rows);
    return table;
  }

  /** We, PyArrow, PyIceberg and DuckDB give the rows; Spark has its turn at the end. */
  async function expectEqual(table: LoadedTable, rows: readonly CellStruct[]): Promise<void> {
    const { metadata, metadataLocation: location } = table;
    const { fields } = currentSchema(metadata);
    const snapshot = currentSnapshot(metadata)!;
    const lines = linesOf(fields, rows);
    written.push({ location, lines });
    expect(await scanLines(io, metadata, snapshot, fields)).toEqual(lines);
    const { dataFiles } = await planSnapshot(io, metadata, snapshot);
    expect((await readers.pyarrow(dataFiles.map(({ file }) => file.filePath))).lines, "PyArrow").toEqual(lines);
    expect((await readers.duckdb({ location })).lines, "DuckDB").toEqual(lines);
    const emptied = rows.map((row): CellStruct => {
      return Object.fromEntries(fields.map(({ name, type }) => [name, asPyIceberg(type, row[name] ?? null)]));
    });
    expect((await readers.pyiceberg({ location })).lines, "PyIceberg").toEqual(linesOf(fields, emptied));
  }

  test.each([2, 3] as const)(
    "version %i: null, empty and full at every level",
    { timeout: 600_000 },
    async (version) => {
      const schema = newSchema(
        FIELDS.map(([name, type, required = false]) => ({ name, type, required })),
        [],
      );
      const table = await tableOf(`v${version}`, version, schema, [ROWS.slice(0, 4), ROWS.slice(4)]);
      await expectEqual(table, ROWS);
    },
  );

  test(`${RANDOM_TABLES} random tables`, { timeout: 600_000 }, async () => {
    for (let seed = 1; seed <= RANDOM_TABLES; seed++) {
      const dice = new Dice(seed);
      const known = ({ kind }: PrimitiveType): boolean => kind !== "time" && !kind.endsWith("_ns");
      const parts = Array.from({ length: 3 }, (_, k) => {
        return { name: `c${k}`, required: dice.below(4) === 0, type: randomNested(dice, 1 + dice.below(4), known) };
      });
      const schema = newSchema(parts, []);
      const files = Array.from({ length: 2 }, () =>
        Array.from({ length: 1 + dice.below(20) }, (): CellStruct => {
          return Object.fromEntries(
            schema.fields.map((field) => [field.name, randomCell(field.type, field.required, dice)]),
          );
        }),
      );
      const table = await tableOf(`random-${seed}`, dice.pick([2, 3] as const), schema, files);
      await expectEqual(table, files.flat());
    }
  });

  test("Spark reads them all", { timeout: 600_000 }, async () => {
    const found = await spark.readMany(written.map(({ location }) => ({ location })));
    const lines = found.map((each) => (each instanceof Error ? each.message : each.lines));
    expect(lines).toEqual(written.map((each) => each.lines));
  });

  test("version 3: rows that moved keep their ids beside nested columns", { timeout: 600_000 }, async () => {
    const schema = newSchema(
      FIELDS.slice(0, 4).map(([name, type, required = false]) => ({ name, type, required })),
      [],
    );
    const moved = ROWS.slice(0, 3).map(({ id, s, r: rr, l }, k): CellStruct => {
      return {
        id: id!,
        s: s!,
        r: rr!,
        l: l!,
        _row_id: BigInt(100 + k),
        _last_updated_sequence_number: k === 0 ? 1n : null,
      };
    });
    const { metadataLocation: location } = await tableOf("lineage", 3, schema, [moved]);
    const { lines } = await spark.sql(
      { location },
      "SELECT id, s.in.b, _row_id, _last_updated_sequence_number FROM {table}",
    );
    expect(lines).toEqual(['["1",null,"100","1"]', '["2",null,"101","1"]', '["3",null,"102","1"]']);
  });
});

function linesOf(fields: readonly NestedField[], rows: readonly CellStruct[]): string[] {
  return canonicalLines(
    fields.map(({ name }) => name),
    rows.map((row) =>
      Object.fromEntries(fields.map(({ name, type }) => [name, canonicalCell(type, row[name] ?? null)])),
    ),
  );
}

async function committed(
  catalog: MemoryCatalog,
  ident: LoadedTable["ident"],
  formatVersion: 2 | 3,
  schema: Schema,
): Promise<LoadedTable> {
  const outcome = await catalog.commit([
    {
      ident,
      requirements: [{ type: "assert-create" }],
      updates: [
        { action: "assign-uuid", uuid: "8a3c4d5e-0000-4000-8000-000000000001" },
        { action: "upgrade-format-version", formatVersion },
        { action: "add-schema", schema, lastColumnId: highestFieldId(schema) },
        { action: "set-current-schema", schemaId: -1 },
        { action: "add-spec", spec: { specId: 0, fields: [] } },
        { action: "set-default-spec", specId: -1 },
        { action: "add-sort-order", sortOrder: { orderId: 0, fields: [] } },
        { action: "set-default-sort-order", sortOrderId: -1 },
        { action: "set-location", location: catalog.defaultLocation(ident) },
      ],
    },
  ]);
  if (outcome.outcome !== "committed") throw new Error(`expected a table, found ${outcome.outcome}`);
  return outcome.tables[0]!;
}

/** Appends one file; with the columns of row lineage where the rows have them. */
async function append(
  catalog: MemoryCatalog,
  { ident, metadata }: LoadedTable,
  schema: Schema,
  snapshotId: bigint,
  rows: readonly CellStruct[],
): Promise<LoadedTable> {
  const filePath = `${metadata.location}/data/${snapshotId}.parquet`;
  const written = rows.some((row) => "_row_id" in row) ? withLineage(schema) : schema;
  // Small groups, so that rows are spread over several.
  const writer = openDataFileWriter({ schema: written, output: await io.openWrite(filePath), rowGroupSizeBytes: 800 });
  await writer.write(batchOfRows(written, rows));
  const file: DataFile = dataFile({ ...(await writer.finish()), filePath });
  const updates = await newSnapshot(io, metadata, { snapshotId, addedDataFiles: [file] });
  const outcome = await catalog.commit([{ ident, requirements: [], updates }]);
  if (outcome.outcome !== "committed") throw new Error(`expected a commit, found ${outcome.outcome}`);
  return outcome.tables[0]!;
}
