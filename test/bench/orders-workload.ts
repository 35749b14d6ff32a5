import kafkajs from "kafkajs";
import { createTopic, kafkaClient } from "../services/kafka-admin.ts";
import { seededRandom } from "../support/virtual-runtime.ts";

/** The orders workload: every key inserted once, then twice as many updates by a power law, 2 % of them deletes. */
export interface OrdersWorkload {
  readonly keys: number;
  readonly updates: number;
  readonly partitions: number;
}

/** What the table must hold at the end. */
export interface OrdersOutcome {
  readonly events: number;
  readonly bytes: number;
  readonly rows: number;
  /** Sums over the rows that are left. */
  readonly idSum: bigint;
  readonly centsSum: bigint;
  readonly quantitySum: bigint;
}

const MESSAGES_A_SEND = 4_000;
const START_US = 1_767_225_600_000_000;
const STATUSES = ["new", "paid", "packed", "shipped", "delivered", "returned"];
const REGIONS = ["eu-north", "eu-south", "us-east", "us-west", "ap-east"];
const WORDS =
  "ice forms in moving water first as small discs that drift and collect until the river carries them".split(" ");

/** Row `version` of key `id` as JSON; the values are cheap to draw again for the before image. */
function rowJson(id: number, version: number, cents: number, quantity: number): string {
  const draw = Math.imul(id ^ (version * 0x9e3779b1), 0x85ebca6b) >>> 0;
  let note = "";
  for (let i = 0; note.length < 112; i++) note += `${WORDS[(draw >>> (i % 13)) % WORDS.length]} `;
  const created = START_US + id * 1000;
  const total = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
  return (
    `{"id":${id},"customer":"customer-${draw % 100_000}","status":"${STATUSES[version % STATUSES.length]}","amount":"${total}",` +
    `"quantity":${quantity},"price":${(draw % 10_000) / 100},"note":"${note}","created_at":${created},"updated_at":${created + version * 977},"region":"${REGIONS[draw % REGIONS.length]}"}`
  );
}

/** Sends the workload to a new topic, keyed so that a key's changes stay in one topic partition. */
export async function produceOrders(
  brokers: readonly string[],
  topic: string,
  workload: OrdersWorkload,
  progress: (line: string) => void,
): Promise<OrdersOutcome> {
  const { keys, updates, partitions } = workload;
  await createTopic(brokers, topic, { partitions });
  const producer = kafkaClient(brokers).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  const random = seededRandom(20260101);
  const versions = new Int32Array(keys);
  const cents = new Int32Array(keys);
  const quantities = new Int16Array(keys);
  const live = new Uint8Array(keys);
  const source = '{"connector":"postgresql","db":"shop","schema":"public","table":"orders"}';
  let bytes = 0;
  let batch: { key: string; value: string; partition: number }[] = [];
  let before: Promise<unknown> = Promise.resolve();
  const flush = async () => {
    const messages = batch;
    batch = [];
    await before;
    before = producer.sendBatch({ acks: 1, topicMessages: [{ topic, messages }] });
  };
  const total = keys + updates;
  for (let event = 0; event < total; event++) {
    const fresh = event < keys;
    const uniform = random.uint32() / 2 ** 32;
    const id = fresh ? event : Math.floor(keys * uniform ** 3);
    const old =
      live[id] === 1 ? rowJson(id, versions[id] as number, cents[id] as number, quantities[id] as number) : "null";
    let value: string;
    if (!fresh && live[id] === 1 && random.uint32() % 50 === 0) {
      live[id] = 0;
      value = `{"before":${old},"after":null,"source":${source},"op":"d","ts_ms":${1767225600000 + event}}`;
    } else {
      const op = live[id] === 1 ? "u" : "c";
      live[id] = 1;
      versions[id] = (versions[id] as number) + 1;
      cents[id] = random.uint32() % 10_000_000;
      quantities[id] = random.uint32() % 100;
      const after = rowJson(id, versions[id], cents[id], quantities[id]);
      value = `{"before":${old},"after":${after},"source":${source},"op":"${op}","ts_ms":${1767225600000 + event}}`;
    }
    bytes += value.length;
    batch.push({ key: `{"id":${id}}`, value, partition: id % partitions });
    if (batch.length === MESSAGES_A_SEND) await flush();
    if ((event + 1) % 500_000 === 0) progress(`produced ${event + 1} of ${total} events`);
  }
  await flush();
  await before;
  await producer.disconnect();
  let rows = 0;
  let idSum = 0n;
  let centsSum = 0n;
  let quantitySum = 0n;
  for (let id = 0; id < keys; id++) {
    if (live[id] === 0) continue;
    rows++;
    idSum += BigInt(id);
    centsSum += BigInt(cents[id] as number);
    quantitySum += BigInt(quantities[id] as number);
  }
  return { events: total, bytes, rows, idSum, centsSum, quantitySum };
}
