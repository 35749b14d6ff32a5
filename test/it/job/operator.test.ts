import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireServers, withReason } from "../../require.ts";
import { type RunningKafka, startKafka } from "../../services/kafka.ts";
import { createTopic } from "../../services/kafka-admin.ts";
import { openProducer } from "../../services/kafka-producer.ts";
import { frazil } from "./job-process.ts";

const missing = await requireServers("kafka");

describe.skipIf(missing !== null)(withReason("verify and positions over Kafka", missing), () => {
  let kafka: RunningKafka;
  let folder: string;
  let job: string;

  beforeAll(async () => {
    kafka = await startKafka();
    folder = mkdtempSync(join(tmpdir(), "frazil-operator-"));
    job = join(folder, "job.yaml");
    writeFileSync(
      job,
      `name: items
source: { type: kafka, brokers: ["${kafka.brokers[0]}"], topics: [items], format: debezium-json }
warehouse: { location: "${join(folder, "lake")}" }
tables:
  - { from: items, to: shop.items, mode: upsert, key: [id] }
`,
    );
    await createTopic(kafka.brokers, "items", { partitions: 2 });
    await using producer = await openProducer(kafka.brokers);
    // Ids 0 to 99, of which every tenth goes again and every seventh changes its sku.
    const change = (id: number, sku: string | null) => ({
      key: JSON.stringify({ id }),
      value: JSON.stringify(
        sku === null
          ? { before: { id, sku: "x" }, after: null, op: "d" }
          : { before: null, after: { id, sku }, op: sku === "x" ? "c" : "u" },
      ),
      partition: id % 2,
    });
    const ids = Array.from({ length: 100 }, (_, id) => id);
    await producer.send(
      "items",
      ids.map((id) => change(id, "x")),
    );
    await producer.send(
      "items",
      ids.filter((id) => id % 7 === 0).map((id) => change(id, "y")),
    );
    await producer.send(
      "items",
      ids.filter((id) => id % 10 === 0).map((id) => change(id, null)),
    );
  }, 120_000);
  afterAll(async () => {
    await kafka?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function call(...args: string[]) {
    const process = frazil(args);
    const code = await process.ended;
    return { code, stderr: process.stderr(), stdout: process.stdout() };
  }

  it(
    "the table holds what the topic holds, and what is read again comes to the same",
    { timeout: 180_000 },
    async () => {
      expect((await call("run", job, "--until", "caught-up")).code).toBe(0);
      const first = await call("verify", "--source", job);
      expect(first.code, first.stdout).toBe(0);
      expect(JSON.parse(first.stdout)).toMatchObject({
        event: "verified",
        check: "source",
        table: "shop.items",
        rows: 90,
      });

      const late = await call("positions", "set", job, "items/0=1000000", "--yes");
      expect([late.code, late.stderr]).toEqual([64, expect.stringContaining("items/0 ends at ")]);
      const wrong = await call("positions", "set", job, "items/0=7:12", "--yes");
      expect([wrong.code, wrong.stderr]).toEqual([64, expect.stringContaining("is no point of items/0")]);
      expect((await call("positions", "set", job, "items/0=3", "--yes")).code).toBe(0);

      // The table is at 3 in one of two topic partitions: so far is the source compared, and the table holds more.
      expect((await call("verify", "--source", job)).code).toBe(65);
      expect((await call("run", job, "--until", "caught-up")).code).toBe(0);
      const again = await call("verify", "--source", job);
      expect(again.code, again.stdout).toBe(0);
      expect((await call("verify", "--all", "--warehouse", join(folder, "lake"))).code).toBe(0);
    },
  );
});
