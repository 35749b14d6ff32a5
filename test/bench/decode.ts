// Events a second that `debezium-json` decodes on one core. `node test/bench/decode.ts [--json]`
import { parseArgs } from "node:util";
import { Op } from "../../src/core/change-batch.ts";
import type { MessageSlab } from "../../src/core/format.ts";
import type { TableBinding } from "../../src/core/table-binding.ts";
import { debeziumJson } from "../../src/formats/debezium-json/format.ts";
import type { PrimitiveType } from "../../table-format/index.ts";
import { slabOf, type TestMessage } from "../support/slab.ts";

const SLAB_MESSAGES = 4000;
const SLABS = 25;
const ROUNDS = 12;

const { values: options } = parseArgs({ options: { json: { type: "boolean", default: false } } });

let seed = 1;
function below(limit: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 0x1_0000_0000) * limit);
}

const WORDS =
  "deliver parcel door please ring twice gift wrap leave neighbour fragile call before morning blue box".split(" ");

function order(id: number): Record<string, unknown> {
  let note = "";
  while (note.length < 110) note += `${WORDS[below(WORDS.length)]} `;
  return {
    id,
    customer: `customer-${below(50_000)}`,
    status: ["new", "paid", "shipped", "done"][below(4)],
    amount: `${below(90_000)}.${String(below(100)).padStart(2, "0")}`,
    quantity: below(20) + 1,
    price: below(1_000_000) / 100,
    note,
    created_at: 1_700_000_000_000_000 + below(1_000_000_000),
    updated_at: 1_750_000_000_000_000 + below(1_000_000_000),
    region: ["eu-west", "us-east", "ap-south"][below(3)],
  };
}

/** One insert to two updates, 2 % deletes, full before images, as `services.md`'s workload has it. */
function event(id: number): TestMessage {
  const kind = below(100);
  const source = { version: "3.0", name: "shop", schema: "public", table: "orders", lsn: 1_000_000 + id };
  const [op, before, after] =
    kind < 33 ? ["c", null, order(id)] : kind < 98 ? ["u", order(id), order(id)] : ["d", order(id), null];
  return { key: { id }, value: { before, after, source, op, ts_ms: 1_750_000_000_000 + id } };
}

const columns = new Map<string, PrimitiveType>([
  ["amount", { kind: "decimal", precision: 18, scale: 2 }],
  ["created_at", { kind: "timestamp" }],
  ["updated_at", { kind: "timestamp" }],
]);
const binding: TableBinding = {
  table: 0,
  target: "shop.orders",
  mode: "upsert",
  key: null,
  columns,
  existing: new Map(),
};

const slabs: MessageSlab[] = [];
let bytes = 0;
const expected = { rows: 0, deletes: 0, ids: 0 };
for (let s = 0; s < SLABS; s++) {
  const messages = Array.from({ length: SLAB_MESSAGES }, (_, k) => event(s * SLAB_MESSAGES + k));
  for (const message of messages) {
    expected.rows++;
    expected.ids += (message.key as { id: number }).id;
    if ((message.value as { op: string }).op === "d") expected.deletes++;
  }
  const slab = slabOf(messages, "shop.public.orders", BigInt(s * SLAB_MESSAGES));
  bytes += slab.bytes.length;
  slabs.push(slab);
}

const decoder = debeziumJson.createDecoder(
  { byStream: () => binding, route: () => binding },
  { inferred: () => {}, unrouted: () => {} },
);

let best = 0;
let bestOfCpu = 0;
for (let round = 0; round < ROUNDS; round++) {
  const found = { rows: 0, deletes: 0, ids: 0 };
  const start = performance.now();
  const cpuStart = process.threadCpuUsage().user;
  const batches = slabs.flatMap((slab) => decoder.decode(slab));
  const seconds = (performance.now() - start) / 1000;
  const cpuSeconds = (process.threadCpuUsage().user - cpuStart) / 1e6;
  for (const batch of batches) {
    found.rows += batch.length;
    for (let row = 0; row < batch.length; row++) if (batch.ops[row] === Op.delete) found.deletes++;
    const ids = batch.columns[batch.fields.findIndex((field) => field.name === "id")]?.values as BigInt64Array;
    const words = new Int32Array(ids.buffer, ids.byteOffset, ids.length * 2);
    for (let row = 0; row < ids.length; row++) found.ids += words[row * 2] as number;
  }
  if (found.rows !== expected.rows || found.deletes !== expected.deletes || found.ids !== expected.ids) {
    throw new Error(`decoded ${JSON.stringify(found)}`);
  }
  best = Math.max(best, expected.rows / seconds);
  bestOfCpu = Math.max(bestOfCpu, expected.rows / cpuSeconds);
}

const figures = [
  { figure: "events", value: Math.round(best), unit: "events/s" },
  // What a busy machine leaves comparable.
  { figure: "events of the thread's CPU time", value: Math.round(bestOfCpu), unit: "events/s" },
  { figure: "bytes", value: Math.round((best * bytes) / expected.rows / 1e6), unit: "MB/s" },
  { figure: "event size", value: Math.round(bytes / expected.rows), unit: "bytes" },
];
for (const { figure, value, unit } of figures) {
  const line = { bench: "decode", case: "debezium-json schemaless", figure, value, unit };
  console.log(options.json ? JSON.stringify(line) : `${line.case}: ${figure} ${value.toLocaleString("en")} ${unit}`);
}
