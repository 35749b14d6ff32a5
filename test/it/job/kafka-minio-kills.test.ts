import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parsePosition } from "../../../src/core/position.ts";
import { type CanonicalRow, canonicalLines } from "../../readers/canonical.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { startKafka, type RunningKafka } from "../../services/kafka.ts";
import { startMinio } from "../../services/minio.ts";
import type { RunningS3 } from "../../services/s3-server.ts";
import { seededRandom } from "../../support/virtual-runtime.ts";
import { BankFeed, type BankTable } from "./bank-feed.ts";
import { frazil, hasWritten } from "./job-process.ts";

const missing = await requireServers("kafka", "minio", "readers");

const TABLES: readonly BankTable[] = ["accounts", "stock", "entries"];
const KILLS = 25;

describe.skipIf(missing !== null)(withReason("a job on Kafka and MinIO", missing), () => {
  let kafka: RunningKafka;
  let store: RunningS3;
  let readers: Readers;
  let folder: string;

  beforeAll(async () => {
    [kafka, store, readers] = await Promise.all([startKafka(), startMinio(), openReaders()]);
    folder = mkdtempSync(join(tmpdir(), "frazil-kills-"));
  });
  afterAll(async () => {
    await Promise.all([kafka?.stop(), store?.stop(), readers?.[Symbol.asyncDispose]()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function jobFile(feed: BankFeed, warehouse: string): string {
    const path = join(folder, `${warehouse}.yaml`);
    writeFileSync(
      path,
      `name: bank
source:
  type: kafka
  brokers: ["${kafka.brokers[0]}"]
  topics: [${TABLES.map((table) => feed.topic(table)).join(", ")}]
  format: debezium-json
warehouse:
  location: s3://${store.bucket}/${warehouse}
  s3: { endpoint: "${store.endpoint}", region: ${store.region}, access_key_id: ${store.accessKeyId}, secret_access_key: ${store.secretAccessKey} }
tables:
  - { from: bank.accounts, to: bank.accounts, mode: upsert, columns: { balance: "decimal(18,2)", moved_at: timestamptz }, partition_by: ["bucket(4, id)"] }
  - { from: bank.stock, to: bank.stock, mode: upsert, columns: { quantity: int } }
  - { from: bank.entries, to: bank.entries, mode: append, columns: { amount: "decimal(18,2)" } }
checkpoint: { interval: 400ms }
`,
    );
    return path;
  }

  /** Both readers see the rows, and the columns have the job's types. */
  async function expectRows(warehouse: string, table: BankTable, rows: readonly CanonicalRow[], snapshotId?: bigint) {
    const location = `s3://${store.bucket}/${warehouse}/bank/${table}`;
    const options = { s3: store, ...(snapshotId === undefined ? {} : { snapshotId }) };
    const seen = await readers.pyiceberg({ location }, options);
    const expected = canonicalLines(
      seen.columns.map(({ name }) => name),
      rows,
    );
    expect(seen.lines, `${table} by PyIceberg`).toEqual(expected);
    const duckdb = await readers.duckdb({ location }, options);
    expect(duckdb.lines, `${table} by DuckDB`).toEqual(expected);
  }

  it(`has exactly the right rows after ${KILLS} kills at random moments`, { timeout: 600_000 }, async () => {
    const seed = 20260101;
    const random = seededRandom(seed);
    const feed = await BankFeed.open(kafka.brokers, "kills", seed);
    const job = jobFile(feed, "kills");
    const feeding = feed.run(120, 60);
    for (let kill = 0; kill < KILLS; kill++) {
      const process = frazil(["run", job]);
      // On a busy machine most of them die before their first commit: some are given the time for it.
      if (kill % 3 === 0) await Promise.race([hasWritten(process, /^checkpoint \d/m), sleep(20_000)]);
      await sleep(300 + (random.uint32() % 2500));
      process.child.kill("SIGKILL");
      expect(await process.ended, process.stderr()).toBe("SIGKILL");
    }
    feed.stop();
    await feeding;
    const last = frazil(["run", job, "--until", "caught-up"]);
    expect(await last.ended, last.stderr()).toBe(0);
    for (const table of TABLES) await expectRows("kills", table, feed.rowsAt(table, null));
    await expectHistory(feed, "kills", random);
    await feed.close();
  });

  /** Old snapshots hold exactly the rows of the position that stands in them. */
  async function expectHistory(feed: BankFeed, warehouse: string, random: { uint32(): number }): Promise<void> {
    for (const table of TABLES) {
      const location = `s3://${store.bucket}/${warehouse}/bank/${table}`;
      const { snapshots, refs } = await readers.describe({ location }, { s3: store });
      expect(snapshots.length, table).toBeGreaterThan(5);
      expect(refs["ingest.bank"], table).toBe(snapshots.at(-1)?.snapshotId);
      // The broker stamped every message in the minutes of this test.
      const throughMs = Date.parse(snapshots.at(-1)?.summary["ingest.valid-through"] ?? "");
      expect(Math.abs(Date.now() - throughMs), table).toBeLessThan(600_000);
      for (let i = 0; i < 5; i++) {
        const snapshot = snapshots[random.uint32() % snapshots.length];
        const position = parsePosition(snapshot?.summary["ingest.position"] ?? "{}");
        await expectRows(warehouse, table, feed.rowsAt(table, position), BigInt(snapshot?.snapshotId ?? 0));
      }
    }
  }

  it("lets a paused older process change nothing once a newer one has committed", { timeout: 300_000 }, async () => {
    const feed = await BankFeed.open(kafka.brokers, "zombie", 7);
    const job = jobFile(feed, "zombie");
    const feeding = feed.run(100, 50);
    for (let round = 0; round < 4; round++) {
      const older = frazil(["run", job]);
      expect(await hasWritten(older, /checkpoint [\d ]+/), older.stderr()).toBe(true);
      await sleep(150 * round);
      older.child.kill("SIGSTOP");
      const newer = frazil(["run", job]);
      expect(await hasWritten(newer, /checkpoint [\d ]+ [\s\S]*checkpoint [\d ]+ /), newer.stderr()).toBe(true);
      newer.child.kill("SIGTERM");
      expect(await newer.ended, newer.stderr()).toBe(0);
      const before = await snapshotIds("zombie");
      older.child.kill("SIGCONT");
      expect(await older.ended, older.stderr()).toBe(76);
      expect(older.stderr()).toMatch(/FENCED|taken over/);
      expect(await snapshotIds("zombie")).toEqual(before);
    }
    feed.stop();
    await feeding;
    const last = frazil(["run", job, "--until", "caught-up"]);
    expect(await last.ended, last.stderr()).toBe(0);
    for (const table of TABLES) await expectRows("zombie", table, feed.rowsAt(table, null));
    await feed.close();
  });

  async function snapshotIds(warehouse: string): Promise<string[]> {
    const ids: string[] = [];
    for (const table of TABLES) {
      const location = `s3://${store.bucket}/${warehouse}/bank/${table}`;
      const { snapshots } = await readers.describe({ location }, { s3: store });
      ids.push(...snapshots.map(({ snapshotId }) => snapshotId));
    }
    return ids;
  }
});
