import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSqliteCatalog } from "../../../src/catalogs/sqlite.ts";
import { createLocalStorage } from "../../../src/storage/local.ts";
import { ObjectStoreCatalog } from "../../../table-format/index.ts";
import { canonicalLines } from "../../readers/canonical.ts";
import { openReaders, type Readers } from "../../readers/reader.ts";
import { requireServers, withReason } from "../../require.ts";
import { createTopic, kafkaClient, withAdmin } from "../../services/kafka-admin.ts";
import { startKafka, type RunningKafka } from "../../services/kafka.ts";
import { startMinio } from "../../services/minio.ts";
import { freePort } from "../../services/ports.ts";
import type { RunningS3 } from "../../services/s3-server.ts";
import { tableRows } from "../../support/table-rows.ts";
import { BankFeed, type BankTable } from "./bank-feed.ts";
import { frazil, hasWritten, type JobProcess } from "./job-process.ts";

const missing = await requireServers("kafka", "minio", "readers");

const TABLES: readonly BankTable[] = ["accounts", "stock", "entries"];
/** How long a server stays away in mid-checkpoint, one after the other. */
const AWAY_MS = 5_000;
/** How long both stay away at once. */
const BOTH_AWAY_MS = 60_000;

/** What a job file says differently from the others. */
interface Given {
  readonly name?: string;
  readonly warehouse?: string;
  readonly brokers?: string;
  readonly source?: string;
  readonly s3?: Partial<Record<"endpoint" | "bucket" | "accessKeyId" | "secretAccessKey", string>>;
  readonly tables?: readonly string[];
}

