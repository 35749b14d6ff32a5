import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock, Log, Random } from "../../../src/core/runtime.ts";
import type { S3Deps, S3Settings } from "../../../src/storage/s3.ts";

/** One request as the server saw it, body included. */
export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Answers a request, or leaves it unanswered. */
export type Answer = (response: ServerResponse, request: SeenRequest) => void;

export interface FakeS3 extends AsyncDisposable {
  readonly settings: S3Settings;
  readonly requests: SeenRequest[];
  /** Pauses that the storage asked for, in milliseconds. */
  readonly pausesMs: number[];
  readonly deps: S3Deps;
}

/** An HTTP server that answers by script: what no real store can be made to do on demand. `answer` is asked once a request. */
export async function startFakeS3(answer: (request: SeenRequest, index: number) => Answer): Promise<FakeS3> {
  const requests: SeenRequest[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const request = {
        method: incoming.method ?? "",
        url: incoming.url ?? "",
        headers: incoming.headers,
        body: Buffer.concat(chunks),
      };
      requests.push(request);
      answer(request, requests.length - 1)(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const pausesMs: number[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    async sleep(durationMs) {
      pausesMs.push(durationMs);
    },
  };
  const random: Random = { uint32: () => 0x8000_0000 };
  const silent = () => {};
  const log: Log = { debug: silent, info: silent, warn: silent, error: silent };
  return {
    settings: {
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: "us-east-1",
      accessKeyId: "key",
      secretAccessKey: "secret",
      // A machine that has other things to do answers late, too, and then what is asked again would count twice.
      requestTimeoutMs: 20_000,
    },
    requests,
    pausesMs,
    deps: { clock, random, log },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An answer with headers and an optional body. */
export function reply(status: number, headers: Record<string, string> = {}, body = ""): Answer {
  return (response, request) => {
    response.writeHead(status, { "content-length": String(Buffer.byteLength(body)), ...headers });
    response.end(request.method === "HEAD" ? "" : body);
  };
}

/** An error as S3 puts it. */
export function errorReply(status: number, code: string): Answer {
  return reply(status, { "content-type": "application/xml" }, errorBody(code));
}

export function errorBody(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code} it is</Message></Error>`;
}

/** The connection ends without an answer, after the request was taken. */
export const reset: Answer = (response) => void response.socket?.destroy();

/** No answer ever. */
export const silence: Answer = () => {};
