import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireServers, withReason } from "../../require.ts";
import { type RunningKafka, startKafka } from "../../services/kafka.ts";
import { createTopic, withAdmin } from "../../services/kafka-admin.ts";
import { openProducer } from "../../services/kafka-producer.ts";
import { frazil } from "./job-process.ts";

const missing = await requireServers("kafka");

const MIB = 1024 * 1024;

describe.skipIf(missing !== null)(withReason("big messages", missing), () => {
  let kafka: RunningKafka;
  let folder: string;

  beforeAll(async () => {
    kafka = await startKafka();
    folder = mkdtempSync(join(tmpdir(), "frazil-big-"));
  });
  afterAll(async () => {
    await kafka?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function jobFile(topic: string, source = ""): string {
    const path = join(folder, `${topic}.yaml`);
    writeFileSync(
      path,
      `name: big
source: { type: kafka, brokers: ["${kafka.brokers[0]}"], topics: [${topic}], format: json${source} }
warehouse: { location: "${join(folder, topic)}" }
tables: [{ from: ${topic}, to: lake.big, mode: append }]
dead_letter: { table: lake.dead_letters, max_share: 1 }
`,
    );
    return path;
  }

  async function query(topic: string, sql: string): Promise<unknown[]> {
    const process = frazil(["query", sql, "--warehouse", join(folder, topic), "--json"]);
    expect(await process.ended, process.stderr()).toBe(0);
    const lines = process.stdout().trim().split("\n");
    return lines.map((line) => JSON.parse(line) as unknown);
  }

  it("of 64 MB arrive whole, and broken ones as dead letters", { timeout: 120_000 }, async () => {
    await createTopic(kafka.brokers, "huge", { config: { "max.message.bytes": String(80 * MIB) } });
    const body = "lorem ipsum dolor sit amet, 0123".repeat((64 * MIB) / 32);
    {
      await using producer = await openProducer(kafka.brokers);
      await producer.send("huge", [{ value: '{"id":1,"body":"small"}' }]);
      await producer.send("huge", [{ value: `{"id":2,"body":"${body}"}` }]);
      await producer.send("huge", [{ value: `{"id":3,"body":"${body}` }]);
      await producer.send("huge", [{ value: '{"id":4,"body":"after"}' }]);
    }
    const job = frazil(["run", jobFile("huge"), "--until", "caught-up"]);
    expect(await job.ended, job.stderr()).toBe(0);
    expect(await query("huge", "SELECT id, length(body) AS size, md5(body) AS md5 FROM lake.big ORDER BY id")).toEqual(
      [
        { id: 1, body: "small" },
        { id: 2, body },
        { id: 4, body: "after" },
      ].map((row) => ({ id: row.id, size: row.body.length, md5: createHash("md5").update(row.body).digest("hex") })),
    );
    const letters = await query("huge", 'SELECT code, "offset", octet_length(value) AS size FROM lake.dead_letters');
    expect(letters).toEqual([{ code: "MALFORMED_JSON", offset: 2, size: 64 * MIB + '{"id":3,"body":"'.length }]);
  });

  it("beyond the limit stop the job by name, and the way out works", { timeout: 120_000 }, async () => {
    await createTopic(kafka.brokers, "bomb");
    {
      await using producer = await openProducer(kafka.brokers, { compression: "gzip" });
      await producer.send("bomb", [{ value: '{"id":1}' }]);
      await producer.send("bomb", [{ value: Buffer.alloc(129 * MIB, 0x20) }]);
      await producer.send("bomb", [{ value: '{"id":2}' }]);
    }
    const refused = frazil(["run", jobFile("bomb"), "--until", "caught-up"]);
    expect(await refused.ended, refused.stderr()).toBe(65);
    expect(refused.stderr()).toMatch(/error KAFKA_BATCH_TOO_LARGE: bomb\/0 offset 1: a batch of \d+ bytes \(gzip\)/);
    expect(refused.stderr()).toMatch(/hint: .*kafka-delete-records/);
    await withAdmin(kafka.brokers, async (admin) => {
      // kafkajs looks the leader up only for this.
      await admin.fetchTopicOffsets("bomb");
      await admin.deleteTopicRecords({ topic: "bomb", partitions: [{ partition: 0, offset: "2" }] });
    });
    const job = frazil(["run", jobFile("bomb", ", on_lost_offsets: earliest"), "--until", "caught-up"]);
    expect(await job.ended, job.stderr()).toBe(0);
    expect(await query("bomb", "SELECT id FROM lake.big ORDER BY id")).toContainEqual({ id: 2 });
  });
});
