import { describe, expect, it } from "vitest";
import { currentSchema, typeText } from "../../../table-format/index.ts";
import { DEAD_LETTER_COLUMNS } from "../../../src/core/dead-letter.ts";
import { exitCodeOf, FrazilError } from "../../../src/core/errors.ts";
import type { Format } from "../../../src/core/format.ts";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { canalJson } from "../../../src/formats/canal-json/format.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { json } from "../../../src/formats/json/format.ts";
import type { JobSummary } from "../../../src/pipeline/job-run.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { memoryWarehouse, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { ForeignWriter } from "../../support/foreign-writer.ts";
import { messageSource } from "../../support/message-source.ts";
import { plainJob } from "../../support/plain-job.ts";
import type { TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

type Row = Readonly<Record<string, string | number | null>>;
/** Type by column, as declared; null: the messages declare none. */
type Declared = Readonly<Record<string, "long" | "int" | "string" | "double">>;

interface Kind {
  readonly format: Format;
  readonly declares: boolean;
  message(row: Row, types: Declared): TestMessage;
}

const event = (row: Row) => ({ before: null, after: row, op: "c" });
const CONNECT = { long: "int64", int: "int32", string: "string", double: "double" };
const MYSQL = { long: "bigint", int: "int", string: "varchar(20)", double: "double" };

const canal = (row: Row, mysqlType: object | null) => ({
  data: [Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : String(value)]))],
  database: "shop",
  table: "a",
  type: "INSERT",
  isDdl: false,
  old: null,
  pkNames: ["id"],
  mysqlType,
});

const KINDS: readonly [string, Kind][] = [
  ["json", { format: json, declares: false, message: (row) => ({ value: row }) }],
  ["debezium-json", { format: debeziumJson, declares: false, message: (row) => ({ value: event(row) }) }],
  [
    "debezium-json with schemas",
    {
      format: debeziumJson,
      declares: true,
      message(row, types) {
        const fields = Object.keys(row).map((field) => ({
          field,
          type: CONNECT[types[field] ?? "long"],
          optional: true,
        }));
        const image = (field: string) => ({ field, type: "struct", optional: true, fields });
        const schema = { type: "struct", fields: [image("before"), image("after"), { field: "op", type: "string" }] };
        return { value: { schema, payload: event(row) } };
      },
    },
  ],
  [
    "canal-json",
    {
      format: canalJson,
      declares: true,
      message: (row, types) => ({
        value: canal(row, Object.fromEntries(Object.keys(row).map((name) => [name, MYSQL[types[name] ?? "long"]]))),
      }),
    },
  ],
];

let seeds = 700;

/** Runs to the end of the messages, a checkpoint every two rows or so. */
function run(
  warehouse: Warehouse,
  { format }: Kind,
  messages: readonly TestMessage[],
  rule: Partial<TableRule> = {},
  notices: string[] = [],
): Promise<JobSummary> {
  const runtime = virtualRuntime(++seeds);
  return runJob({
    ...plainJob(warehouse, 2),
    rules: [upsertRule("a", rule)],
    deadLetter: { table: "shop.dead_letters", maxRows: 1_000, maxShare: 1 },
    runtime,
    createSource: (router, notices, rejects) =>
      messageSource(new Map([["a", messages]]), format.createDecoder(router, notices, rejects), { uint32: () => 1 }),
    observer: { started() {}, progress() {}, committed() {}, notice: (text) => void notices.push(text) },
  });
}

const rowsOf = (warehouse: Warehouse, name = "a") =>
  tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name });

async function columnsOf(warehouse: Warehouse): Promise<string[]> {
  const { fields } = currentSchema((await new ForeignWriter(warehouse, "a").load()).metadata);
  return fields.map(({ name, type }) => `${name} ${typeText(type)}`);
}

/** Offset and code of each dead letter. */
async function lettersOf(warehouse: Warehouse): Promise<string[]> {
  const names = Object.keys(DEAD_LETTER_COLUMNS);
  const rows = await rowsOf(warehouse, "dead_letters");
  return rows
    .map((row) => row.split("|"))
    .map((cells) => `${cells[names.indexOf("offset")]} ${cells[names.indexOf("code")]}`)
    .sort();
}

async function refusal(running: Promise<unknown>): Promise<FrazilError> {
  const error: unknown = await running.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof FrazilError) return error;
  throw new Error(`expected a refusal, found ${String(error)}`);
}

