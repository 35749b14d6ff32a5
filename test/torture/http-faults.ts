import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { SeededRandom } from "./choice.ts";

/** A request as it came, with its whole body. */
interface Held {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** One way to spoil a request; `apply` sends it to the store. */
type Fault = (held: Held, response: ServerResponse, apply: () => Promise<Answer>) => Promise<void>;

/** How long after its client has given up a late request reaches the store: less than a signature's fifteen minutes. */
const LATE_MS = [500, 5_000, 60_000] as const;
/** Longer than the pauses between attempts, shorter than a client's patience with a request. */
const HANG_MS = 3_000;

const errorBody = (code: string): Buffer =>
  Buffer.from(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>made up</Message></Error>`);

function refuse(response: ServerResponse, status: number, code: string): void {
  const body = errorBody(code);
  response.writeHead(status, { "content-type": "application/xml", "content-length": body.length });
  response.end(body);
}

function answerWith(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, answer.headers);
  response.end(answer.body);
}

/** Faults of any request. */
const ANY: Readonly<Record<string, Fault>> = {
  "500 before": async (_held, response) => refuse(response, 500, "InternalError"),
  "503 before": async (_held, response) => refuse(response, 503, "SlowDown"),
  "request lost": async (_held, response) => void response.destroy(),
  async "no answer before"(_held, response) {
    await sleep(HANG_MS);
    response.destroy();
  },
};

/** Faults of requests that change something. */
const WRITES: Readonly<Record<string, Fault>> = {
  ...ANY,
  async "500 after"(_held, response, apply) {
    await apply();
    refuse(response, 500, "InternalError");
  },
  async "503 after"(_held, response, apply) {
    await apply();
    refuse(response, 503, "ServiceUnavailable");
  },
  async "answer lost"(_held, response, apply) {
    await apply();
    response.destroy();
  },
  async "no answer after"(_held, response, apply) {
    await apply();
    await sleep(HANG_MS);
    response.destroy();
  },
};

/** Faults of conditional writes: the answers that a race inside the store gives. */
const CONDITIONAL: Readonly<Record<string, Fault>> = {
  "409 before": async (_held, response) => refuse(response, 409, "ConditionalRequestConflict"),
  "412 before": async (_held, response) => refuse(response, 412, "PreconditionFailed"),
  async "412 after"(_held, response, apply) {
    await apply();
    refuse(response, 412, "PreconditionFailed");
  },
};

/** Faults of a multipart upload's end, which S3 may answer with 200 and an error in the body. */
const COMPLETIONS: Readonly<Record<string, Fault>> = {
  async "200 with an error"(_held, response) {
    const body = errorBody("InternalError");
    response.writeHead(200, { "content-type": "application/xml", "content-length": body.length });
    response.end(body);
  },
};

/** Faults of requests that read a body. */
const READS: Readonly<Record<string, Fault>> = {
  ...ANY,
  async "body cut"(_held, response, apply) {
    const answer = await apply();
    response.writeHead(answer.status, answer.headers);
    response.write(answer.body.subarray(0, answer.body.length >> 1), () => response.destroy());
  },
  async "byte changed"(_held, response, apply) {
    const answer = await apply();
    const middle = answer.body.length >> 1;
    if (answer.status < 300) answer.body.writeUInt8(answer.body.readUInt8(middle) ^ 0x10, middle);
    answerWith(response, answer);
  },
};

/** What stands between a job and its store. */
export interface HttpFaults extends AsyncDisposable {
  readonly endpoint: string;
  /** From now on this share of the requests is spoiled. */
  storm(share: number): void;
  /** How often each fault came. */
  readonly counts: ReadonlyMap<string, number>;
  /** Resolves when no late request is under way any more. */
  settled(): Promise<void>;
}

/**
 * A reverse proxy in front of `target` (`http://host:port`) that spoils requests. Requests stay as they are signed.
 *
 * @param latestMs no request is later than that
 */
export async function startHttpFaults(target: string, random: SeededRandom, latestMs: number): Promise<HttpFaults> {
  const upstream = new URL(target);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const counts = new Map<string, number>();
  const late = new Set<Promise<unknown>>();
  let share = 0;
  const counted = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1);

  const apply = (held: Held): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          agent,
          host: upstream.hostname,
          port: upstream.port,
          method: held.method,
          path: held.path,
          headers: held.headers,
        },
        (answer) =>
          void collect(answer).then((body) => {
            const headers = { ...answer.headers };
            delete headers["transfer-encoding"];
            delete headers.connection;
            if (held.method !== "HEAD") headers["content-length"] = String(body.length);
            resolve({ status: answer.statusCode ?? 502, headers, body });
          }, reject),
      );
      sent.once("error", reject);
      sent.end(held.body);
    });

  /** The client hears nothing, and what it asked happens later. */
  const later =
    (afterMs: number): Fault =>
    async (held, response) => {
      response.destroy();
      const waiting = sleep(afterMs).then(() => apply(held).catch(() => undefined));
      late.add(waiting);
      void waiting.finally(() => late.delete(waiting));
    };

  const lates = LATE_MS.filter((ms) => ms <= latestMs).map((ms) => [`${ms / 1000} s late`, later(ms)] as const);
  const writes = { ...WRITES, ...Object.fromEntries(lates) };

  function faultsFor({ method, path, headers }: Held): Readonly<Record<string, Fault>> {
    if (method === "HEAD") return ANY;
    if (method === "GET") return READS;
    if (method === "POST" && path.includes("uploadId=")) return { ...writes, ...COMPLETIONS };
    const conditional = headers["if-match"] !== undefined || headers["if-none-match"] !== undefined;
    return conditional ? { ...writes, ...CONDITIONAL } : writes;
  }

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "GET", url: path = "/", headers } = incoming;
    const held: Held = { method, path, headers, body: await collect(incoming) };
    if (random.below(10_000) < share * 10_000) {
      const [name, fault] = random.pick(Object.entries(faultsFor(held)));
      counted(name);
      await fault(held, response, () => apply(held));
      return;
    }
    answerWith(response, await apply(held));
  }

  const server = createServer((incoming, response) => {
    // A store that is down, or a client that went away meanwhile: both see their connection end.
    handle(incoming, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    storm: (to) => void (share = to),
    counts,
    async settled() {
      await Promise.all(late);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
