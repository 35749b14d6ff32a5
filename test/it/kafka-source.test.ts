import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock, systemRandom } from "../../src/cli/runtime.ts";
import type { Position } from "../../src/core/position.ts";
import type { Source } from "../../src/core/source.ts";
import type { KafkaSettings } from "../../src/sources/kafka/config.ts";
import { createKafkaSource } from "../../src/sources/kafka/source.ts";
import { requireServers, withReason } from "../require.ts";
import { type RunningKafka, startKafka } from "../services/kafka.ts";
import { createTopic, withAdmin } from "../services/kafka-admin.ts";
import { produceWithJava } from "../services/kafka-console-producer.ts";
import { openProducer } from "../services/kafka-producer.ts";
import { collector, type Message } from "../support/message-collector.ts";

const missing = await requireServers("kafka");

describe.skipIf(missing !== null)(withReason("source kafka", missing), () => {
  let kafka: RunningKafka;
  const warnings: string[] = [];
  const noteWarning = (warning: Error): void => void warnings.push(`${warning.name}: ${warning.message}`);

  beforeAll(async () => {
    process.on("warning", noteWarning);
    kafka = await startKafka({ secure: true });
  });
  afterAll(async () => {
    process.off("warning", noteWarning);
    await kafka?.stop();
  });

  function open(
    topics: readonly string[],
    more: Partial<KafkaSettings> = {},
    topicGoneMs = 60_000,
  ): { source: Source; messages: Message[]; lines: string[] } {
    const messages: Message[] = [];
    const lines: string[] = [];
    const line = (level: string) => (message: string, fields?: object) =>
      void lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
    const source = createKafkaSource(
      {
        brokers: kafka.brokers,
        topics,
        start: "earliest",
        onLostOffsets: "stop",
        tls: null,
        sasl: null,
        clientId: "frazil-test",
        groupId: "pipe",
        ...more,
      },
      {
        decoder: collector(messages),
        topicGoneMs,
        runtime: {
          clock: systemClock,
          random: systemRandom,
          step: () => {},
          log: { debug: () => {}, info: line("info"), warn: line("warn"), error: line("error") },
        },
      },
    );
    return { source, messages, lines };
  }

  /** Reads until `done` says so, or to the end of now. */
  async function read(
    source: Source,
    from: Position,
    done?: (position: Position) => boolean,
  ): Promise<Map<string, string>> {
    const end = await source.endPosition();
    const position = new Map(from);
    const caughtUp = (): boolean =>
      [...end].every(([split, point]) => source.comparePoints(position.get(split) ?? "0", point) >= 0);
    if (done === undefined && caughtUp()) return position;
    for await (const { ends } of source.read(from, AbortSignal.timeout(90_000))) {
      for (const [split, point] of ends) {
        expect(source.comparePoints(position.get(split) ?? "0", point)).toBeLessThanOrEqual(0);
        position.set(split, point);
      }
      if (done?.(position) ?? caughtUp()) return position;
    }
    throw new Error(`not done at ${JSON.stringify([...position])}, the end being ${JSON.stringify([...end])}`);
  }

  /** All committed messages of topics, from their starts to the end of now. */
  async function readAll(topics: readonly string[], more: Partial<KafkaSettings> = {}): Promise<Message[]> {
    const { source, messages } = open(topics, more);
    await source.open();
    const position = await read(source, await source.startPosition());
    expect(position).toEqual(await source.endPosition());
    await source.close();
    return messages;
  }

  const values = (messages: readonly Message[]): (string | null)[] => messages.map(({ value }) => value);

  test("every codec, as Java's client writes it", async () => {
    await createTopic(kafka.brokers, "codecs");
    const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
    const records = (codec: string): { key: string; value: string }[] =>
      Array.from({ length: 2_000 }, (_, i) => ({
        key: `${codec}-${i}`,
        value: `${codec} ${i} ${"lorem ipsum ".repeat(i % 9)}`,
      }));
    for (const codec of codecs) await produceWithJava(kafka.brokers, "codecs", codec, records(codec));
    const messages = await readAll(["codecs"]);
    expect(messages.map(({ key, value }) => ({ key, value }))).toEqual(codecs.flatMap(records));
    expect(messages.map(({ offset }) => offset)).toEqual(messages.map((_, i) => BigInt(i)));
  });

  test("headers, null and empty keys and values, times, messages of 5 MB", async () => {
    const config = { "max.message.bytes": String(12 * 1024 * 1024) };
    await createTopic(kafka.brokers, "shapes", { config, partitions: 2 });
    const large = "0123456789".repeat(500_000);
    const startMs = Date.now();
    for (const compression of ["none", "gzip", "zstd"] as const) {
      await using producer = await openProducer(kafka.brokers, { compression });
      await producer.send("shapes", [
        { partition: 0, key: "k", value: null, headers: { "__debezium.newkey": '{"id":2}', empty: "" } },
        { partition: 0, key: null, value: "", timestamp: "1700000000123" },
        { partition: 0, key: "", value: "ü" },
      ]);
      await producer.send("shapes", [{ partition: 1, key: compression, value: large }]);
    }
    const messages = await readAll(["shapes"]);
    const small = messages.filter(({ split }) => split === "shapes/0");
    expect(small.map(({ key, value, headers }) => [key, value, headers])).toEqual(
      Array.from({ length: 3 }, () => [
        [
          "k",
          null,
          [
            ["__debezium.newkey", '{"id":2}'],
            ["empty", ""],
          ],
        ],
        [null, "", []],
        ["", "ü", []],
      ]).flat(),
    );
    expect(small[1]?.atMs).toBe(1_700_000_000_123);
    expect(small[2]?.atMs).toBeGreaterThanOrEqual(startMs);
    const bulky = messages.filter(({ split }) => split === "shapes/1");
    expect(bulky.map(({ key, value }) => [key, value === large])).toEqual(
      ["none", "gzip", "zstd"].map((key) => [key, true]),
    );
  });

  test("aborted transactions are not seen, overlapping or not, and an aborted tail is caught up with", async () => {
    await createTopic(kafka.brokers, "transactions");
    await using plain = await openProducer(kafka.brokers);
    await using one = await openProducer(kafka.brokers, { transactionalId: "one" });
    await using two = await openProducer(kafka.brokers, { transactionalId: "two" });
    await using three = await openProducer(kafka.brokers, { transactionalId: "three" });
    const send = (sender: { send: typeof plain.send }, value: string) =>
      sender.send("transactions", [{ key: "k", value }]);
    await send(plain, "plain 1");
    const a = await one.begin();
    const b = await two.begin();
    const c = await three.begin();
    for (let i = 0; i < 3; i++) {
      await send(a, `aborted a${i}`);
      await send(b, `aborted b${i}`);
      await send(c, `committed c${i}`);
    }
    // Ended in another order than begun.
    await b.abort();
    await c.commit();
    await send(a, "aborted a3");
    await a.abort();
    await one.transaction(async (inside) => {
      await send({ send: inside }, "committed one");
      return "commit";
    });
    for (let i = 0; i < 2; i++) {
      await one.transaction(async (inside) => {
        await send({ send: inside }, `aborted again ${i}`);
        return "abort";
      });
    }
    const committed = ["plain 1", "committed c0", "committed c1", "committed c2", "committed one"];
    expect(values(await readAll(["transactions"]))).toEqual(committed);

    // From any offset on: also from within a transaction, and in the aborted tail.
    const { source, messages } = open(["transactions"]);
    await source.open();
    const end = BigInt((await source.endPosition()).get("transactions/0") as string);
    for (let offset = 0n; offset <= end; offset++) {
      messages.length = 0;
      const position = await read(source, new Map([["transactions/0", String(offset)]]));
      expect(position.get("transactions/0")).toBe(String(end));
      expect(messages.every((message) => message.offset >= offset && !message.value?.startsWith("aborted"))).toBe(true);
    }

    // An open transaction holds the end; what follows it is read when it has ended.
    messages.length = 0;
    const held = await two.begin();
    await send(held, "late");
    await send(plain, "behind");
    const stay = new Map([["transactions/0", String(end)]]);
    expect(await source.endPosition()).toEqual(stay);
    let pulls = 0;
    await read(source, stay, () => ++pulls > 2);
    expect(messages).toEqual([]);
    await held.commit();
    // The broker answers a commit before the end has moved.
    await read(source, stay, () => messages.length === 2);
    expect(values(messages)).toEqual(["late", "behind"]);
    await source.close();
  });

  test("a compacted topic with holes", async () => {
    const config = {
      "cleanup.policy": "compact",
      "segment.ms": "100",
      "min.cleanable.dirty.ratio": "0.001",
      "min.compaction.lag.ms": "0",
      "max.compaction.lag.ms": "500",
      "delete.retention.ms": "0",
    };
    await createTopic(kafka.brokers, "compacted", { config });
    await using producer = await openProducer(kafka.brokers);
    await using transactional = await openProducer(kafka.brokers, { transactionalId: "compacting" });
    for (let round = 0; round < 6; round++) {
      const messages = Array.from({ length: 20 }, (_, i) => ({ key: `k${i % 10}`, value: `${round}-${i}` }));
      await producer.send("compacted", messages);
      await transactional.transaction(async (send) => {
        await send("compacted", [{ key: "t", value: `t${round}` }]);
        return round % 2 === 0 ? "abort" : "commit";
      });
      await systemClock.sleep(150);
    }
    await producer.send("compacted", [{ key: "last", value: "last" }]);
    let messages: Message[] = [];
    const deadlineMs = Date.now() + 60_000;
    do {
      await systemClock.sleep(500);
      // A segment is closed by the next record: without one there is nothing to compact.
      await producer.send("compacted", [{ key: "last", value: "last" }]);
      messages = await readAll(["compacted"]);
    } while (messages.length > 30 && Date.now() < deadlineMs);
    expect(messages.length).toBeLessThanOrEqual(30);
    const latest = new Map(messages.map(({ key, value }) => [key, value]));
    expect(latest.size).toBe(12);
    for (let i = 0; i < 10; i++) expect(latest.get(`k${i}`)).toBe(`5-${10 + i}`);
    expect(latest.get("t")).toBe("t5");
    const offsets = messages.map(({ offset }) => Number(offset));
    expect(offsets).toEqual(offsets.toSorted((x, y) => x - y));
    // From inside a hole too; the cleaner may have gone on meanwhile.
    const { source, messages: fromHole } = open(["compacted"]);
    await source.open();
    await read(source, new Map([["compacted/0", "3"]]));
    expect(new Map(fromHole.map(({ key, value }) => [key, value]))).toEqual(latest);
    await source.close();
  });

  test("a broker that is killed and comes back, and partitions that are added meanwhile", async () => {
    await createTopic(kafka.brokers, "outage", { partitions: 2 });
    const sent = new Set<string>();
    const send = async (partitions: readonly number[], round: number): Promise<void> => {
      await using producer = await openProducer(kafka.brokers);
      const batch = partitions.flatMap((partition) =>
        [0, 1, 2].map((i) => ({ partition, value: `${partition}:${round}:${i}` })),
      );
      await producer.send("outage", batch);
      for (const { value } of batch) sent.add(value);
    };
    await send([0, 1], 0);
    const { source, messages, lines } = open(["outage"]);
    await source.open();
    let restarted = false;
    let restarting = Promise.resolve();
    await read(source, await source.startPosition(), (position) => {
      if (!restarted && messages.length >= 6) {
        restarted = true;
        restarting = (async () => {
          await kafka.kill();
          await systemClock.sleep(1_000);
          await kafka.restart();
          await withAdmin(kafka.brokers, (admin) =>
            admin.createPartitions({ topicPartitions: [{ topic: "outage", count: 3 }] }),
          );
          for (let tries = 0; ; tries++) {
            try {
              await send([0, 1, 2], 1);
              break;
            } catch (error) {
              if (tries > 20) throw error;
              await systemClock.sleep(500);
            }
          }
        })();
      }
      return position.size === 3 && new Set(values(messages)).size === 15;
    });
    await restarting;
    expect(new Set(values(messages))).toEqual(sent);
    // A producer that lost an answer may send twice; the reader gives each offset once, in order.
    for (const split of ["outage/0", "outage/1", "outage/2"]) {
      const offsets = messages.filter((message) => message.split === split).map(({ offset }) => offset);
      expect(offsets).toEqual(offsets.map((_, i) => BigInt(i)));
    }
    expect(lines.some((line) => line.startsWith("warn Kafka topic partitions cannot be read"))).toBe(true);
    expect(lines.some((line) => line.startsWith("info Kafka topic partitions can be read again"))).toBe(true);
    expect(lines.some((line) => line.startsWith("info Reading a new topic partition"))).toBe(true);
    await source.close();
  });

  test("offsets that are no longer held", async () => {
    await createTopic(kafka.brokers, "retained");
    await using producer = await openProducer(kafka.brokers);
    await producer.send(
      "retained",
      Array.from({ length: 10 }, (_, i) => ({ value: `${i}` })),
    );
    await withAdmin(kafka.brokers, async (admin) => {
      // kafkajs deletes only in topics that it has asked about.
      await admin.fetchTopicOffsets("retained");
      await admin.deleteTopicRecords({ topic: "retained", partitions: [{ partition: 0, offset: "6" }] });
    });
    const stopping = open(["retained"]);
    await stopping.source.open();
    await expect(read(stopping.source, new Map([["retained/0", "2"]]))).rejects.toMatchObject({
      kind: "data",
      code: "LOST_OFFSETS",
      message: expect.stringContaining("retained/0: expected to read on at offset 2, the broker holds 6 up to 10"),
    });
    await stopping.source.close();
    const jumping = open(["retained"], { onLostOffsets: "earliest" });
    await jumping.source.open();
    await read(jumping.source, new Map([["retained/0", "2"]]));
    expect(values(jumping.messages)).toEqual(["6", "7", "8", "9"]);
    await jumping.source.close();
  });

  test("topics made anew, told by their ids: between two readings, and meanwhile", async () => {
    const make = async (from: number): Promise<void> => {
      await createTopic(kafka.brokers, "again");
      await using producer = await openProducer(kafka.brokers);
      for (let i = from; i < from + 20; i++) await producer.send("again", [{ value: `${i}` }]);
    };
    const drop = async (): Promise<void> => {
      await withAdmin(kafka.brokers, (admin) => admin.deleteTopics({ topics: ["again"] }));
      await systemClock.sleep(1_000);
    };
    await make(0);
    const first = open(["again"]);
    await first.source.open();
    const position = await read(first.source, new Map([["again/0", "0"]]));
    const ids = first.source.streamIds?.() ?? new Map();
    // As Kafka's tools print them: 16 bytes in base64.
    expect(ids.get("again")).toEqual({ id: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/), generation: 1 });
    await first.source.close();
    expect(position).toEqual(new Map([["again/0", "20"]]));

    await drop();
    await make(20);
    const stopping = open(["again"]);
    await stopping.source.open();
    stopping.source.recall?.(ids);
    await expect(read(stopping.source, position, () => false)).rejects.toMatchObject({
      code: "LOST_OFFSETS",
      message: expect.stringContaining(`the id ${ids.get("again")?.id} was read`),
    });
    await stopping.source.close();

    const going = open(["again"], { onLostOffsets: "earliest" });
    await going.source.open();
    going.source.recall?.(ids);
    let dropped = false;
    let making = Promise.resolve();
    const reached = await read(going.source, position, (now) => {
      if (!dropped && now.get("again/0") === "20@2") {
        dropped = true;
        making = drop().then(() => make(40));
      }
      return now.get("again/0") === "20@3";
    });
    await making;
    expect(values(going.messages)).toEqual(Array.from({ length: 40 }, (_, i) => `${20 + i}`));
    expect(going.source.streamIds?.().get("again")?.generation).toBe(3);
    expect(reached).toEqual(new Map([["again/0", "20@3"]]));
    await going.source.close();
  });

  test("start by time, at the end, and the group's offsets", async () => {
    await createTopic(kafka.brokers, "starts", { config: { "retention.ms": "-1" } });
    await using producer = await openProducer(kafka.brokers);
    const at = [1_000, 2_000, 3_000].map((ms) => ({ value: String(ms), timestamp: String(1_700_000_000_000 + ms) }));
    for (const message of at) await producer.send("starts", [message]);
    const startOf = async (start: KafkaSettings["start"]): Promise<string | undefined> => {
      const { source } = open(["/start.?/"], { start });
      await source.open();
      const position = await source.startPosition();
      await source.close();
      return position.get("starts/0");
    };
    expect(await startOf("earliest")).toBe("0");
    expect(await startOf("latest")).toBe("3");
    expect(await startOf({ atMs: 1_700_000_001_500 })).toBe("1");
    expect(await startOf({ atMs: 1_700_000_003_001 })).toBe("3");
    const { source } = open(["starts"]);
    await source.open();
    await source.acknowledge(new Map([["starts/0", "2"]]));
    await source.acknowledge(new Map([["starts/0", "3"]]));
    await source.close();
    const [offsets] = await withAdmin(kafka.brokers, (admin) =>
      admin.fetchOffsets({ groupId: "pipe", topics: ["starts"] }),
    );
    expect(offsets?.partitions).toMatchObject([{ partition: 0, offset: "3" }]);
  });

  test("a topic that vanishes while it is read: an error, after a while in which it may come back", async () => {
    await createTopic(kafka.brokers, "vanishing");
    await using producer = await openProducer(kafka.brokers);
    await producer.send("vanishing", [{ value: "v" }]);
    const { source, messages, lines } = open(["vanishing"], {}, 2_000);
    await source.open();
    const drop = async (): Promise<void> => {
      for await (const { ends } of source.read(new Map([["vanishing/0", "0"]]), AbortSignal.timeout(60_000))) {
        if (ends.size > 0) await withAdmin(kafka.brokers, (admin) => admin.deleteTopics({ topics: ["vanishing"] }));
      }
    };
    await expect(drop()).rejects.toMatchObject({
      kind: "data",
      code: "TOPIC_GONE",
      message: expect.stringContaining("vanishing/0"),
    });
    expect(values(messages)).toEqual(["v"]);
    expect(lines.join("\n")).toMatch(/cannot be read, trying again/);
    await source.close();
  });

  test("TLS and SASL, and what a wrong one says", async () => {
    const security = kafka.security;
    if (security === null) throw new Error("expected a broker with secure listeners");
    await createTopic(kafka.brokers, "secret");
    await using producer = await openProducer(kafka.brokers);
    await producer.send("secret", [{ value: "s" }]);
    const { username, password, caPem } = security;
    const login = (mechanism: "plain" | "scram-sha-256" | "scram-sha-512"): Partial<KafkaSettings> => ({
      sasl: { mechanism, username, password },
    });
    const tls = { tls: { ca: caPem } };
    const ways: Partial<KafkaSettings>[] = [
      { brokers: [security.ssl], ...tls },
      { brokers: [security.saslPlaintext], ...login("plain") },
      { brokers: [security.saslPlaintext], ...login("scram-sha-256") },
      { brokers: [security.saslSsl], ...login("scram-sha-512"), ...tls },
    ];
    for (const way of ways) expect(values(await readAll(["secret"], way))).toEqual(["s"]);
    const untrusting = open(["secret"], { brokers: [security.ssl], tls: {} }).source;
    await expect(untrusting.open()).rejects.toMatchObject({ kind: "config", code: "KAFKA_TLS" });
    for (const mechanism of ["plain", "scram-sha-256"] as const) {
      const sasl = { mechanism, username, password: "wrong" };
      const refused = open(["secret"], { brokers: [security.saslPlaintext], sasl }).source;
      await expect(refused.open()).rejects.toMatchObject({ kind: "permission", code: "KAFKA_REFUSED" });
      await refused.close();
    }
    await untrusting.close();
    await expect(open(["secrets"]).source.open()).rejects.toMatchObject({
      message: "no such topic: secrets (did you mean secret?)",
    });
  });

  test("kafkajs's timers raise no warning", () => expect(warnings.join("\n")).not.toMatch(/Timeout/));
});
