import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel, type SASLOptions } from "kafkajs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireServers, withReason } from "../../require.ts";
import { type RunningKafka, startKafka } from "../../services/kafka.ts";
import { createTopic, withAdmin } from "../../services/kafka-admin.ts";
import { produceWithJava } from "../../services/kafka-console-producer.ts";
import { openProducer } from "../../services/kafka-producer.ts";

const missing = await requireServers("kafka");

describe.skipIf(missing !== null)(withReason("the Kafka server of the tests", missing), () => {
  let kafka: RunningKafka;
  beforeAll(async () => {
    kafka = await startKafka({ secure: true });
  });
  afterAll(() => kafka.stop());

  const endOffsets = (topic: string) =>
    withAdmin(kafka.brokers, async (admin) => (await admin.fetchTopicOffsets(topic)).map(({ high }) => Number(high)));

  it("keeps acknowledged records over a kill, on the same port", async () => {
    await createTopic(kafka.brokers, "kept", { partitions: 3 });
    await using producer = await openProducer(kafka.brokers);
    await producer.send("kept", [
      { partition: 0, key: "a", value: "1" },
      { partition: 2, key: "b", value: "2" },
      { partition: 2, key: "b", value: null },
    ]);
    const { pid, address } = kafka;
    await kafka.kill();
    expect(kafka.pid).toBeNull();
    await kafka.restart();
    expect(kafka.pid).not.toBe(pid);
    expect(kafka.address).toBe(address);
    expect((await endOffsets("kept")).toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
  });

  it("accepts every codec, from kafkajs and from Java's client", async () => {
    await createTopic(kafka.brokers, "codecs");
    for (const compression of ["none", "gzip", "zstd"] as const) {
      await using producer = await openProducer(kafka.brokers, { compression });
      await producer.send("codecs", [{ key: compression, value: "x".repeat(1000) }]);
    }
    for (const compression of ["snappy", "lz4"] as const) {
      await produceWithJava(kafka.brokers, "codecs", compression, [{ key: compression, value: "y".repeat(1000) }]);
    }
    expect(await endOffsets("codecs")).toEqual([5]);
  });

  it("commits and aborts transactions", async () => {
    await createTopic(kafka.brokers, "transactions");
    await using producer = await openProducer(kafka.brokers, { transactionalId: "shop" });
    for (const outcome of ["commit", "abort"] as const) {
      await producer.transaction(async (send) => {
        await send("transactions", [{ key: outcome, value: outcome }]);
        return outcome;
      });
    }
    await expect(
      producer.transaction(async () => {
        throw new Error("a failing writer");
      }),
    ).rejects.toThrow("a failing writer");
    // Two records and a control record after each: the third transaction wrote nothing.
    await expect.poll(() => endOffsets("transactions")).toEqual([4]);
  });

  it("listens with SASL, TLS, and both, and refuses a wrong password", async () => {
    const { security } = kafka;
    if (security === null) throw new Error("expected secure listeners");
    const { username, password } = security;
    const ssl = { ca: [security.caPem] };
    const brokersAt = async (settings: Partial<ConstructorParameters<typeof Kafka>[0]> & { brokers: string[] }) => {
      const admin = new Kafka({ ...settings, logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin();
      try {
        await admin.connect();
        return (await admin.describeCluster()).brokers.length;
      } finally {
        await admin.disconnect();
      }
    };
    // A new object for each client: kafkajs keeps its authenticator on the one it is given.
    const sasl = (mechanism: "plain" | "scram-sha-256" | "scram-sha-512", credential = password) =>
      ({ mechanism, username, password: credential }) as SASLOptions;
    expect(await brokersAt({ brokers: [security.saslPlaintext], sasl: sasl("plain") })).toBe(1);
    expect(await brokersAt({ brokers: [security.saslPlaintext], sasl: sasl("scram-sha-512") })).toBe(1);
    expect(await brokersAt({ brokers: [security.ssl], ssl })).toBe(1);
    expect(await brokersAt({ brokers: [security.saslSsl], ssl, sasl: sasl("scram-sha-256") })).toBe(1);
    for (const mechanism of ["plain", "scram-sha-256"] as const) {
      const wrong = sasl(mechanism, "wrong");
      await expect(brokersAt({ brokers: [security.saslPlaintext], sasl: wrong })).rejects.toThrow(
        "Authentication failed",
      );
    }
    await expect(brokersAt({ brokers: [security.ssl], ssl: true })).rejects.toThrow("self-signed");
  });

  it("goes silent while suspended, and answers on the same connection when resumed", async () => {
    const [host = "", port = ""] = kafka.address.split(":");
    kafka.suspend();
    // The kernel still accepts the connection: not the same as a server that is down.
    const socket = connect(Number(port), host);
    try {
      await once(socket, "connect");
      const answer = once(socket, "data");
      // Length, ApiVersions (18) version 0, correlation id 7, no client id.
      socket.write(Buffer.from("0000000a0012000000000007ffff", "hex"));
      expect(await Promise.race([answer, sleep(300, "silent")])).toBe("silent");
      kafka.resume();
      const [bytes] = (await answer) as [Buffer];
      expect(bytes.readInt32BE(4)).toBe(7);
    } finally {
      kafka.resume();
      socket.destroy();
    }
  });
});
