import { setTimeout as sleep } from "node:timers/promises";
import { type Admin, type ITopicConfig, Kafka, logLevel } from "kafkajs";
import { mendTimers } from "../../src/sources/kafka/kafkajs-timers.ts";

mendTimers();

/** A kafkajs client that fails at once instead of retrying for long, and prints nothing. */
export function kafkaClient(brokers: readonly string[]): Kafka {
  return new Kafka({
    clientId: "frazil-test",
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2_000,
    requestTimeout: 30_000,
    retry: { retries: 5, initialRetryTime: 100 },
  });
}

/** Connects an admin client for the time of `use`. */
export async function withAdmin<T>(brokers: readonly string[], use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafkaClient(brokers).admin({ retry: { retries: 0 } });
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

const leadersTimeoutMs = 10_000;

/** Creates a topic and waits until its partitions have leaders. `config` are topic settings such as `cleanup.policy`. */
export async function createTopic(
  brokers: readonly string[],
  topic: string,
  options: { readonly partitions?: number; readonly config?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const configEntries = Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value }));
  const request: ITopicConfig = { topic, numPartitions: options.partitions ?? 1, replicationFactor: 1, configEntries };
  const admin = kafkaClient(brokers).admin();
  await admin.connect();
  try {
    await admin.createTopics({ topics: [request], waitForLeaders: false });
    // kafkajs's own wait fails when the broker has not yet heard of the topic.
    const startMs = performance.now();
    for (;;) {
      try {
        await admin.fetchTopicMetadata({ topics: [topic] });
        return;
      } catch (error) {
        if (performance.now() - startMs > leadersTimeoutMs) throw error;
        await sleep(20);
      }
    }
  } finally {
    await admin.disconnect();
  }
}
