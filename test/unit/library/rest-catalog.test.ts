import { expect, it } from "vitest";
import {
  defineJob,
  expectedTables,
  generator,
  openWarehouse,
  type PlainRow,
  type Row,
  runJob,
} from "../../../src/index.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import { MemoryCatalog } from "../../../table-format/index.ts";
import { type Fault, startRestServer } from "../../support/rest/rest-server.ts";
import { temporaryFolder } from "./folder.ts";

const SOURCE = { seed: 5, events: 12_000, splits: 2 };

/** What goes wrong with every second commit, in turn. */
const FAULTS: readonly Fault[] = [
  { at: "behind", status: null },
  { at: "before", status: null },
  { at: "behind", status: 503 },
  { at: "before", status: 504 },
  { at: "behind", status: 409 },
  { at: "before", status: 409 },
  { at: "before", status: 429 },
];

const text = (value: unknown): string => String(value);
const rowTexts = (rows: readonly (PlainRow | Row)[], names: readonly string[]): string[] =>
  rows.map((row) => names.map((name) => text(row[name])).join("|")).toSorted();

it("a job on a REST catalog whose answers are lost writes each change once", async () => {
  using folder = temporaryFolder();
  const nowMs = (): number => Date.now();
  const behind = new MemoryCatalog("behind", createLocalStorage(), folder.path, {
    nowMs,
    uuid: () => crypto.randomUUID(),
  });
  await using server = await startRestServer(behind, { prefix: "lake" });
  let commits = 0;
  const told: Fault[] = [];
  server.fault = ({ method, url }) => {
    if (method !== "POST" || !/\/tables\/\w+$/.test(url) || commits++ % 2 === 0) return null;
    const fault = FAULTS[told.length % FAULTS.length] as Fault;
    told.push(fault);
    return fault;
  };
  const warehouse = { location: folder.path, catalog: { type: "rest" as const, uri: server.uri } };
  const job = defineJob({
    name: "shop",
    source: generator(SOURCE),
    warehouse,
    tables: [
      { from: "shop.customers", to: "shop.customers", mode: "upsert" },
      { from: "shop.order_events", to: "shop.order_events", mode: "append" },
    ],
    checkpoint: { max_rows: 500, interval: "100ms" },
  });
  for (const maxRows of [1_500, 1_500, 1_500, null]) {
    await using run = await runJob(job, { until: maxRows === null ? "caught-up" : { maxRows } });
    await run.finished();
  }
  expect(told.length).toBeGreaterThanOrEqual(FAULTS.length);
  server.fault = () => null;
  await using lake = await openWarehouse(warehouse);
  const expected = expectedTables(SOURCE);
  for (const [name, names] of [
    ["shop.customers", ["region", "id", "name", "email"]],
    ["shop.order_events", ["event_id", "order_id", "kind"]],
  ] as const) {
    const rows = await Array.fromAsync((await lake.table(name)).rows());
    expect(rowTexts(rows, names)).toEqual(rowTexts(expected.get(name) ?? [], names));
  }
});
