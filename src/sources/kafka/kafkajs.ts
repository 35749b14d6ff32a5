import { createRequire } from "node:module";
import { mendTimers } from "./kafkajs-timers.ts";

/**
 * kafkajs 2.2.4's inner layer, as far as we use it. The package is pinned, has no types for this layer and no `exports` map, so the
 * paths below are stable; nothing outside this folder may know of it.
 */
const require = createRequire(import.meta.url);

/** A request of one version. */
export interface WireRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  encode(): Promise<unknown>;
}

/** How an answer becomes a value: `decode` reads the bytes, `parse` judges them (kafkajs's own throws on the first error code). */
export interface WireResponse<T> {
  decode(payload: Buffer): Promise<T>;
  parse(decoded: T): Promise<T>;
}

/** A request with its answer's decoder. */
export interface WireCall<T> {
  readonly request: WireRequest;
  readonly response: WireResponse<T>;
}

/** A request in all versions. Given the newest one of the broker's that `versions` does not exceed, `protocol` makes calls. */
export interface RequestDefinition<A = object, T = unknown> {
  readonly versions: readonly (string | number)[];
  protocol(options: { readonly version: number }): (args: A) => WireCall<T>;
}

/** One socket. */
export interface KafkajsConnection {
  /** Fails all requests that wait for an answer. */
  rejectRequests(error: Error): void;
}

/** The sockets to one broker: fetches have their own, so that a long poll holds nothing up. */
export interface KafkajsConnectionPool {
  readonly pool: readonly KafkajsConnection[];
  send<T>(call: WireCall<T> & { readonly requestTimeout?: number; readonly logResponseError?: boolean }): Promise<T>;
  destroy(): Promise<void>;
}

/** What a connection needs; times in milliseconds. */
export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly ssl: object | null;
  readonly sasl: object | null;
  readonly clientId: string;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: true;
  readonly logger: KafkajsLogger;
  readonly socketFactory: unknown;
}

/** A broker: connects, authenticates, and knows which versions it speaks. */
export interface KafkajsBroker {
  readonly connectionPool: KafkajsConnectionPool;
  connect(): Promise<void>;
  /** The request in the newest version that both sides know. Only after `connect`. */
  lookupRequest<A, T>(apiKey: number, definition: RequestDefinition<A, T>): (args: A) => WireCall<T>;
}

type LogLine = (message: string, extra?: Record<string, unknown>) => void;

/** kafkajs's logger. */
export interface KafkajsLogger {
  readonly debug: LogLine;
  readonly info: LogLine;
  readonly warn: LogLine;
  readonly error: LogLine;
  namespace(name: string): KafkajsLogger;
}

export const ConnectionPool = require("kafkajs/src/network/connectionPool") as new (
  options: ConnectionOptions,
) => KafkajsConnectionPool;

export const Broker = require("kafkajs/src/broker") as new (options: {
  readonly connectionPool: KafkajsConnectionPool;
  readonly logger: KafkajsLogger;
  readonly allowAutoTopicCreation: false;
}) => KafkajsBroker;

/** Bytes that are to be sent. */
interface KafkajsEncoder {
  writeBufferInternal(bytes: Buffer): void;
}

const KafkajsEncoder = require("kafkajs/src/protocol/encoder") as new (size?: number) => KafkajsEncoder;

/** Bytes as kafkajs takes a request's body. */
export function encodedBody(bytes: Buffer): unknown {
  const encoder = new KafkajsEncoder(bytes.length);
  encoder.writeBufferInternal(bytes);
  return encoder;
}

export const socketFactory = (require("kafkajs/src/network/socketFactory") as () => unknown)();

export const { requests } = require("kafkajs/src/protocol/requests") as {
  readonly requests: Readonly<
    Record<"Metadata" | "ListOffsets" | "Fetch" | "GroupCoordinator" | "OffsetCommit", RequestDefinition>
  >;
};

export const apiKeys = require("kafkajs/src/protocol/requests/apiKeys") as Readonly<
  Record<keyof typeof requests, number>
>;

const { createErrorFromCode } = require("kafkajs/src/protocol/error") as {
  createErrorFromCode(code: number): { readonly type: string; readonly message: string };
};

/** Kafka's name for an error code, or null for 0; codes younger than kafkajs are named by their number. */
export function errorName(code: number): string | null {
  if (code === 0) return null;
  const { type } = createErrorFromCode(code);
  return type === "KAFKAJS_UNKNOWN_ERROR_CODE" ? `ERROR_${code}` : type;
}

mendTimers();
