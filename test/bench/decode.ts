import { type ChangeBatch, Op } from "../../src/core/change-batch.ts";
import type { MessageSlab } from "../../src/core/message-slab.ts";
import type { TableBinding } from "../../src/core/table-binding.ts";
import { debeziumJson } from "../../src/formats/debezium-json/format.ts";
import type { PrimitiveType } from "../../table-format/index.ts";
import { slabOf, type TestMessage } from "../support/slab.ts";
import type { Figure } from "./bench.ts";

const SLAB_MESSAGES = 4000;
const SLABS = 25;
const ROUNDS = 12;

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

interface Work {
  readonly slabs: readonly MessageSlab[];
  readonly bytes: number;
  readonly outcome: Outcome;
}

/** What the decoded batches must add up to. */
interface Outcome {
  rows: number;
  deletes: number;
  ids: number;
}

function makeWork(): Work {
  const slabs: MessageSlab[] = [];
  const outcome: Outcome = { rows: 0, deletes: 0, ids: 0 };
  let bytes = 0;
  for (let s = 0; s < SLABS; s++) {
    const messages = Array.from({ length: SLAB_MESSAGES }, (_, k) => event(s * SLAB_MESSAGES + k));
    for (const message of messages) {
      outcome.rows++;
      outcome.ids += (message.key as { id: number }).id;
      if ((message.value as { op: string }).op === "d") outcome.deletes++;
    }
    const slab = slabOf(messages, "shop.public.orders", BigInt(s * SLAB_MESSAGES));
    bytes += slab.bytes.length;
    slabs.push(slab);
  }
  return { slabs, bytes, outcome };
}

function outcomeOf(batches: readonly ChangeBatch[]): Outcome {
  const found: Outcome = { rows: 0, deletes: 0, ids: 0 };
  for (const batch of batches) {
    found.rows += batch.length;
    for (let row = 0; row < batch.length; row++) if (batch.ops[row] === Op.delete) found.deletes++;
    const ids = batch.columns[batch.fields.findIndex((field) => field.name === "id")]?.values as BigInt64Array;
    const words = new Int32Array(ids.buffer, ids.byteOffset, ids.length * 2);
    for (let row = 0; row < ids.length; row++) found.ids += words[row * 2] as number;
  }
  return found;
}

/** Events a second that `debezium-json` decodes on one core: the best of some rounds over 100,000 events without schema. */
export async function* decode(): AsyncIterable<Figure> {
  const { slabs, bytes, outcome } = makeWork();
  const decoder = debeziumJson.createDecoder(
    { byStream: () => binding, route: () => binding },
    { inferred: () => {}, unrouted: () => {} },
    null,
  );
  let best = 0;
  let bestOfCpu = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const cpuStart = process.threadCpuUsage().user;
    const batches = slabs.flatMap((slab) => decoder.decode(slab));
    const cpuSeconds = (process.threadCpuUsage().user - cpuStart) / 1e6;
    best = Math.max(best, outcome.rows / ((performance.now() - start) / 1000));
    bestOfCpu = Math.max(bestOfCpu, outcome.rows / cpuSeconds);
    const found = outcomeOf(batches);
    if (JSON.stringify(found) !== JSON.stringify(outcome)) throw new Error(`decoded ${JSON.stringify(found)}`);
  }
  const of = "debezium-json schemaless";
  yield { case: of, figure: "event_bytes", value: Math.round(bytes / outcome.rows), unit: "bytes" };
  yield { case: of, figure: "events", value: Math.round(best), unit: "events/s" };
  // Other work on the machine leaves this one comparable.
  yield { case: of, figure: "events_of_thread_cpu", value: Math.round(bestOfCpu), unit: "events/s" };
}
