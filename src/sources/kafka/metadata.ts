import { FrazilError } from "../../core/errors.ts";
import { apiKeys, encodedBody, type RequestDefinition, requests, type WireCall } from "./kafkajs.ts";
import { WireCursor } from "./wire-cursor.ts";

/** What is asked for; null: all topics. */
export interface MetadataArgs {
  readonly topics: readonly string[] | null;
}

/** A metadata answer; `topicId` is null where the broker tells none. */
export interface MetadataAnswer {
  readonly clientSideThrottleTime?: number;
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number;
    readonly topic: string;
    readonly topicId?: string | null;
    readonly isInternal?: boolean;
    readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
  }[];
}

/** Topic ids (KIP-516, Kafka 2.8) came with version 10; of 13 we need nothing. */
const OLDEST_WITH_IDS = 10;
const NEWEST = 12;

/**
 * Metadata as kafkajs asks for it, which knows versions up to 6, and from version 10 on with topic ids: of the broker's newest version.
 */
export const metadataRequest: RequestDefinition<MetadataArgs, MetadataAnswer> = {
  versions: [...requests.Metadata.versions, OLDEST_WITH_IDS, 11, NEWEST],
  protocol({ version }) {
    if (version >= OLDEST_WITH_IDS) return ({ topics }) => withIds(version, topics);
    const newest = Math.max(...requests.Metadata.versions.map(Number));
    const theirs = requests.Metadata.protocol({ version: Math.min(version, newest) });
    // kafkajs writes an empty list as "all topics".
    return ({ topics }) =>
      theirs({ topics: topics ?? [], allowAutoTopicCreation: false }) as unknown as WireCall<MetadataAnswer>;
  },
};

function withIds(version: number, topics: readonly string[] | null): WireCall<MetadataAnswer> {
  return {
    request: {
      apiKey: apiKeys.Metadata,
      apiVersion: version,
      apiName: "Metadata",
      encode: async () => encodedBody(encodeMetadataRequest(version, topics)),
    },
    response: {
      decode: async (payload) => decodeMetadataAnswer(payload, version),
      parse: async (decoded) => decoded,
    },
  };
}

/** Tagged fields, none. */
const NO_TAGS = Buffer.of(0);
const NO_ID = Buffer.alloc(16);
const FALSE = 0;

/** The request's body. kafkajs writes a header that lacks the tagged fields of flexible versions: they come first. */
export function encodeMetadataRequest(version: number, topics: readonly string[] | null): Buffer {
  const named = (topics ?? []).flatMap((topic) => {
    const name = Buffer.from(topic);
    return [NO_ID, unsigned(name.length + 1), name, NO_TAGS];
  });
  return Buffer.concat([
    NO_TAGS,
    topics === null ? Buffer.of(0) : unsigned(topics.length + 1),
    ...named,
    // Whether to create topics, and (up to version 10) whether to tell what we may do with the cluster and with the topics.
    Buffer.of(FALSE, ...(version <= 10 ? [FALSE] : []), FALSE),
    NO_TAGS,
  ]);
}

/** @throws FrazilError `unavailable` for an answer that ends early. */
export function decodeMetadataAnswer(payload: Buffer, version: number): MetadataAnswer {
  try {
    return decode(new WireCursor(payload), version);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const message = `a metadata answer of ${payload.length} bytes ends early`;
    throw new FrazilError("unavailable", "KAFKA_ANSWER", message, { cause });
  }
}

function decode(cursor: WireCursor, version: number): MetadataAnswer {
  cursor.skipTags(); // of the answer's header
  const clientSideThrottleTime = cursor.int32();
  const brokers = cursor.compactArray(() => {
    const broker = { nodeId: cursor.int32(), host: cursor.compactString() ?? "", port: cursor.int32() };
    cursor.compactString(); // its rack
    cursor.skipTags();
    return broker;
  });
  cursor.compactString(); // the cluster's id
  cursor.int32(); // its controller
  const topicMetadata = cursor.compactArray(() => decodeTopic(cursor));
  if (version <= 10) cursor.int32(); // what we may do with the cluster
  cursor.skipTags();
  return { clientSideThrottleTime, brokers, topicMetadata };
}

function decodeTopic(cursor: WireCursor): MetadataAnswer["topicMetadata"][number] {
  const topicErrorCode = cursor.int16();
  const topic = cursor.compactString() ?? "";
  const id = cursor.uuid();
  const isInternal = cursor.boolean();
  const partitionMetadata = cursor.compactArray(() => {
    cursor.int16(); // what is wrong with it: that it has no leader shows
    const partition = { partitionId: cursor.int32(), leader: cursor.int32() };
    cursor.int32(); // the leader's epoch
    for (let lists = 0; lists < 3; lists++) cursor.compactArray(() => cursor.int32()); // replicas: all, in sync, offline
    cursor.skipTags();
    return partition;
  });
  cursor.int32(); // what we may do with the topic
  cursor.skipTags();
  // As Kafka's own tools print it. Topics of clusters that were never told to use ids have none.
  const topicId = id.equals(NO_ID) ? null : id.toString("base64url");
  return { topicErrorCode, topic, topicId, isInternal, partitionMetadata };
}

function unsigned(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return Buffer.of(...bytes, left);
}