describe.skipIf(missing !== null)(withReason("the world around a job", missing), () => {
  let kafka: RunningKafka;
  let store: RunningS3;
  let readers: Readers;
  let folder: string;
  let jobs = 0;

  beforeAll(async () => {
    [kafka, store, readers] = await Promise.all([startKafka({ secure: true }), startMinio(), openReaders()]);
    folder = mkdtempSync(join(tmpdir(), "frazil-world-"));
  });
  afterAll(async () => {
    await Promise.all([kafka?.stop(), store?.stop(), readers?.[Symbol.asyncDispose]()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function jobFile(topics: string, given: Given = {}): string {
    const path = join(folder, `job-${++jobs}.yaml`);
    const s3 = { ...store, ...given.s3 };
    const local = given.warehouse?.startsWith("/") === true;
    const location = local ? given.warehouse : `s3://${s3.bucket}/${given.warehouse ?? "lake"}`;
    const remote = local
      ? ""
      : `, s3: { endpoint: "${s3.endpoint}", region: ${store.region}, access_key_id: ${s3.accessKeyId}, secret_access_key: ${s3.secretAccessKey} }`;
    const tables = given.tables ?? [
      `{ from: bank.accounts, to: bank.accounts, mode: upsert, columns: { balance: "decimal(18,2)", moved_at: timestamptz } }`,
      `{ from: bank.stock, to: bank.stock, mode: upsert, columns: { quantity: int } }`,
      `{ from: bank.entries, to: bank.entries, mode: append, columns: { amount: "decimal(18,2)" } }`,
    ];
    writeFileSync(
      path,
      `name: ${given.name ?? "bank"}
source: { type: kafka, brokers: ["${given.brokers ?? kafka.brokers[0]}"], topics: [${topics}], format: debezium-json${given.source ?? ""} }
warehouse: { location: ${location}${remote} }
tables:
${tables.map((table) => `  - ${table}\n`).join("")}checkpoint: { interval: 300ms }
`,
    );
    return path;
  }

  const topicsOf = (feed: BankFeed) => TABLES.map((table) => feed.topic(table)).join(", ");

  async function catchUp(job: string): Promise<void> {
    const process = frazil(["run", job, "--until", "caught-up"]);
    expect(await process.ended, process.stderr()).toBe(0);
  }

  /** Ends with this code, and says so in at most two lines: the error and its hint. */
  async function expectRefused(job: string, exitCode: number, error: RegExp, hint: RegExp): Promise<void> {
    const process = frazil(["run", job, "--until", "caught-up"]);
    expect(await process.ended, process.stderr()).toBe(exitCode);
    const lines = process.stderr().trim().split("\n");
    expect(lines.at(-2)).toMatch(error);
    expect(lines.at(-1)).toMatch(hint);
  }

  async function expectRows(feed: BankFeed, warehouse: string): Promise<void> {
    for (const table of TABLES) {
      const location = `s3://${store.bucket}/${warehouse}/bank/${table}`;
      const seen = await readers.pyiceberg({ location }, { s3: store });
      const names = seen.columns.map(({ name }) => name);
      expect(seen.lines, table).toEqual(canonicalLines(names, feed.rowsAt(table, null)));
    }
  }

  const checkpoints = (job: JobProcess) => job.stderr().match(/^checkpoint /gm)?.length ?? 0;

  /** Waits for two more checkpoints, and sends rows for them. */
  async function committing(job: JobProcess, feed: BankFeed): Promise<void> {
    const before = checkpoints(job);
    const startMs = performance.now();
    while (checkpoints(job) < before + 2) {
      expect(job.child.exitCode, job.stderr()).toBeNull();
      expect(performance.now() - startMs, job.stderr()).toBeLessThan(60_000);
      await feed.send(20);
      await sleep(150);
    }
  }

  describe("settings that name the wrong thing", () => {
    it.each<[string, Given, number, RegExp, RegExp]>([
      [
        "an access key that the store does not know",
        { s3: { accessKeyId: "nobody" } },
        77,
        /S3_CREDENTIALS.*InvalidAccessKeyId/,
        /access_key_id/,
      ],
      [
        "a wrong secret key",
        { s3: { secretAccessKey: "nonsense" } },
        77,
        /S3_CREDENTIALS.*SignatureDoesNotMatch/,
        /secret_access_key/,
      ],
      ["a bucket that does not exist", { s3: { bucket: "laek" } }, 78, /S3_NO_SUCH_BUCKET.*laek/, /create the bucket/],
      ["a warehouse that is a file", { warehouse: "/etc/hostname" }, 74, /\/etc\/hostname/, /folder/],
    ])("%s", async (_, given, exitCode, error, hint) => {
      await expectRefused(jobFile("none", given), exitCode, error, hint);
    });

    it("an endpoint where nobody answers", async () => {
      const job = jobFile("none", { s3: { endpoint: `http://127.0.0.1:${await freePort()}` } });
      await expectRefused(job, 69, /S3_UNREACHABLE.*ECONNREFUSED/, /warehouse.s3.endpoint/);
    });

    it("a password that the broker refuses", async () => {
      const brokers = kafka.security?.saslPlaintext ?? "";
      const source = ", sasl: { mechanism: scram-sha-256, username: frazil, password: nonsense }";
      await expectRefused(jobFile("none", { brokers, source }), 77, /KAFKA_REFUSED/, /source.sasl/);
    });

    it("a topic that does not exist, with the one that may be meant", async () => {
      await createTopic(kafka.brokers, "shop.orders");
      await expectRefused(
        jobFile("shop.order"),
        78,
        /TOPIC_NOT_FOUND: no such topic: shop.order \(did you mean shop.orders\?\)/,
        /shop.orders/,
      );
    });

    it("a broker where nobody answers: a signal ends the wait", async () => {
      const job = frazil(["run", jobFile("none", { brokers: `127.0.0.1:${await freePort()}` })]);
      expect(await hasWritten(job, /does not answer.*ECONNREFUSED/), job.stderr()).toBe(true);
      job.child.kill("SIGTERM");
      expect(await job.ended, job.stderr()).toBe(0);
      expect(job.stderr()).not.toMatch(/error /);
    });
  });

  describe("servers that go away in mid-checkpoint", () => {
    it("the job waits for broker and store by itself, and no row is lost or doubled", async () => {
      const feed = await BankFeed.open(kafka.brokers, "away", 3);
      const path = jobFile(topicsOf(feed), { warehouse: "away" });
      await feed.send(600);
      const job = frazil(["run", path]);
      await committing(job, feed);
      await Promise.all([store.kill(), feed.send(600)]);
      await sleep(AWAY_MS);
      expect(job.child.exitCode, job.stderr()).toBeNull();
      await store.restart();
      await committing(job, feed);
      await kafka.kill();
      await sleep(AWAY_MS);
      expect(job.child.exitCode, job.stderr()).toBeNull();
      await kafka.restart();
      await feed.send(300);
      await committing(job, feed);
      job.child.kill("SIGTERM");
      expect(await job.ended, job.stderr()).toBe(0);
      await catchUp(path);
      await expectRows(feed, "away");
      await feed.close();
    });

    it("a minute without broker and store, in mid-checkpoint", async () => {
      const feed = await BankFeed.open(kafka.brokers, "minute", 5);
      const path = jobFile(topicsOf(feed), { warehouse: "minute" });
      await feed.send(600);
      const job = frazil(["run", path]);
      await committing(job, feed);
      // The store goes first, with rows on their way: a checkpoint is being written when the broker goes, too.
      await Promise.all([store.kill(), feed.send(600)]);
      const startMs = performance.now();
      expect(await hasWritten(job, /no answer from the store/), job.stderr()).toBe(true);
      await kafka.kill();
      expect(await hasWritten(job, /cannot be read, trying again/), job.stderr()).toBe(true);
      await sleep(BOTH_AWAY_MS - (performance.now() - startMs));
      expect(job.child.exitCode, job.stderr()).toBeNull();
      await Promise.all([store.restart(), kafka.restart()]);
      await feed.send(300);
      await committing(job, feed);
      job.child.kill("SIGTERM");
      expect(await job.ended, job.stderr()).toBe(0);
      await catchUp(path);
      await expectRows(feed, "minute");
      await feed.close();
    });

    it("SIGTERM while the store is gone ends with 69 within seconds; the second signal ends at once", async () => {
      const feed = await BankFeed.open(kafka.brokers, "term", 4);
      const path = jobFile(topicsOf(feed), { warehouse: "term" });
      await feed.send(300);
      const job = frazil(["run", path]);
      await committing(job, feed);
      await Promise.all([store.kill(), feed.send(300)]);
      expect(await hasWritten(job, /no answer from the store/), job.stderr()).toBe(true);
      job.child.kill("SIGTERM");
      const startMs = performance.now();
      expect(await job.ended, job.stderr()).toBe(69);
      expect(performance.now() - startMs).toBeLessThan(25_000);
      await store.restart();
      const hurried = frazil(["run", path]);
      await committing(hurried, feed).catch(() => undefined);
      hurried.child.kill("SIGSTOP");
      hurried.child.kill("SIGINT");
      hurried.child.kill("SIGCONT");
      expect(await hasWritten(hurried, /press Ctrl-C again/), hurried.stderr()).toBe(true);
      hurried.child.kill("SIGINT");
      expect([0, 130]).toContain(await hurried.ended);
      await catchUp(path);
      await expectRows(feed, "term");
      await feed.close();
    });
  });

  describe("topics that change behind the job's back", () => {
    const ROW = (id: number) => ({
      key: `{"id":${id}}`,
      value: `{"before":null,"after":{"id":${id}},"source":{"connector":"postgresql","db":"d","schema":"bank","table":"t"},"op":"c","ts_ms":1}`,
    });
    const tables = ["{ from: bank.t, to: bank.t, mode: append, columns: { id: long } }"];

    async function send(topic: string, ids: readonly number[]): Promise<void> {
      const producer = kafkaClient(kafka.brokers).producer();
      await producer.connect();
      for (const id of ids) await producer.send({ topic, messages: [ROW(id)] });
      await producer.disconnect();
    }

    async function drop(topic: string): Promise<void> {
      await withAdmin(kafka.brokers, (admin) => admin.deleteTopics({ topics: [topic] }));
      while ((await withAdmin(kafka.brokers, (admin) => admin.listTopics())).includes(topic)) await sleep(100);
    }

    async function idsIn(warehouse: string): Promise<readonly string[]> {
      const seen = await readers.pyiceberg({ location: `s3://${store.bucket}/${warehouse}/bank/t` }, { s3: store });
      return seen.lines.toSorted();
    }

    it.each([
      ["stop", 7],
      ["earliest", 2],
      ["latest", 7],
    ] as const)(
      "made anew between two runs, on_lost_offsets: %s, with %i records where 5 had been read",
      async (policy, count) => {
        const topic = `anew.${policy}.${count}`;
        const warehouse = `anew-${policy}-${count}`;
        const job = (name: string, onLost: string = policy) =>
          jobFile(topic, { name, warehouse, tables, source: `, on_lost_offsets: ${onLost}` });
        const old = [1, 2, 3, 4, 5];
        const fresh = Array.from({ length: count }, (_, i) => 11 + i);
        const lines = (ids: readonly number[]) => ids.map((id) => `["${id}"]`).toSorted();
        await createTopic(kafka.brokers, topic);
        await send(topic, old);
        await catchUp(job("first"));
        await drop(topic);
        await expectRefused(job("first"), 78, /no such topic/, /^hint/);
        await createTopic(kafka.brokers, topic);
        await send(topic, fresh);
        if (policy === "stop") {
          const message = /LOST_OFFSETS.*made anew \(the id (\S+) was read, (?!\1)\S+ is there\); the position 5 of/;
          await expectRefused(job("first"), 65, message, /on_lost_offsets: earliest/);
          expect(await idsIn(warehouse)).toEqual(lines(old));
        }
        await catchUp(job("first", policy === "stop" ? "earliest" : policy));
        const kept = policy === "latest" ? old : [...old, ...fresh];
        expect(await idsIn(warehouse)).toEqual(lines(kept));
        await send(topic, [31]);
        await catchUp(job("first", "stop"));
        expect(await idsIn(warehouse)).toEqual(lines([...kept, 31]));
        const positions = frazil(["positions", job("first", "stop"), "--json"]);
        expect(await positions.ended, positions.stderr()).toBe(0);
        expect(positions.stdout()).toContain(`"${count + 1}@2"`);
      },
    );

    it("cut by retention: an error, and on_lost_offsets goes on behind the gap", async () => {
      const topic = "cut";
      await createTopic(kafka.brokers, topic);
      await send(topic, [1, 2]);
      await catchUp(jobFile(topic, { warehouse: "cut", tables }));
      await send(topic, [3, 4, 5]);
      await withAdmin(kafka.brokers, async (admin) => {
        // kafkajs looks the leader up only for this.
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "4" }] });
      });
      await expectRefused(
        jobFile(topic, { warehouse: "cut", tables }),
        65,
        /LOST_OFFSETS.*offset 2.*4 up to 5/,
        /on_lost_offsets: earliest/,
      );
      await catchUp(jobFile(topic, { warehouse: "cut", tables, source: ", on_lost_offsets: earliest" }));
      expect(await idsIn("cut")).toEqual([1, 2, 5].map((id) => `["${id}"]`));
    });
  });
});

