import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { installReaders } from "../readers/install.ts";
import { createTopic } from "../services/kafka-admin.ts";
import { openProducer, type TestProducer } from "../services/kafka-producer.ts";
import { startKafka } from "../services/kafka.ts";
import { progressOnStderr } from "../services/progress.ts";
import { Recorder } from "./recorder.ts";
import { orderChange, type Order } from "./session-orders.ts";
import { inTerminal, npxFrazil } from "./terminal.ts";

const MAIN = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const TOPIC = "shop.public.orders";
/** A day of the session. */
const DAY_MS = 5_000;

const JOB = `name: orders
source: { type: kafka, brokers: ["\${KAFKA_BROKERS}"], topics: [${TOPIC}], format: debezium-json }
tables:
  - { from: ${TOPIC}, to: shop.orders, mode: upsert, columns: { total: "decimal(18,2)" } }
warehouse: { location: ./warehouse }
checkpoint: { interval: 1s }
`;

const POLICIES = `policies:
  - tables: "*"
    tag: [{ name: day, every: 5s, keep: 30d }]
`;

const ADA: Order = { id: 1n, customer: "Ada", status: "open", total: "19.99" };
const GRACE: Order = { id: 2n, customer: "Grace", status: "open", total: "5.00" };
const EDSGER: Order = { id: 3n, customer: "Edsger", status: "open", total: "120.00" };
const BARBARA: Order = { id: 4n, customer: "Barbara", status: "open", total: "42.00" };

/**
 * Plays the session of `docs/batch-and-stream.md` on a Kafka of its own, with the built command line in a pseudo-terminal, and gives the
 * page with every command and what it printed.
 *
 * @throws Error when a command ends with another exit code than the session expects.
 */
export async function recordBatchAndStream(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "frazil-session-"));
  const [kafka, python] = await Promise.all([startKafka(), installReaders(progressOnStderr)]);
  try {
    await createTopic(kafka.brokers, TOPIC);
    await using producer = await openProducer(kafka.brokers);
    const env = npxFrazil(folder, MAIN, {
      PATH: [dirname(python), process.env["PATH"]].join(delimiter),
      HOME: folder,
      ...kafka.env,
      FRAZIL_WAREHOUSE: "./warehouse",
    });
    writeFileSync(join(folder, "orders.yaml"), JOB);
    writeFileSync(join(folder, "policies.yaml"), POLICIES);
    return await play(new Recorder(folder, env), producer, () =>
      inTerminal("npx frazil run orders.yaml --until caught-up", folder, env),
    );
  } finally {
    await kafka.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function play(page: Recorder, producer: TestProducer, runElsewhere: () => Promise<unknown>): Promise<string> {
  const produce = (changes: readonly ReturnType<typeof orderChange>[]) => producer.send(TOPIC, changes);
  const maintain = "npx frazil maintain --policies policies.yaml --once";
  const lastTag = () => page.text.match(/\bday-\d{4}-\d\d-\d\dT[\d-]+\d/g)?.at(-1) ?? "";

  page.say(INTRODUCTION);
  page.say("## A table, and a name for each of its days");
  await page.run("cat orders.yaml policies.yaml");
  page.say(DAYS);
  await produce([ADA, GRACE, EDSGER].map((order) => orderChange(null, order)));
  await page.run("npx frazil run orders.yaml --until caught-up");
  await sleep(DAY_MS);
  await page.run(maintain);
  const first = lastTag();

  page.say("The next day an order is paid, one is deleted, one is new:");
  const paid = { ...ADA, status: "paid" };
  await produce([orderChange(ADA, paid), orderChange(GRACE, null), orderChange(null, BARBARA)]);
  await page.run("npx frazil run orders.yaml --until caught-up");
  await sleep(DAY_MS);
  await page.run(maintain);
  const second = lastTag();

  page.say("## As a batch");
  page.say("A day is a table that stays as it is. Any SQL runs over it, and over now:");
  const totals = `npx frazil query "SELECT status, count(*) AS orders, sum(total) AS total FROM shop.orders GROUP BY ALL ORDER BY ALL"`;
  await page.run(`${totals} --as-of ${first}`);
  await page.run(totals);
  page.say(ENGINES);
  page.say("What a day has changed is the difference of two names:");
  await page.run(`npx frazil diff shop.orders ${first}..${second}`);

  page.say("## As a stream");
  page.say(STREAM);
  // The same lines come whether the reader is there before the commits or after them.
  const later = sleep(1_000).then(async () => {
    await produce([orderChange(EDSGER, { ...EDSGER, status: "paid" })]);
    await runElsewhere();
  });
  await page.runUntil(
    `npx frazil read shop.orders --from ${first} --follow --consumer mailer --format ndjson`,
    /"Edsger","status":"paid".*\n/,
  );
  await later;
  page.say(CONSUMER);
  await page.run("npx frazil consumers");

  page.say("## In Python, without a second copy");
  page.say(ARROW);
  await page.run(`npx frazil read shop.orders --from ${first} --format arrow > changes.arrow`);
  await page.run(
    `python3 -c '
import duckdb, pyarrow as pa
changes = pa.ipc.open_stream("changes.arrow").read_all()
print(changes.schema.field("total").type, changes.num_rows)
print(duckdb.sql("SELECT _op, count(*) AS n, sum(total) AS total FROM changes GROUP BY ALL ORDER BY ALL"))'`,
  );
  page.say(END);
  return page.text;
}

const INTRODUCTION = `# The same day as batch and as stream

<!-- Recorded by \`npm run docs:session\`: change test/docs/batch-and-stream.ts instead. -->

One table serves both: reports ask it as it was at the end of a day, services follow it change by change, and whoever begins in the middle
gets the one and then the other without a gap. There is no second store and no copy: names of snapshots are the days, and the changes
between them come from the table's own files ([Changes of a table](changes.md)).

Everything below was typed into a terminal, on an Apache Kafka that \`npm run services -- up kafka\` starts, and this is what it showed. A
test plays it again and compares. \`FRAZIL_WAREHOUSE=./warehouse\` stands for \`--warehouse\`.`;

const DAYS = `The policy names the table as it was at each point of its schedule ([tags by schedule](maintenance.md#tags-by-schedule)). Days and hours
are \`{ name: daily, cron: "0 0 * * *" }\` and \`{ name: hourly, every: 1h }\`; so that nobody has to wait for midnight, a day of this session
takes five seconds. Compaction and expiry belong there, too ([maintenance](maintenance.md)). A job can have the same under \`maintenance:\`, and then needs no service beside it. A tag keeps its snapshot from
expiry for as long as it stands.`;

const ENGINES = `Other engines read the same names: \`VERSION AS OF '<tag>'\` in Spark, \`tbl.scan(snapshot_id=tbl.snapshot_by_name("<tag>").snapshot_id)\`
in PyIceberg.`;

const STREAM = `The same name is where a stream begins: first what has changed since, commit by commit, then each commit to come, until Ctrl-C. While
this reader waits, an order is paid and the job runs in another terminal:`;

const CONSUMER = `The warehouse knows under the name \`mailer\` how far it has come. The same command goes on there, on whatever machine, and expiry keeps
what it has yet to read:`;

const ARROW = `Changes, rows and differences come as an Arrow stream too, with exact types. Here pyarrow reads one and DuckDB asks it; a pipe does as well
as a file:`;

const END =
  `To work on what has changed, a service either applies each change by its key, or stores \`_snapshot_id\` with its effect and begins with \`--from\` that.
Another table is a third way: a job with \`source: { type: table, table: shop.orders }\` reads the rows and then the changes,
[exactly once](table-source.md).
`.trimEnd();
