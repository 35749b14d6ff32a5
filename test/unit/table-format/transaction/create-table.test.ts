import { describe, expect, test } from "vitest";
import { createMemoryStorage } from "../../../../src/storage/memory.ts";
import {
  appendRows,
  type Catalog,
  type CellStruct,
  cellAt,
  commitOperations,
  createTable,
  currentSchema,
  currentSnapshot,
  type FileIO,
  FrazilError,
  MemoryCatalog,
  type NewField,
  newSchema,
  planSnapshot,
  scanRows,
  type Type,
  typeText,
  unionByName,
  updateSchema,
  type WriteContext,
  writeRows,
} from "../../../../table-format/index.ts";

const ident = { namespace: ["ns"], name: "t" };
const long: Type = { kind: "long" };
const text: Type = { kind: "string" };
const column = (name: string, type: Type, required = false): NewField => ({ name, type, required });
const line: Type = { kind: "struct", fields: [{ id: 90, name: "sku", required: true, type: text }] };
const ORDERS = newSchema(
  [
    column("id", long, true),
    column("lines", { kind: "list", elementId: 91, elementRequired: true, element: line }),
    column("at", { kind: "timestamptz" }),
    column("region", text),
  ],
  ["id"],
);

function world(wrap: (catalog: Catalog) => Catalog = (catalog) => catalog, io: FileIO = createMemoryStorage()) {
  let uuids = 0;
  let nowMs = 1_795_000_000_000;
  const handed = {
    nowMs: () => nowMs++,
    uuid: () => `00000000-0000-4000-8000-${String(++uuids).padStart(12, "0")}`,
  };
  const memory = new MemoryCatalog("frazil", io, "mem://w", handed);
  const context: WriteContext = { catalog: wrap(memory), io, ...handed, sleep: async () => undefined };
  return { context, memory, io };
}

