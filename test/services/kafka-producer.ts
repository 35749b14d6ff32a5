import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import kafkajs, { type Message, Partitioners, type Producer, type Transaction } from "kafkajs";
import { kafkaClient } from "./kafka-admin.ts";

/** The codecs kafkajs can write here. For snappy and lz4, and a second opinion on all, see `kafka-console-producer.ts`. */
export type ProducerCompression = "none" | "gzip" | "zstd";

const compressionTypes = { none: 0, gzip: 1, zstd: 4 } as const;

// kafkajs brings gzip only; Node itself has zstd.
kafkajs.CompressionCodecs[compressionTypes.zstd] = () => ({
  compress: async (encoder: { buffer: Buffer }) => zstdCompressSync(encoder.buffer),
  decompress: async (bytes: Buffer) => zstdDecompressSync(bytes),
});

export type ProducerOptions = {
  readonly compression?: ProducerCompression;
  /** Makes the producer transactional. Two producers with one id fence each other. */
  readonly transactionalId?: string;
};

/** Sends records; without a partition the key decides it as in Java's client. */
export type SendRecords = (topic: string, messages: readonly Message[]) => Promise<void>;

export interface TestProducer extends AsyncDisposable {
  /** Resolves when the broker has acknowledged the records. */
  readonly send: SendRecords;
  /** Runs `work` inside a transaction and then commits it, or aborts it when `work` returns "abort" or throws. */
  transaction(work: (send: SendRecords) => Promise<"commit" | "abort">): Promise<void>;
  /** Begins a transaction that its caller ends: for transactions that overlap or stay open. */
  begin(): Promise<{ send: SendRecords; commit(): Promise<void>; abort(): Promise<void> }>;
}

/** Connects a producer that waits for every acknowledgement. */
export async function openProducer(brokers: readonly string[], options: ProducerOptions = {}): Promise<TestProducer> {
  const { transactionalId } = options;
  const producer = kafkaClient(brokers).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    // kafkajs sends all of a request again when one of its topic partitions has no leader yet, as those of a new topic may not.
    idempotent: true,
    maxInFlightRequests: 1,
    ...(transactionalId === undefined ? {} : { transactionalId }),
  });
  await producer.connect();
  const compression = compressionTypes[options.compression ?? "none"];
  const sendWith =
    (sender: Producer | Transaction): SendRecords =>
    async (topic, messages) => {
      await sender.send({ topic, messages: [...messages], compression, acks: -1 });
    };
  const begin = async () => {
    const transaction = await producer.transaction();
    return {
      send: sendWith(transaction),
      commit: () => transaction.commit(),
      abort: () => transaction.abort(),
    };
  };
  return {
    send: sendWith(producer),
    begin,
    async transaction(work) {
      const { send, commit, abort } = await begin();
      let outcome: "commit" | "abort" = "abort";
      try {
        outcome = await work(send);
      } finally {
        await (outcome === "commit" ? commit() : abort());
      }
    },
    [Symbol.asyncDispose]: () => producer.disconnect(),
  };
}
