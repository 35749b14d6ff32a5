import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalLines } from "../../readers/canonical.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { startKafka, type RunningKafka } from "../../services/kafka.ts";
import { startMinio } from "../../services/minio.ts";
import type { RunningS3 } from "../../services/s3-server.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";
import { BankFeed } from "./bank-feed.ts";
import { frazil, hasWritten, type JobProcess } from "./job-process.ts";

const missing = await requireServers("kafka", "minio", "readers");

const KILLS = 4;

describe.skipIf(missing !== null)(withReason("Kafka to table to table to table", missing), () => {
  let kafka: RunningKafka;
  let store: RunningS3;
  let readers: Readers;
  let folder: string;

  beforeAll(async () => {
    [kafka, store, readers] = await Promise.all([startKafka(), startMinio(), openReaders()]);
    folder = mkdtempSync(join(tmpdir(), "frazil-chain-"));
  });
  afterAll(async () => {
    await Promise.all([kafka?.stop(), store?.stop(), readers?.[Symbol.asyncDispose]()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function jobFile(name: string, source: string, tables: string): string {
    const path = join(folder, `${name}.yaml`);
    writeFileSync(
      path,
      `name: ${name}
source: ${source}
warehouse:
  location: s3://${store.bucket}/chain
  s3: { endpoint: "${store.endpoint}", region: ${store.region}, access_key_id: ${store.accessKeyId}, secret_access_key: ${store.secretAccessKey} }
tables:
  - ${tables}
checkpoint: { interval: 400ms }
`,
    );
    return path;
  }

  it(`the last equals the first after ${KILLS} kills of each job`, { timeout: 600_000 }, async () => {
    const random = seededRandom(8);
    const feed = await BankFeed.open(kafka.brokers, "chain", 8);
    const kafkaSource = `{ type: kafka, brokers: ["${kafka.brokers[0]}"], topics: [${feed.topic("accounts")}], format: debezium-json }`;
    const jobs = [
      jobFile(
        "first",
        kafkaSource,
        `{ from: bank.accounts, to: one.accounts, mode: upsert, columns: { balance: "decimal(18,2)", moved_at: timestamptz } }`,
      ),
      jobFile(
        "second",
        "{ type: table, table: one.accounts, poll: 200ms }",
        "{ from: one.accounts, to: two.accounts, mode: upsert }",
      ),
      jobFile(
        "third",
        "{ type: table, table: two.accounts, poll: 200ms }",
        "{ from: two.accounts, to: three.accounts, mode: upsert, partition_by: ['bucket(4, id)'] }",
      ),
    ];
    const feeding = feed.run(120, 60);
    const running: JobProcess[] = jobs.map((job) => frazil(["run", job]));
    expect(await hasWritten(running[0] as JobProcess, /checkpoint/), running[0]?.stderr()).toBe(true);
    for (let kill = 0; kill < KILLS * jobs.length; kill++) {
      await sleep(400 + (random.uint32() % 1200));
      const victim = kill % jobs.length;
      const process = running[victim] as JobProcess;
      process.child.kill("SIGKILL");
      expect(await process.ended, process.stderr()).toBe("SIGKILL");
      running[victim] = frazil(["run", jobs[victim] as string]);
    }
    feed.stop();
    await feeding;
    for (const process of running) {
      process.child.kill("SIGTERM");
      expect([0, "SIGTERM"], process.stderr()).toContain(await process.ended);
    }
    for (const job of jobs) {
      const last = frazil(["run", job, "--until", "caught-up"]);
      expect(await last.ended, last.stderr()).toBe(0);
    }
    const lines = await Promise.all(
      ["one", "two", "three"].map(async (namespace) =>
        readers.pyiceberg({ location: `s3://${store.bucket}/chain/${namespace}/accounts` }, { s3: store }),
      ),
    );
    const [first] = lines;
    const names = first?.columns.map(({ name }) => name) ?? [];
    expect(first?.lines).toEqual(canonicalLines(names, feed.rowsAt("accounts", null)));
    expect(first?.lines.length).toBeGreaterThan(10);
    for (const seen of lines) expect(seen.lines).toEqual(first?.lines);
    for (const seen of lines)
      expect(seen.columns.map(({ type }) => type)).toEqual(first?.columns.map(({ type }) => type));
    await feed.close();
  });
});
