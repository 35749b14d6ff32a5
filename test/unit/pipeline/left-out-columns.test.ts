import { expect, it } from "vitest";
import type { TableRule } from "../../../src/core/table-rule.ts";
import { canalJson } from "../../../src/formats/canal-json/format.ts";
import { debeziumJson } from "../../../src/formats/debezium-json/format.ts";
import { runJob } from "../../../src/pipeline/run-job.ts";
import { memoryWarehouse, upsertRule, type Warehouse } from "../../support/checkpoints.ts";
import { messageSource } from "../../support/message-source.ts";
import type { TestMessage } from "../../support/slab.ts";
import { tableRows } from "../../support/table-rows.ts";
import { virtualRuntime } from "../../support/virtual-runtime.ts";

const FORMATS = { canal: canalJson, debezium: debeziumJson };
type Kind = keyof typeof FORMATS;

let runs = 90_000;

function run(warehouse: Warehouse, kind: Kind, rule: Partial<TableRule>, messages: readonly TestMessage[]) {
  const runtime = virtualRuntime(++runs);
  return runJob({
    pipeline: "test",
    rules: [upsertRule("a", rule)],
    checkpoint: { intervalMs: 3_600_000, maxRows: 100, maxSizeBytes: 1 << 20, idleCommitMs: 3_600_000 },
    memoryBytes: 1 << 26,
    warehouseLocation: "mem://w",
    catalog: warehouse.catalog,
    io: warehouse.io,
    runtime,
    createSource: (router, notices, rejects) =>
      messageSource(
        new Map([["a", messages]]),
        FORMATS[kind].createDecoder(router, notices, rejects),
        runtime.random,
        20,
      ),
    end: { caughtUp: true, afterMs: null, maxRows: null },
    stop: new AbortController().signal,
    observer: { started() {}, progress() {}, committed() {}, notice() {} },
  });
}

const TYPES: Readonly<Record<string, string>> = { id: "bigint", name: "varchar(9)", n: "int" };

function message(kind: Kind, declares: boolean, isNew: boolean, row: Record<string, string | number>): TestMessage {
  if (kind === "debezium") {
    return { key: { id: row["id"] }, value: { before: null, after: row, op: isNew ? "c" : "u", source: { ts_ms: 1 } } };
  }
  const names = Object.keys(row);
  const types = Object.fromEntries(names.map((name) => [name, TYPES[name]]));
  const data = [Object.fromEntries(names.map((name) => [name, String(row[name])]))];
  const type = isNew ? "INSERT" : "UPDATE";
  const old = isNew ? null : [{ n: "0" }];
  const head = { database: "shop", table: "a", type, isDdl: false, pkNames: ["id"], es: 1_000 };
  return { value: { ...head, data, old, ...(declares ? { mysqlType: types } : {}) } };
}

const CASES: readonly [Kind, declares: boolean, Partial<TableRule>][] = [
  ["debezium", false, {}],
  ["debezium", false, { softDelete: "gone" }],
  ["debezium", false, { orderBy: "name" }],
  ["canal", false, { columns: new Map([["n", { kind: "int" }]]) }],
  ["canal", true, {}],
];

it.each(CASES)(
  "a column that an update leaves out keeps its value, wherever a process ends (%s, %s)",
  async (kind, declares, rule) => {
    const messages = [
      message(kind, declares, true, { id: 1, name: "x", n: 1 }),
      message(kind, declares, false, { id: 1, n: 2 }),
      message(kind, declares, false, { id: 1, n: 3 }),
    ];
    for (const ends of [[3], [1, 3], [2, 3], [1, 2, 3]]) {
      const warehouse = memoryWarehouse("memory");
      for (const end of ends) await run(warehouse, kind, rule, messages.slice(0, end));
      const rows = await tableRows(warehouse.io, warehouse.catalog, { namespace: ["shop"], name: "a" });
      expect(rows).toEqual(["softDelete" in rule ? "1|x|3|null" : "1|x|3"]);
    }
  },
);
