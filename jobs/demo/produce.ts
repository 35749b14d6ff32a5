/**
 * Sends the generator's shop changelog to Kafka as Debezium's connectors would (JSON without schema):
 * `node jobs/demo/produce.ts --prefix shop [--brokers host:port] [--seed 2026] [--events 20000] [--rate 5000] [--splits 2]`.
 * SIGTERM ends the changelog early. The last line tells how many events were sent.
 */
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs, { type Message, Partitioners } from "kafkajs";
import { type PlainChange, type PlainRow, type PlainValue, shopChangelog } from "../../src/index.ts";

const { values: options } = parseArgs({
  options: {
    prefix: { type: "string", default: "shop" },
    brokers: { type: "string", default: process.env["KAFKA_BROKERS"] ?? "localhost:9092" },
    seed: { type: "string", default: "2026" },
    events: { type: "string", default: "20000" },
    splits: { type: "string", default: "2" },
    rate: { type: "string" },
  },
});

/** Events per request to the broker. */
const BATCH = 500;

const keyColumns: Readonly<Record<string, readonly string[]>> = {
  "shop.customers": ["region", "id"],
  "shop.orders": ["id"],
  "shop.order_events": ["event_id"],
};
const binaryColumns = new Set(["photo", "payload"]);

const kafka = new kafkajs.Kafka({
  clientId: "shop",
  brokers: options.brokers.split(","),
  logLevel: kafkajs.logLevel.ERROR,
});
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({
  waitForLeaders: true,
  topics: Object.keys(keyColumns).map((table) => ({ topic: `${options.prefix}.${table}`, numPartitions: 2 })),
});
await admin.disconnect();
// A job that reads these topics can start now.
process.stdout.write(
  `${JSON.stringify({ topics: Object.keys(keyColumns).map((table) => `${options.prefix}.${table}`) })}\n`,
);

const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
await producer.connect();
const rate = options.rate === undefined ? Infinity : Number(options.rate);
const startMs = performance.now();
let sent = 0;
let stopped = false;
process.once("SIGTERM", () => (stopped = true));
let waiting = new Map<string, Message[]>();
const settings = { seed: Number(options.seed), events: Number(options.events), splits: Number(options.splits) };
for (const event of shopChangelog(settings)) {
  for (const change of event) {
    const topic = `${options.prefix}.${change.table}`;
    const messages = waiting.get(topic) ?? [];
    messages.push(...messagesOf(change));
    waiting.set(topic, messages);
  }
  if (++sent % BATCH === 0) {
    await send();
    if (stopped) break;
    await sleep(Math.max(0, startMs + (sent * 1000) / rate - performance.now()));
  }
}
await send();
await producer.disconnect();
process.stdout.write(`${JSON.stringify({ events: sent })}\n`);

/** One request for all topics, so that their order among each other is kept as well as Kafka can. */
async function send(): Promise<void> {
  if (waiting.size === 0) return;
  const topicMessages = [...waiting].map(([topic, messages]) => ({ topic, messages }));
  waiting = new Map();
  await producer.sendBatch({ topicMessages, acks: -1 });
}

/** A change as Debezium's messages: a delete is followed by a tombstone, so that compacted topics forget the key. */
function messagesOf({ table, op, row }: PlainChange): Message[] {
  const keys = Object.fromEntries((keyColumns[table] ?? []).map((column) => [column, row[column] ?? null]));
  const key = json(keys);
  const [schema, name] = table.split(".");
  const source = `{"connector":"shop","db":"shop","schema":"${schema}","table":"${name}"}`;
  const letter = { insert: "c", update: "u", delete: "d" }[op];
  const images = op === "delete" ? `"before":${json(row)},"after":null` : `"before":null,"after":${json(row)}`;
  const value = `{${images},"source":${source},"op":"${letter}","ts_ms":${Date.now()}}`;
  return op === "delete"
    ? [
        { key, value },
        { key, value: null },
      ]
    : [{ key, value }];
}

/** Integers keep all their digits, decimals are texts (`decimal.handling.mode=string`), bytes base64. */
function json(row: PlainRow): string {
  return `{${Object.entries(row)
    .map(([column, value]) => `${JSON.stringify(column)}:${valueText(column, value)}`)
    .join(",")}}`;
}

function valueText(column: string, value: PlainValue): string {
  if (typeof value === "bigint") return String(value);
  if (Object.is(value, -0)) return "-0.0";
  if (typeof value === "string" && binaryColumns.has(column)) {
    return JSON.stringify(Buffer.from(value, "hex").toString("base64"));
  }
  return JSON.stringify(value);
}
