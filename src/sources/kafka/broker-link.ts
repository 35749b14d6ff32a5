import type { Address } from "./address.ts";
import type { Log } from "../../core/runtime.ts";
import { KAFKA_CONNECT_TIMEOUT_MS, KAFKA_REQUEST_TIMEOUT_MS } from "../../core/limits.ts";
import { brokerError } from "./broker-error.ts";
import {
  Broker,
  ConnectionPool,
  type KafkajsBroker,
  type KafkajsLogger,
  type RequestDefinition,
  socketFactory,
  type WireCall,
} from "./kafkajs.ts";

/** What all connections of a cluster have in common. */
export interface LinkSettings {
  readonly clientId: string;
  /** Node's TLS options, or null for plain text. */
  readonly tls: object | null;
  readonly sasl: object | null;
  readonly log: Log;
}

/** A request to send: kafkajs's number and definition of it, and its arguments. */
export interface LinkRequest {
  readonly apiKey: number;
  readonly definition: RequestDefinition<never>;
  readonly args: object;
}

/**
 * The connections to one broker: one for fetches, one for all else. Requests of one connection go one after the other, because
 * kafkajs opens a second socket when two of them find the connection closed. After any failure but a broker's own answer both
 * connections are given up, so that the next request starts from a clean state.
 */
export class BrokerLink {
  readonly address: Address;
  readonly #settings: LinkSettings;
  #broker: KafkajsBroker | null = null;
  #closed = false;
  readonly #tails = { control: Promise.resolve(), fetch: Promise.resolve() };

  constructor(address: Address, settings: LinkSettings) {
    this.address = address;
    this.#settings = settings;
  }

  /** @throws FrazilError as `KafkaLog` says. */
  request<T>(request: LinkRequest, answer: (call: WireCall<T>) => WireCall<T>["response"]): Promise<T> {
    return this.#inTurn("control", async () => {
      const broker = await this.#connected();
      const call = lookUp<T>(broker, request);
      return broker.connectionPool.send({ request: call.request, response: answer(call), logResponseError: false });
    });
  }

  /** As `request`, on the connection for fetches; the broker may hold the answer back for `waitMs`. */
  fetch<T>(request: LinkRequest, waitMs: number, answer: (call: WireCall<T>) => WireCall<T>["response"]): Promise<T> {
    return this.#inTurn("fetch", async () => {
      const broker = await this.#inTurn("control", () => this.#connected());
      const call = lookUp<T>(broker, request);
      const requestTimeout = KAFKA_REQUEST_TIMEOUT_MS + waitMs;
      return broker.connectionPool.send({ ...call, response: answer(call), requestTimeout, logResponseError: false });
    });
  }

  /** Ends the connections for good; requests under way fail. */
  close(): void {
    this.#closed = true;
    this.#giveUp(new Error("the source was closed"));
  }

  #inTurn<T>(connection: "control" | "fetch", run: () => Promise<T>): Promise<T> {
    const result = this.#tails[connection].then(run).catch((error: unknown) => {
      // An answer that says no came over a sound connection: giving it up would fail the fetch that waits beside it.
      if (!isAnswer(error)) this.#giveUp(error);
      throw brokerError(error, this.address, this.#settings.tls !== null);
    });
    this.#tails[connection] = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #connected(): Promise<KafkajsBroker> {
    if (this.#closed) throw new Error("the source was closed");
    this.#broker ??= openBroker(this.address, this.#settings);
    await this.#broker.connect();
    return this.#broker;
  }

  #giveUp(reason: unknown): void {
    const pool = this.#broker?.connectionPool;
    this.#broker = null;
    if (pool === undefined) return;
    // kafkajs waits for pending requests before it ends a socket: fail them first.
    const error = reason instanceof Error ? reason : new Error(String(reason));
    for (const connection of pool.pool) connection.rejectRequests(error);
    pool.destroy().catch((cause: unknown) => this.#settings.log.debug("Kafka connection did not end well", { cause }));
  }
}

function lookUp<T>(broker: KafkajsBroker, { apiKey, definition, args }: LinkRequest): WireCall<T> {
  return broker.lookupRequest(apiKey, definition as RequestDefinition<object, T>)(args);
}

/** Whether the broker has answered, with an error code. */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && error.name === "KafkaJSProtocolError";
}

function openBroker(address: Address, settings: LinkSettings): KafkajsBroker {
  const logger = kafkajsLogger(settings.log);
  const connectionPool = new ConnectionPool({
    ...address,
    ssl: settings.tls,
    // kafkajs keeps its authenticator in this object.
    sasl: settings.sasl === null ? null : { ...settings.sasl },
    clientId: settings.clientId,
    connectionTimeout: KAFKA_CONNECT_TIMEOUT_MS,
    requestTimeout: KAFKA_REQUEST_TIMEOUT_MS,
    enforceRequestTimeout: true,
    logger,
    socketFactory,
  });
  return new Broker({ connectionPool, logger, allowAutoTopicCreation: false });
}

/** kafkajs reports at length what we report ourselves: its lines are for debugging only, and its own debug lines are dropped. */
function kafkajsLogger(log: Log): KafkajsLogger {
  const line = (message: string, fields?: Record<string, unknown>): void => log.debug(`kafkajs: ${message}`, fields);
  const logger: KafkajsLogger = {
    debug: () => undefined,
    info: line,
    warn: line,
    error: line,
    namespace: () => logger,
  };
  return logger;
}