/** Mounts a small file system; false where that is not permitted. */
function mountSmall(folder: string, options: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder], { stdio: "ignore" });
    return existsSync(folder);
  } catch {
    return false;
  }
}

const small = mkdtempSync(join(tmpdir(), "frazil-mount-"));
const mounts = mountSmall(small, "size=1m");
if (mounts) execFileSync("umount", [small]);
rmSync(small, { recursive: true });

describe.skipIf(!mounts)(withReason("a disk", mounts ? null : "mounting is not permitted"), () => {
  let folder: string;
  const mounted: string[] = [];
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "frazil-disk-"))));
  afterAll(() => {
    for (const path of mounted) execFileSync("umount", [path]);
    rmSync(folder, { recursive: true, force: true });
  });

  function jobFile(name: string, location: string, catalog: string, events: number): string {
    const path = join(folder, `${name}.yaml`);
    writeFileSync(
      path,
      `name: ${name}
source: { type: generator, seed: 7, events: ${events}, splits: 2 }
warehouse: { location: ${location}, catalog: { type: ${catalog} } }
tables: [{ from: shop.orders, to: shop.orders, mode: upsert }, { from: shop.customers, to: shop.customers, mode: upsert }, { from: "*", to: "shop.\${table}", mode: append }]
checkpoint: { interval: 1s, max_rows: 2000 }
`,
    );
    return path;
  }

  /** The rows of `shop.orders`. */
  async function rowsIn(location: string, kind: string): Promise<readonly string[]> {
    const io = createLocalStorage();
    const context = { nowMs: () => 0, uuid: () => "" };
    const catalog =
      kind === "object-store"
        ? new ObjectStoreCatalog("frazil", io, location, context)
        : openSqliteCatalog({
            ...context,
            path: join(location, "catalog.sqlite"),
            name: "frazil",
            warehouseLocation: location,
            io,
          });
    try {
      return await tableRows(io, catalog, { namespace: ["shop"], name: "orders" });
    } finally {
      await catalog.close();
    }
  }

  it.each(["sqlite", "object-store"])("that is read-only: exit 74 at once (%s)", async (catalog) => {
    const place = join(folder, `ro-${catalog}`);
    expect(mountSmall(place, "ro,size=1m")).toBe(true);
    mounted.push(place);
    const job = frazil(["run", jobFile("ro", join(place, "lake"), catalog, 100)]);
    expect(await job.ended, job.stderr()).toBe(74);
    expect(job.stderr()).toMatch(/error .*\nhint: /);
  });

  it.each(["sqlite", "object-store"])(
    "that is full in mid-checkpoint is waited for; freed, nothing is lost (%s)",
    async (catalog) => {
      const place = join(folder, `full-${catalog}`);
      expect(mountSmall(place, "size=3m")).toBe(true);
      mounted.push(place);
      const filler = join(place, "filler");
      writeFileSync(filler, Buffer.alloc(2_400_000));
      const location = join(place, "lake");
      const job = frazil(["run", jobFile("full", location, catalog, 20_000), "--until", "caught-up"]);
      expect(await hasWritten(job, /no space left|ENOSPC|disk is full/i), job.stderr()).toBe(true);
      await sleep(500);
      expect(job.child.exitCode, job.stderr()).toBeNull();
      execFileSync("mount", ["-o", "remount,size=64m", place]);
      rmSync(filler);
      expect(await job.ended, job.stderr()).toBe(0);
      const whole = frazil([
        "run",
        jobFile("whole", join(folder, `whole-${catalog}`), catalog, 20_000),
        "--until",
        "caught-up",
      ]);
      expect(await whole.ended, whole.stderr()).toBe(0);
      const rows = await rowsIn(location, catalog);
      expect(rows.length).toBeGreaterThan(1000);
      expect(rows).toEqual(await rowsIn(join(folder, `whole-${catalog}`), catalog));
    },
  );
});