describe.each(KINDS)("columns of %s", (_, kind) => {
  const { declares, message } = kind;

  it("that flip between a number and a text", async () => {
    const warehouse = memoryWarehouse("memory");
    const story: [Row, Declared][] = [
      [{ id: 1, v: 10 }, { v: "long" }],
      [{ id: 2, v: 20 }, { v: "long" }],
      [{ id: 3, v: "x" }, { v: "string" }],
      [{ id: 4, v: 40 }, { v: "long" }],
      [{ id: 5, v: "50" }, { v: "string" }],
      [{ id: 6, v: 60 }, { v: "long" }],
    ];
    const messages = story.map(([row, types]) => message(row, types));
    if (!declares) {
      await run(warehouse, kind, messages);
      expect(await rowsOf(warehouse)).toEqual(["1|10", "2|20", "4|40", "6|60"]);
      expect(await lettersOf(warehouse)).toEqual(["2 VALUE_MISMATCH", "4 VALUE_MISMATCH"]);
      return;
    }
    // A source that says so itself has changed its table: no single message is to blame.
    const error = await refusal(run(warehouse, kind, messages));
    expect([error.code, exitCodeOf(error)]).toEqual(["TYPE_CHANGE", 65]);
    expect(error.message).toMatch(
      /^table shop\.a, column v: earlier changes of this checkpoint have string, the source now sends long/,
    );
    expect(await rowsOf(warehouse)).toEqual(["1|10", "2|20"]);
    const again = await refusal(run(warehouse, kind, messages.slice(0, 3)));
    expect(again.message).toMatch(/^table shop\.a, column v: the table has long, the source now sends string/);
    expect(await rowsOf(warehouse)).toEqual(["1|10", "2|20"]);
    // The way out of the hint: a new table whose column holds both.
    const fresh = memoryWarehouse("memory");
    await run(fresh, kind, messages, { columns: new Map([["v", { kind: "string" }]]) });
    expect(await rowsOf(fresh)).toEqual(["1|10", "2|20", "3|x", "4|40", "5|50", "6|60"]);
  });

  it("that flip between a narrow and a wide number are as wide as they ever were", async () => {
    const warehouse = memoryWarehouse("memory");
    const story: [Row, Declared][] = [
      [{ id: 1, v: 1 }, { v: "int" }],
      [{ id: 2, v: 2 }, { v: "int" }],
      [{ id: 3, v: 3_000_000_000 }, { v: "long" }],
      [{ id: 4, v: 4 }, { v: "int" }],
      [{ id: 5, v: 5_000_000_000 }, { v: "long" }],
      [{ id: 6, v: 6 }, { v: "int" }],
    ];
    await run(
      warehouse,
      kind,
      story.map(([row, types]) => message(row, types)),
    );
    expect(await columnsOf(warehouse)).toEqual(["id long", "v long"]);
    expect(await rowsOf(warehouse)).toEqual(["1|1", "2|2", "3|3000000000", "4|4", "5|5000000000", "6|6"]);
    expect(await lettersOf(warehouse)).toEqual([]);
  });

  it("stay as they are under schema_changes: ignore", async () => {
    const warehouse = memoryWarehouse("memory");
    const story: [Row, Declared][] = [
      [
        { id: 1, v: 1, w: "a" },
        { v: "int", w: "string" },
      ],
      [
        { id: 2, v: 2, w: "b" },
        { v: "int", w: "string" },
      ],
      // Wider values that fit are written, others are not; columns that are new are left out, whatever they hold.
      [
        { id: 3, v: 3, w: "c", x: 7 },
        { v: "long", w: "string", x: "long" },
      ],
      [
        { id: 4, v: 3_000_000_000, w: "d" },
        { v: "long", w: "string" },
      ],
      [
        { id: 5, v: "five", w: "e" },
        { v: "string", w: "string" },
      ],
      [
        { id: 6, v: null, w: "f" },
        { v: "long", w: "string" },
      ],
      [
        { id: 7, w: "g", x: "new" },
        { w: "string", x: "string" },
      ],
    ];
    const notices: string[] = [];
    const rule: Partial<TableRule> = { schemaChanges: "ignore", columns: new Map([["v", { kind: "int" }]]) };
    // Messages that declare nothing have numbers of one width.
    const given: Partial<TableRule> = declares ? { schemaChanges: "ignore" } : rule;
    const messages = story.map(([row, types]) => message(row, types));
    await run(warehouse, kind, messages, given, notices);
    expect(await columnsOf(warehouse)).toEqual(["id long", "v int", "w string"]);
    expect(await rowsOf(warehouse)).toEqual(["1|1|a", "2|2|b", "3|3|c", "6|null|f", "7|null|g"]);
    expect(await lettersOf(warehouse)).toEqual(["3 VALUE_MISMATCH", "4 VALUE_MISMATCH"]);
    expect(notices.filter((notice) => notice.includes("left out"))).toEqual([
      "shop.a: column x is left out: the table lacks it, and schema_changes is ignore",
    ]);
    // A process that starts knows the table from its first message on.
    await run(
      warehouse,
      kind,
      [...messages, message({ id: 8, v: 8, w: "h", y: 1 }, { v: "long", w: "string", y: "long" })],
      given,
    );
    expect(await rowsOf(warehouse)).toEqual(["1|1|a", "2|2|b", "3|3|c", "6|null|f", "7|null|g", "8|8|h"]);
  });

  it("that are dropped and come back are the same column; rows between have null there", async () => {
    const warehouse = memoryWarehouse("memory");
    const rows: Row[] = [
      { id: 1, v: 1, w: "a" },
      { id: 2, v: 2, w: "b" },
      { id: 3, w: "c" },
      { id: 1, w: "d" },
      { id: 4, v: 4, w: "e" },
      { id: 5, w: "f", v: 5 },
    ];
    const types: Declared = { v: "long", w: "string" };
    await run(
      warehouse,
      kind,
      rows.map((row) => message(row, types)),
    );
    expect(await columnsOf(warehouse)).toEqual(["id long", "v long", "w string"]);
    expect(await rowsOf(warehouse)).toEqual(["1|null|d", "2|2|b", "3|null|c", "4|4|e", "5|5|f"]);
    expect(await lettersOf(warehouse)).toEqual([]);
  });

  it("that come back as something else are refused by name", async () => {
    const warehouse = memoryWarehouse("memory");
    const messages = [
      message({ id: 1, v: 1 }, { v: "long" }),
      message({ id: 2, v: 2 }, { v: "long" }),
      message({ id: 3 }, {}),
      message({ id: 4, v: "x" }, { v: "string" }),
      message({ id: 5, v: 5 }, { v: "long" }),
    ];
    if (declares) {
      expect((await refusal(run(warehouse, kind, messages))).code).toBe("TYPE_CHANGE");
      expect(await rowsOf(warehouse)).toEqual(expect.arrayContaining(["1|1", "2|2"]));
      return;
    }
    await run(warehouse, kind, messages);
    expect(await rowsOf(warehouse)).toEqual(["1|1", "2|2", "3|null", "5|5"]);
    expect(await lettersOf(warehouse)).toEqual(["3 VALUE_MISMATCH"]);
  });

  it("that are the key and missing, null or NaN make bad messages", async () => {
    const warehouse = memoryWarehouse("memory");
    const nan = message({ id: 9, v: 1 }, {});
    const messages = [
      message({ id: 1, v: 1 }, {}),
      message({ v: 2 }, {}),
      message({ id: null, v: 3 }, {}),
      { ...nan, value: JSON.stringify(nan.value).replace(/"id":"?9"?/, '"id":NaN') },
      { ...nan, value: JSON.stringify(nan.value).replace(/"id":"?9"?/, '"id":"NaN"') },
      message({ id: 5, v: 5 }, {}),
    ];
    await run(warehouse, kind, messages);
    expect(await rowsOf(warehouse)).toEqual(["1|1", "5|5"]);
    expect(await lettersOf(warehouse)).toEqual([
      "1 KEY_WITHOUT_VALUE",
      "2 KEY_WITHOUT_VALUE",
      "3 MALFORMED_JSON",
      "4 VALUE_MISMATCH",
    ]);
  });

  it("that are the key and a double are refused: NaN equals nothing", async () => {
    const warehouse = memoryWarehouse("memory");
    const error = await refusal(run(warehouse, kind, [message({ id: 1.5, v: 1 }, { id: "double" })]));
    expect([error.code, exitCodeOf(error)]).toEqual(["KEY_TYPE", 78]);
    expect(error.message).toBe("key column id has type double, which cannot identify rows");
    expect(await warehouse.catalog.loadTable({ namespace: ["shop"], name: "a" })).toBeNull();
  });
});
