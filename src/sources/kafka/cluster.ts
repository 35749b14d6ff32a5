import { FrazilError, must } from "../../core/errors.ts";
import { answerError } from "./broker-error.ts";
import type { Address } from "./address.ts";
import { BrokerLink, type LinkSettings } from "./broker-link.ts";
import { decodeFetchAnswer, type FetchAnswer } from "./fetch.ts";
import { apiKeys, errorName, requests } from "./kafkajs.ts";
import { type MetadataAnswer, metadataRequest } from "./metadata.ts";
import type {
  FetchBounds,
  FetchedPartition,
  FetchPosition,
  KafkaLog,
  OffsetAnswer,
  OffsetQuery,
  TopicDescription,
  TopicPartition,
} from "./log.ts";

const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;

/** ListOffsets' numbers for the ends of a log; other numbers are times. */
const EARLIEST = "-2";
const LATEST = "-1";

interface OffsetsAnswer {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly offset?: string;
    }[];
  }[];
}

interface CoordinatorAnswer {
  readonly coordinator: { readonly nodeId: number } & Address;
}

/** A Kafka cluster over kafkajs's broker layer, which connects, secures, authenticates and encodes. */
export class KafkajsLog implements KafkaLog {
  readonly #settings: LinkSettings;
  readonly #seeds: readonly BrokerLink[];
  readonly #brokers = new Map<number, BrokerLink>();
  #closed = false;

  /** `seeds` are the brokers named by the job, at least one. */
  constructor(seeds: readonly Address[], settings: LinkSettings) {
    this.#settings = settings;
    this.#seeds = seeds.map((address) => new BrokerLink(address, settings));
  }

