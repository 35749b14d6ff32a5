import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { contentTag } from "../../src/storage/content-tag.ts";

/** A promise of S3 that a store breaks, as real stores, proxies and emulators have. */
export type Lie =
  | "ignores If-None-Match"
  | "ignores If-Match"
  | "takes any tag"
  | "creates by If-Match"
  | "looks, then writes"
  | "reads late"
  | "reads what was before"
  | "lists late"
  | "cuts lists off"
  | "repeats pages"
  | "ignores ranges"
  | "shifts ranges"
  | "decodes names";

/** A store in memory that speaks S3 over HTTP, as far as a job asks: no uploads in parts, no signatures looked at. */
export interface LyingS3 extends AsyncDisposable {
  /** `warehouse.s3` of a job file. */
  readonly access: { endpoint: string; region: string; accessKeyId: string; secretAccessKey: string };
  /** Null: it tells the truth. */
  lie: Lie | null;
  /** `bucket/key` of what is there. */
  names(): string[];
  sizeBytes(name: string): number;
  /** Requests in their order, `GET bucket/key`; lists are `LIST bucket/prefix`. */
  readonly asked: string[];
}

interface Stored {
  readonly bytes: Buffer;
  readonly etag: string;
  readonly atMs: number;
  readonly before: Stored | null;
}

/** Longer than a probe takes, shorter than a test waits. */
const LATE_MS = 5_000;

interface Asked {
  readonly method: string;
  readonly name: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export async function startLyingS3(): Promise<LyingS3> {
  const objects = new Map<string, Stored>();
  const asked: string[] = [];
  const server = createServer((incoming, response) => {
    void collect(incoming).then((body) => {
      const { pathname, searchParams: query } = new URL(incoming.url ?? "/", "http://store");
      const { method = "GET", headers } = incoming;
      const name = decodeURIComponent(pathname.slice(1)).replace(/\/$/, "");
      const kind = query.has("list-type") ? "LIST" : method;
      asked.push(`${kind} ${name}${kind === "LIST" ? `/${query.get("prefix") ?? ""}` : ""}`);
      return answer(objects, store.lie, { method: kind, name, query, headers, body }, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const store: LyingS3 = {
    access: {
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      region: "us-east-1",
      accessKeyId: "key",
      secretAccessKey: "secret",
    },
    lie: null,
    names: () => [...objects.keys()].sort(),
    sizeBytes: (name) => objects.get(name)?.bytes.length ?? 0,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return store;
}

async function answer(
  objects: Map<string, Stored>,
  lie: Lie | null,
  asked: Asked,
  response: ServerResponse,
): Promise<void> {
  const { method, name } = asked;
  if (method === "PUT") return put(objects, lie, asked, response);
  if (method === "LIST") return list(objects, lie, asked, response);
  if (method === "DELETE") {
    objects.delete(name);
    return send(response, 204, {});
  }
  if (method !== "GET" && method !== "HEAD") return refuse(response, 501, "NotImplemented");
  const found = seen(objects.get(name), lie);
  if (found === null) return refuse(response, 404, "NoSuchKey");
  const headers = { etag: found.etag, "last-modified": new Date(found.atMs).toUTCString() };
  if (method === "HEAD") return send(response, 200, { ...headers, "content-length": String(found.bytes.length) });
  const range = lie === "ignores ranges" ? null : /^bytes=(\d+)-(\d+)$/.exec(asked.headers.range ?? "");
  if (range === null) return send(response, 200, headers, found.bytes);
  const [start, end] = [Number(range[1]), Number(range[2]) + 1];
  if (start >= found.bytes.length) return refuse(response, 416, "InvalidRange");
  const shift = lie === "shifts ranges" ? 1 : 0;
  return send(response, 206, headers, found.bytes.subarray(start + shift, end + shift));
}

/** What a reader is shown of an object. */
function seen(stored: Stored | undefined, lie: Lie | null): Stored | null {
  if (stored === undefined) return null;
  const isFresh = Date.now() - stored.atMs < LATE_MS;
  if (lie === "reads late" && isFresh) return null;
  if (lie === "reads what was before" && isFresh && stored.before !== null) return stored.before;
  return stored;
}

async function put(
  objects: Map<string, Stored>,
  lie: Lie | null,
  { name, headers, body }: Asked,
  response: ServerResponse,
): Promise<void> {
  const present = objects.get(name);
  const match = headers["if-match"];
  if (headers["if-none-match"] !== undefined && lie !== "ignores If-None-Match" && present !== undefined) {
    return refuse(response, 412, "PreconditionFailed");
  }
  if (match !== undefined && lie !== "ignores If-Match") {
    if (present === undefined && lie !== "creates by If-Match") return refuse(response, 404, "NoSuchKey");
    if (present !== undefined && present.etag !== match && lie !== "takes any tag") {
      return refuse(response, 412, "PreconditionFailed");
    }
  }
  // In many turns: whatever else was sent at once has come by then, also when this process was held up meanwhile.
  if (lie === "looks, then writes") for (let turn = 0; turn < 30; turn++) await sleep(1);
  const etag = contentTag(body);
  objects.set(name, { bytes: body, etag, atMs: Date.now(), before: present ?? null });
  return send(response, 200, { etag });
}

function list(
  objects: ReadonlyMap<string, Stored>,
  lie: Lie | null,
  { name: bucket, query }: Asked,
  response: ServerResponse,
): void {
  const prefix = query.get("prefix") ?? "";
  const after = lie === "repeats pages" ? "" : (query.get("continuation-token") ?? "");
  const size = Number(query.get("max-keys") ?? 1000);
  const root = `${bucket}/`;
  const keys = [...objects]
    .filter(
      ([name, { atMs }]) => name.startsWith(root + prefix) && !(lie === "lists late" && Date.now() - atMs < LATE_MS),
    )
    .map(([name]) => name.slice(root.length))
    .filter((key) => key > after)
    .sort();
  const page = keys.slice(0, size);
  const more = keys.length > size && lie !== "cuts lists off";
  const spelled = (key: string): string => (lie === "decodes names" ? key.replaceAll("+", " ") : key);
  const entries = page.map((key) => {
    const { bytes, etag, atMs } = objects.get(root + key) as Stored;
    const at = new Date(atMs).toISOString();
    return `<Contents><Key>${xml(spelled(key))}</Key><Size>${bytes.length}</Size><ETag>${xml(etag)}</ETag><LastModified>${at}</LastModified></Contents>`;
  });
  const next = more ? `<NextContinuationToken>${xml(page.at(-1) ?? "")}</NextContinuationToken>` : "";
  const body = `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${entries.join("")}</ListBucketResult>`;
  send(response, 200, { "content-type": "application/xml" }, Buffer.from(body));
}

const xml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

function refuse(response: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  send(response, status, { "content-type": "application/xml" }, Buffer.from(body));
}

function send(response: ServerResponse, status: number, headers: Record<string, string>, body?: Buffer): void {
  response.writeHead(status, body === undefined ? headers : { ...headers, "content-length": String(body.length) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