/** Some methods of a catalog in the place of its own. */
function over(catalog: Catalog, methods: Partial<Catalog>): Catalog {
  return new Proxy(catalog, {
    get: (target, key) => {
      const found: unknown = Reflect.get(key in methods ? methods : target, key);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}

describe("a table is created", () => {
  test("with ids of its own, partitions, order, properties, version and place", async () => {
    const { context } = world();
    const odd = {
      fields: ORDERS.fields.map((field) => ({ ...field, id: field.id + 100 })),
      identifierFieldIds: [101],
    };
    const { metadata } = await createTable(context, ident, odd, {
      partitionSpec: ["day(at)", "bucket(4, id)"],
      sortOrder: ["region desc"],
      properties: { owner: "us" },
      formatVersion: 2,
      location: "mem://elsewhere/t",
    });
    expect(metadata).toMatchObject({
      formatVersion: 2,
      location: "mem://elsewhere/t",
      lastColumnId: 6,
      currentSnapshotId: null,
      properties: new Map([["owner", "us"]]),
    });
    const schema = currentSchema(metadata);
    expect(schema.fields.map(({ id, name }) => `${id} ${name}`)).toEqual(["1 id", "2 lines", "3 at", "4 region"]);
    expect(schema.identifierFieldIds).toEqual([1]);
    expect(metadata.partitionSpecs[0]?.fields.map(({ fieldId, name, sourceId }) => [fieldId, name, sourceId])).toEqual([
      [1000, "at_day", 3],
      [1001, "id_bucket", 1],
    ]);
    expect(metadata.sortOrders.at(-1)?.fields).toEqual([
      { transform: "identity", sourceId: 4, direction: "desc", nullOrder: "nulls-last" },
    ]);
    const plain = await createTable(context, { ...ident, name: "plain" }, ORDERS);
    expect(plain.metadata).toMatchObject({ formatVersion: 3, defaultSortOrderId: 0, location: "mem://w/ns/plain" });
    expect(
      (await createTable(context, { ...ident, name: "old" }, ORDERS, { formatVersion: 1 })).metadata,
    ).toMatchObject({ formatVersion: 1 });
  });

  test("once: a name that is taken is a conflict, what is wrong is named", async () => {
    const { context } = world();
    await createTable(context, ident, ORDERS);
    await expect(createTable(context, ident, ORDERS)).rejects.toMatchObject({ code: "TABLE_EXISTS" });
    const other = { ...ident, name: "other" };
    await expect(createTable(context, other, ORDERS, { partitionSpec: ["day(id)"] })).rejects.toMatchObject({
      code: "TRANSFORM_TYPE",
    });
    await expect(createTable(context, other, { ...ORDERS, identifierFieldIds: [4] })).rejects.toMatchObject({
      code: "KEY_OPTIONAL",
    });
    await expect(createTable(context, other, { ...ORDERS, identifierFieldIds: [77] })).rejects.toMatchObject({
      code: "UNKNOWN_COLUMN",
    });
  });

  test("whatever becomes of the answers, or it is said that nobody can tell", async () => {
    const cause = new FrazilError("unavailable", "DOWN", "gone");
    // The first answer is lost behind the commit, the second before it.
    for (const takesEffect of [true, false]) {
      let asked = 0;
      const { context, memory } = world((catalog) =>
        over(catalog, {
          commit: async (changes) => {
            if (asked++ > 0) return catalog.commit(changes);
            if (takesEffect) await catalog.commit(changes);
            return { outcome: "unknown", cause };
          },
        }),
      );
      const { metadata } = await createTable(context, ident, ORDERS);
      expect((await memory.loadTable(ident))?.metadata.tableUuid).toBe(metadata.tableUuid);
      expect(asked).toBe(takesEffect ? 1 : 2);
    }
    const down = async (): Promise<never> => {
      throw cause;
    };
    const { context } = world((catalog) => over(catalog, { commit: down, loadTable: down }));
    await expect(createTable(context, ident, ORDERS)).rejects.toMatchObject({ code: "COMMIT_STATE_UNKNOWN" });
  });
});

async function rowsOf(io: FileIO, table: Awaited<ReturnType<typeof createTable>>): Promise<CellStruct[]> {
  const found: CellStruct[] = [];
  const { metadata } = table;
  const names = currentSchema(metadata).fields.map(({ name }) => name);
  for await (const { length, columns } of scanRows(io, metadata, currentSnapshot(metadata)!, {
    schema: currentSchema(metadata),
  })) {
    for (let row = 0; row < length; row++) {
      found.push(Object.fromEntries(columns.map((each, k) => [names[k], cellAt(each, row)])));
    }
  }
  return found.toSorted((a, b) => Number((a["id"] as bigint) - (b["id"] as bigint)));
}

describe("rows are appended in one call", () => {
  const order = (id: number, region: string | null): CellStruct => ({
    id: BigInt(id),
    lines: [{ sku: `s${id}` }],
    at: BigInt(id) * 86_400_000_000n,
    region,
  });

  test("to the partitions where they belong, nested columns and all", async () => {
    const { context, io } = world();
    const table = await createTable(context, ident, ORDERS, { partitionSpec: ["region"] });
    const rows = Array.from({ length: 30 }, (_, id) => order(id, id % 20 === 0 ? null : `r${id % 20}`));
    async function* slowly() {
      yield* rows;
    }
    const after = await appendRows(context, table, slowly(), { summary: new Map([["from", "test"]]) });
    expect(await rowsOf(io, after)).toEqual(rows);
    expect(currentSnapshot(after.metadata)?.summary.get("from")).toBe("test");
    const { dataFiles } = await planSnapshot(io, after.metadata, currentSnapshot(after.metadata)!);
    expect(dataFiles.map(({ file }) => file.filePath.split("/").at(-2))).toContain("region=r3");
    expect(new Set(dataFiles.map(({ file }) => file.partition[0])).size).toBe(20);
    expect(await appendRows(context, after, [])).toBe(after);
  });

  test("in files of the size that the table says", async () => {
    const { context } = world();
    const properties = { "write.target-file-size-bytes": "1000", "write.data.path": "mem://files/" };
    const { metadata } = await createTable(context, ident, ORDERS, { properties });
    const rows = Array.from({ length: 25_000 }, (_, id) => order(id, "eu"));
    const written = await writeRows(context, metadata, rows);
    expect(written.map(({ recordCount }) => recordCount)).toEqual([10_000n, 10_000n, 5_000n]);
    expect(written[0]?.filePath).toMatch(/^mem:\/\/files\/00000-.*\.parquet$/);
  });

  test("or not at all: no file is left of rows that do not fit, nor of a commit that is refused", async () => {
    const { context, io } = world();
    const table = await createTable(context, ident, ORDERS);
    const left = async () => {
      const names: string[] = [];
      for await (const { location } of io.list("mem://w")) if (location.endsWith(".parquet")) names.push(location);
      return names;
    };
    const good = Array.from({ length: 10_000 }, (_, id) => order(id, "eu"));
    await expect(appendRows(context, table, [...good, { ...order(1, "eu"), nobody: 1 }])).rejects.toMatchObject({
      code: "UNKNOWN_COLUMN",
    });
    await expect(appendRows(context, table, [{ region: "eu" }])).rejects.toMatchObject({ kind: "data" });
    const gone = { ...table, ident: { ...ident, name: "gone" } };
    await expect(appendRows(context, gone, [order(1, "eu")])).rejects.toMatchObject({ code: "TABLE_NOT_FOUND" });
    expect(await left()).toEqual([]);
  });
});

describe("a union by name", () => {
  const made = async (fields: readonly NewField[]) => {
    const { context, io } = world();
    const table = await createTable(context, ident, newSchema(fields, []));
    const union = async (others: readonly NewField[]) => {
      const loaded = (await context.catalog.loadTable(ident))!;
      const { metadata } = await commitOperations(context, loaded, unionByName(newSchema(others, [])));
      return metadata;
    };
    return { context, io, table, union };
  };
  const texts = (fields: readonly { id: number; name: string; required: boolean; type: Type }[]) =>
    fields.map(({ id, name, required, type }) => `${id} ${name} ${typeText(type)}${required ? " required" : ""}`);

  test("adds what is missing, widens what is narrower, and leaves the rest as it is", async () => {
    const { union } = await made([
      column("id", long, true),
      column("n", { kind: "int" }, true),
      column("d", { kind: "decimal", precision: 9, scale: 2 }),
      column("s", { kind: "struct", fields: [{ id: 0, name: "a", required: false, type: { kind: "float" } }] }),
      column("l", { kind: "list", elementId: 0, elementRequired: false, element: line }),
    ]);
    const parts = [
      { id: 0, name: "b", required: true, type: text },
      { id: 0, name: "a", required: false, type: { kind: "double" } as const },
    ];
    const wider: Type = {
      kind: "struct",
      fields: [
        { id: 0, name: "sku", required: false, type: text },
        { id: 0, name: "price", required: false, type: long },
      ],
    };
    const metadata = await union([
      { ...column("late", text, true), doc: "new" },
      column("n", long),
      column("id", { kind: "int" }, true),
      column("d", { kind: "decimal", precision: 7, scale: 2 }),
      column("s", { kind: "struct", fields: parts }),
      column("l", { kind: "list", elementId: 0, elementRequired: false, element: wider }),
    ]);
    const schema = currentSchema(metadata);
    expect(texts(schema.fields)).toEqual([
      "1 id long required",
      "2 n long",
      "3 d decimal(9, 2)",
      "4 s struct<a: double, b: string>",
      "5 l list<struct<sku: string, price: long>>",
      "9 late string",
    ]);
    const [, , , s, l, late] = schema.fields;
    expect(texts((s!.type as Extract<Type, { kind: "struct" }>).fields)).toEqual(["6 a double", "10 b string"]);
    const { element } = l!.type as Extract<Type, { kind: "list" }>;
    expect(texts((element as Extract<Type, { kind: "struct" }>).fields)).toEqual(["8 sku string", "11 price long"]);
    expect(late?.doc).toBe("new");
    expect((await union(schema.fields)).schemas).toHaveLength(metadata.schemas.length);
  });

  test("names the column whose types have nothing in common", async () => {
    const { union } = await made([
      column("id", long),
      column("m", { kind: "map", keyId: 0, key: text, valueId: 0, valueRequired: false, value: long }),
    ]);
    await expect(union([column("id", text)])).rejects.toThrow(/column id: long to string is not a widening/);
    await expect(union([column("id", line)])).rejects.toMatchObject({ code: "NO_UNION" });
    const keyed: Type = { kind: "map", keyId: 0, key: long, valueId: 0, valueRequired: false, value: long };
    await expect(union([column("m", keyed)])).rejects.toThrow(/column m.key: expected string/);
  });

  test("rows of before and of after are read together", async () => {
    const { context, io, table, union } = await made([column("id", long, true), column("n", { kind: "int" })]);
    await appendRows(context, table, [{ id: 1n, n: 7 }]);
    await union([column("n", long), column("more", text)]);
    const loaded = (await context.catalog.loadTable(ident))!;
    const after = await appendRows(context, loaded, [{ id: 2n, n: 2n ** 40n, more: "x" }]);
    expect(await rowsOf(io, after)).toEqual([
      { id: 1n, n: 7n, more: null },
      { id: 2n, n: 2n ** 40n, more: "x" },
    ]);
    await commitOperations(context, after, updateSchema([{ change: "delete-column", name: "more" }]));
  });
});
