import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTopic } from "../services/kafka-admin.ts";
import { openProducer, type TestProducer } from "../services/kafka-producer.ts";
import { startKafka } from "../services/kafka.ts";
import { startMinio } from "../services/minio.ts";
import { orderChange, type Order } from "./session-orders.ts";
import { Recorder } from "./recorder.ts";
import { npxFrazil } from "./terminal.ts";

const MAIN = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const TOPIC = "shop.public.orders";

/** What an editor does to the file that `init` wrote; the last one is a slip, which `lint` finds. */
const EDITS: readonly (readonly [string, string])[] = [
  ["name: my-kafka", "name: orders"],
  ['brokers: ["localhost:9092"]', 'brokers: ["${KAFKA_BROKERS}"]'],
  ['from: "*.orders"', "from: shop.public.orders"],
  ['to: "shop.${table}"', "to: shop.orders"],
  ['#columns: { total: "decimal(18,2)", created_at: timestamptz }', 'columns: { total: "decimal(18,2)" }'],
  ["location: ./warehouse", "location: s3://lake/warehouse"],
  ['#s3: { endpoint: "http://localhost:9000", region: us-east-1 }', 's3: { endpoint: "${S3_ENDPOINT}" }'],
  ["  interval: 10s", "  intervall: 5s"],
];

const FIRST: readonly Order[] = [
  { id: 1n, customer: "Ada", status: "open", total: "19.99" },
  { id: 2n, customer: "Grace", status: "open", total: "5.00" },
  { id: 9_007_199_254_740_993n, customer: "Edsger", status: "open", total: "1234567890123456.78" },
];

/**
 * Plays the session of `docs/session.md` on a Kafka and a MinIO of its own, with the built command line in a pseudo-terminal, and
 * gives the page with every command and what it printed.
 *
 * @throws Error when a command ends with another exit code than the session expects.
 */
export async function recordSession(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "frazil-session-"));
  const [kafka, store] = await Promise.all([startKafka(), startMinio()]);
  try {
    await createTopic(kafka.brokers, TOPIC);
    await using producer = await openProducer(kafka.brokers);
    const env = npxFrazil(folder, MAIN, {
      PATH: process.env["PATH"],
      HOME: folder,
      ...kafka.env,
      ...store.env,
      FRAZIL_WAREHOUSE: "s3://lake/warehouse",
    });
    return await play(new Recorder(folder, env), producer, join(folder, "orders.yaml"));
  } finally {
    await Promise.all([kafka.stop(), store.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function play(page: Recorder, producer: TestProducer, job: string): Promise<string> {
  const produce = (changes: readonly ReturnType<typeof orderChange>[]) => producer.send(TOPIC, changes);
  const counts =
    'npx frazil query "SELECT status, count(*) AS orders, sum(total) AS total FROM shop.orders GROUP BY ALL ORDER BY ALL"';

  page.say(INTRODUCTION);
  page.say("## Describe the job");
  await page.run("npx frazil init kafka -o orders.yaml");
  edit(job, EDITS);
  page.say("In an editor the file gets its topic, its table and its warehouse, and one slip of the keyboard:");
  await page.run("npx frazil lint orders.yaml", 78);
  edit(job, [["intervall:", "interval:"]]);
  await page.run("npx frazil lint orders.yaml");
  await page.run("grep -Ev '^ *(#|$)' orders.yaml");

  page.say("## Try it before it runs");
  await produce(FIRST.map((order) => orderChange(null, order)));
  page.say("Three orders wait in the topic. `check` tries everything the job needs, `plan` tells what it would do:");
  await page.run("npx frazil check orders.yaml");
  await page.run("npx frazil plan orders.yaml");

  page.say("## Run it, and ask");
  await page.run("npx frazil run orders.yaml --until caught-up");
  await page.run('npx frazil query "SELECT * FROM shop.orders ORDER BY id"');
  const first = /shop\.orders\s.*snapshot (\d+)/.exec(page.text)?.[1] ?? "";

  const [ada, grace, edsger] = FIRST as [Order, Order, Order];
  const paid = { ...ada, status: "paid" };
  await produce([
    orderChange(ada, paid),
    orderChange(grace, null),
    orderChange(null, { id: 4n, customer: "Barbara", status: "open", total: "42.00" }),
    orderChange(edsger, { ...edsger, status: "paid" }),
  ]);
  page.say("Two orders are paid, one is deleted, one is new. The job resumes where its table stands:");
  await page.run("npx frazil run orders.yaml --until caught-up");
  await page.run(counts);

  page.say("## As it was, and what changed since");
  await page.run("npx frazil snapshots shop.orders");
  await page.run(`${counts} --as-of ${first}`);
  await page.run(`npx frazil read shop.orders --from ${first}`);

  page.say("## Back, and forth again");
  page.say(
    "`rollback` moves the rows and the pipeline's position together. It prints its plan, and acts with `--yes`:",
  );
  await page.run(`npx frazil rollback shop.orders --to ${first}`);
  await page.run(`npx frazil rollback shop.orders --to ${first} --yes`);
  await page.run(counts);
  page.say("The next run reads the four changes again, and the table is as it was:");
  await page.run("npx frazil run orders.yaml --until caught-up");
  await page.run(counts);
  return page.text;
}

const INTRODUCTION = `# A session

<!-- Recorded by \`npm run docs:session\`: change test/docs/session.ts instead. -->

Everything below was typed into a terminal, on an Apache Kafka and a MinIO that \`npm run services -- up kafka minio\` starts, and
this is what it showed. A test plays it again and compares. \`FRAZIL_WAREHOUSE=s3://lake/warehouse\` stands for \`--warehouse\`,
\`AWS_*\` holds the credentials.`;

function edit(path: string, changes: readonly (readonly [string, string])[]): void {
  let text = readFileSync(path, "utf8");
  for (const [before, after] of changes) {
    if (!text.includes(before)) throw new Error(`expected ${JSON.stringify(before)} in the job file of init`);
    text = text.replace(before, () => after);
  }
  writeFileSync(path, text);
}