  async describe(topics: readonly string[] | null): Promise<readonly TopicDescription[]> {
    if (topics?.length === 0) return [];
    const answer = await this.#ofAny((link) =>
      link.request<MetadataAnswer>(
        { apiKey: apiKeys.Metadata, definition: metadataRequest, args: { topics } },
        // kafkajs's own parse throws for all topics when one partition of one of them has no leader.
        ({ response }) => ({ decode: response.decode, parse: asDecoded }),
      ),
    );
    this.#learn(answer.brokers);
    return answer.topicMetadata.map((topic) => ({
      topic: topic.topic,
      id: topic.topicId ?? null,
      error: errorName(topic.topicErrorCode),
      internal: topic.isInternal ?? false,
      partitions: topic.partitionMetadata.map(({ partitionId, leader }) => ({
        partition: partitionId,
        leader: this.#brokers.has(leader) ? leader : null,
      })),
    }));
  }

  async offsets(
    broker: number,
    partitions: readonly TopicPartition[],
    query: OffsetQuery,
  ): Promise<readonly OffsetAnswer[]> {
    const timestamp = typeof query === "object" ? String(query.atMs) : query === "earliest" ? EARLIEST : LATEST;
    const answer = await this.#link(broker).request<OffsetsAnswer>(
      {
        apiKey: apiKeys.ListOffsets,
        definition: requests.ListOffsets,
        args: {
          isolationLevel: query === "end" ? READ_UNCOMMITTED : READ_COMMITTED,
          topics: byTopic(partitions, ({ partition }) => ({ partition, timestamp })),
        },
      },
      ({ response }) => ({ decode: response.decode, parse: asDecoded }),
    );
    return answer.responses.flatMap(({ topic, partitions: answers }) =>
      answers.map(({ partition, errorCode, offset }) => {
        const known = errorCode === 0 && offset !== undefined && offset !== "-1";
        return { topic, partition, error: errorName(errorCode), offset: known ? BigInt(offset) : null };
      }),
    );
  }

  async fetch(
    broker: number,
    positions: readonly FetchPosition[],
    bounds: FetchBounds,
  ): Promise<readonly FetchedPartition[]> {
    const answer = await this.#link(broker).fetch<FetchAnswer>(
      {
        apiKey: apiKeys.Fetch,
        definition: requests.Fetch,
        args: {
          isolationLevel: READ_COMMITTED,
          maxWaitTime: bounds.maxWaitMs,
          minBytes: 1,
          maxBytes: bounds.maxBytes,
          topics: byTopic(positions, ({ partition, offset }) => ({
            partition,
            fetchOffset: offset.toString(),
            maxBytes: bounds.maxPartitionBytes,
          })),
        },
      },
      bounds.maxWaitMs,
      ({ request }) => ({
        decode: async (payload) => decodeFetchAnswer(payload, request.apiVersion),
        parse: asDecoded,
      }),
    );
    const error = errorName(answer.errorCode);
    if (error !== null) throw answerError(error, `a fetch from broker ${broker}`);
    return answer.partitions.map(({ errorCode, ...partition }) => ({ ...partition, error: errorName(errorCode) }));
  }

  async commitOffsets(group: string, positions: readonly FetchPosition[]): Promise<void> {
    const { coordinator } = await this.#ofAny((link) =>
      link.request<CoordinatorAnswer>(
        {
          apiKey: apiKeys.GroupCoordinator,
          definition: requests.GroupCoordinator,
          args: { groupId: group, coordinatorType: 0 },
        },
        ({ response }) => response,
      ),
    );
    if (!this.#brokers.has(coordinator.nodeId)) this.#learn([coordinator], false);
    await this.#link(coordinator.nodeId).request(
      {
        apiKey: apiKeys.OffsetCommit,
        definition: requests.OffsetCommit,
        args: {
          groupId: group,
          // Not a member of a generation: taken while the group has no members, as with kafka-consumer-groups.sh.
          groupGenerationId: -1,
          memberId: "",
          topics: byTopic(positions, ({ partition, offset }) => ({
            partition,
            offset: offset.toString(),
            metadata: "",
          })),
        },
      },
      ({ response }) => response,
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const link of [...this.#seeds, ...this.#brokers.values()]) link.close();
  }

  /** Brokers as the cluster tells them now; one that moved or went away is dropped. */
  #learn(brokers: MetadataAnswer["brokers"], all = true): void {
    const told = new Map(brokers.map((broker) => [broker.nodeId, broker]));
    for (const [id, link] of this.#brokers) {
      const now = told.get(id);
      const gone = now === undefined ? all : now.host !== link.address.host || now.port !== link.address.port;
      if (!gone) continue;
      link.close();
      this.#brokers.delete(id);
    }
    for (const [id, { host, port }] of told) {
      if (!this.#brokers.has(id)) this.#brokers.set(id, new BrokerLink({ host, port }, this.#settings));
    }
  }

  /** The first answer of any broker, those the cluster told us of before those the job names. */
  async #ofAny<T>(ask: (link: BrokerLink) => Promise<T>): Promise<T> {
    const failures: FrazilError[] = [];
    for (const link of [...this.#brokers.values(), ...this.#seeds]) {
      if (this.#closed) break;
      try {
        return await ask(link);
      } catch (error) {
        if (!(error instanceof FrazilError) || error.kind !== "unavailable") throw error;
        failures.push(error);
      }
    }
    const reasons = [...new Set(failures.map((failure) => failure.message))];
    throw new FrazilError("unavailable", "KAFKA_UNAVAILABLE", reasons.join("; ") || "the source was closed", {
      hint: failures[0]?.hint,
      cause: failures[0],
    });
  }

  #link(broker: number): BrokerLink {
    const link = this.#brokers.get(broker);
    if (link !== undefined) return link;
    throw new FrazilError("unavailable", "KAFKA_UNAVAILABLE", `broker ${broker} left the cluster`);
  }
}

async function asDecoded<T>(decoded: T): Promise<T> {
  return decoded;
}

/** Entries for each topic, topics in the order of their first entry. */
function byTopic<P extends TopicPartition, E>(
  partitions: readonly P[],
  entry: (partition: P) => E,
): { topic: string; partitions: E[] }[] {
  const topics = new Map<string, E[]>();
  for (const partition of partitions) {
    if (!topics.has(partition.topic)) topics.set(partition.topic, []);
    must(topics.get(partition.topic), "just set").push(entry(partition));
  }
  return [...topics].map(([topic, entries]) => ({ topic, partitions: entries }));
}
