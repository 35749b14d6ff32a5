import { crc32 } from "node:zlib";
import { expect, test, vi } from "vitest";
import type { FrazilError } from "../../../src/core/errors.ts";
import { S3_ATTEMPTS, S3_PART_BYTES } from "../../../src/core/limits.ts";
import { createS3Storage } from "../../../src/storage/s3.ts";
import { type Answer, errorBody, errorReply, reply, reset, type SeenRequest, silence, startFakeS3 } from "./fake-s3.ts";

const location = "s3://lake/wh/file";
const bytes = new TextEncoder().encode("hello");

async function failureOf(work: Promise<unknown>): Promise<FrazilError> {
  return work.then(
    (value) => {
      throw new Error(`expected a failure, found ${JSON.stringify(value)}`);
    },
    (error: FrazilError) => error,
  );
}

const lostAnswers: Record<string, Answer> = {
  "a reset connection": reset,
  "no answer in time": silence,
  "a 500": errorReply(500, "InternalError"),
  "a 503": errorReply(503, "SlowDown"),
  "a 200 with an error in its body": reply(200, { "content-type": "application/xml" }, errorBody("InternalError")),
  "a page of a proxy": reply(502, { "content-type": "text/html" }, "<html>Bad Gateway</html>"),
  "a 409, two writers at once": errorReply(409, "ConditionalRequestConflict"),
};

for (const [name, answer] of Object.entries(lostAnswers)) {
  test(`create: ${name} leaves the outcome unknown, and nothing is sent twice`, async () => {
    await using server = await startFakeS3(() => answer);
    const settings = answer === silence ? { ...server.settings, requestTimeoutMs: 300 } : server.settings;
    const failure = await failureOf(createS3Storage(settings, server.deps).create(location, bytes));
    expect(failure.kind).toBe("unavailable");
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]?.headers["if-none-match"]).toBe("*");
    expect(server.requests[0]?.body.toString()).toBe("hello");
  });
}

test("replace sends the tag with its quotes, once, and a lost answer is unknown", async () => {
  await using server = await startFakeS3(() => reset);
  const failure = await failureOf(createS3Storage(server.settings, server.deps).replace(location, bytes, '"a-1"'));
  expect(failure.kind).toBe("unavailable");
  expect(server.requests).toHaveLength(1);
  expect(server.requests[0]?.headers["if-match"]).toBe('"a-1"');
});

for (const [status, code] of [
  [412, "PreconditionFailed"],
  [404, "NoSuchKey"],
  [409, "ConditionalRequestConflict"],
] as const) {
  test(`replace: ${status} ${code} is a conflict`, async () => {
    await using server = await startFakeS3(() => errorReply(status, code));
    const result = await createS3Storage(server.settings, server.deps).replace(location, bytes, '"a"');
    expect(result).toEqual({ outcome: "conflict" });
    expect(server.requests).toHaveLength(1);
  });
}

test("create: 412 is exists; success without a tag is unknown", async () => {
  await using server = await startFakeS3((_, index) =>
    index === 0 ? errorReply(412, "PreconditionFailed") : reply(200),
  );
  const storage = createS3Storage(server.settings, server.deps);
  expect(await storage.create(location, bytes)).toEqual({ outcome: "exists" });
  expect((await failureOf(storage.create(location, bytes))).code).toBe("S3_NO_ETAG");
});

test("an unconditional write is repeated with growing pauses, then given up as unavailable", async () => {
  await using server = await startFakeS3(() => errorReply(503, "SlowDown"));
  const failure = await failureOf(createS3Storage(server.settings, server.deps).write(location, bytes));
  expect(failure.kind).toBe("unavailable");
  expect(failure.message).toContain("503 SlowDown");
  expect(server.requests).toHaveLength(S3_ATTEMPTS);
  expect(server.pausesMs).toEqual([75, 150, 300, 600, 1200]);
});

test("a read whose body breaks off is repeated whole", async () => {
  const torn: Answer = (response) => {
    response.writeHead(200, { "content-length": "5", etag: '"a"' });
    response.write("he", () => response.socket?.destroy());
  };
  await using server = await startFakeS3((_, index) => (index < 2 ? torn : reply(200, { etag: '"a"' }, "hello")));
  const found = await createS3Storage(server.settings, server.deps).readTagged(location);
  expect(Buffer.from(found?.bytes ?? []).toString()).toBe("hello");
  expect(found?.etag).toBe('"a"');
  expect(server.requests).toHaveLength(3);
});

test("what another attempt would only repeat is not repeated, and says what to do", async () => {
  const cases = [
    [507, "XMinioStorageFull", "io", "S3_STORE_FULL"],
    [400, "QuotaExceeded", "io", "S3_STORE_FULL"],
    [403, "AccessDenied", "permission", "S3_DENIED"],
    [404, "NoSuchBucket", "config", "S3_NO_SUCH_BUCKET"],
    [301, "PermanentRedirect", "config", "S3_WRONG_REGION"],
    [501, "NotImplemented", "unsupported", "S3_NOT_IMPLEMENTED"],
    [400, "InvalidRequest", "io", "S3_REFUSED"],
  ] as const;
  for (const [status, answer, kind, code] of cases) {
    await using server = await startFakeS3(() => errorReply(status, answer));
    const failure = await failureOf(createS3Storage(server.settings, server.deps).write(location, bytes));
    expect([failure.kind, failure.code], `${status} ${answer}`).toEqual([kind, code]);
    expect(server.requests).toHaveLength(1);
  }
});

test("a 404 about the user is no absent object", async () => {
  await using server = await startFakeS3(() => errorReply(404, "XAdminUserNotFound"));
  const failure = await failureOf(createS3Storage(server.settings, server.deps).readTagged(location));
  expect(failure.kind).toBe("config");
});

test("half a pair of credentials is refused before any request", () => {
  expect(() => createS3Storage({ accessKeyId: "only" }, {} as never)).toThrow(/together/);
});

/** Answers an upload of parts well; `complete` decides about the end. */
function uploads(complete: (attempt: number) => Answer, headBytes: number) {
  let attempts = 0;
  return (request: SeenRequest): Answer => {
    if (request.method === "POST" && request.url.includes("uploads")) {
      const body = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
      return reply(200, { "content-type": "application/xml" }, body);
    }
    if (request.method === "PUT") return reply(200, { etag: '"part"' });
    if (request.method === "POST") return complete(attempts++);
    if (request.method === "HEAD") return reply(200, { "content-length": String(headBytes), etag: '"whole-2"' });
    return reply(204);
  };
}

const completed = reply(
  200,
  { "content-type": "application/xml" },
  '<?xml version="1.0"?><CompleteMultipartUploadResult><ETag>"whole-2"</ETag></CompleteMultipartUploadResult>',
);
const large = Buffer.alloc(S3_PART_BYTES + 1000, 7);

async function upload(answer: (request: SeenRequest) => Answer) {
  const server = await startFakeS3(answer);
  const stream = await createS3Storage(server.settings, server.deps).openWrite(location);
  await stream.write(large);
  return { server, closing: stream.close() };
}

test("an upload sends parts and completes once", async () => {
  const { server, closing } = await upload(uploads(() => completed, large.length));
  await using _ = server;
  expect(await closing).toEqual({ sizeBytes: large.length });
  expect(server.requests.map(({ method }) => method)).toEqual(["POST", "PUT", "PUT", "POST"]);
  // Both parts are on their way at once.
  const sizeOf = (part: number) => server.requests.find(({ url }) => url.includes(`partNumber=${part}`))?.body.length;
  expect([sizeOf(1), sizeOf(2)]).toEqual([S3_PART_BYTES, 1000]);
});

const failedBodies = {
  "an error": errorBody("InternalError"),
  "an error and a line feed": `${errorBody("InternalError")}\n`,
  nothing: "",
};
for (const [name, body] of Object.entries(failedBodies)) {
  test(`completing with 200 and ${name} in the body is no success`, async () => {
    const { server, closing } = await upload(
      uploads(
        (attempt) => (attempt === 0 ? reply(200, { "content-type": "application/xml" }, body) : completed),
        large.length,
      ),
    );
    await using _ = server;
    expect(await closing).toEqual({ sizeBytes: large.length });
    // Completed again, and the size looked at, because the first attempt might have landed after all.
    expect(server.requests.map(({ method }) => method)).toEqual(["POST", "PUT", "PUT", "POST", "POST", "HEAD"]);
  });
}

test("a completion whose answer was lost and whose upload is gone has landed if the size is right", async () => {
  const lost = (attempt: number) => (attempt === 0 ? reset : errorReply(404, "NoSuchUpload"));
  const right = await upload(uploads(lost, large.length));
  await using _ = right.server;
  expect(await right.closing).toEqual({ sizeBytes: large.length });

  const torn = await upload(uploads(lost, large.length - 1));
  await using __ = torn.server;
  expect((await failureOf(torn.closing)).code).toBe("S3_TORN_UPLOAD");
});

test("an upload that is gone before any completion is a failure", async () => {
  const { server, closing } = await upload(uploads(() => errorReply(404, "NoSuchUpload"), large.length));
  await using _ = server;
  expect((await failureOf(closing)).kind).toBe("not-found");
});

test("a part that is refused ends the upload, and the parts are dropped", async () => {
  const normal = uploads(() => completed, large.length);
  const { server, closing } = await upload((request) =>
    request.url.includes("partNumber=2") ? errorReply(507, "XMinioStorageFull") : normal(request),
  );
  await using _ = server;
  expect((await failureOf(closing)).kind).toBe("io");
  const last = server.requests.at(-1);
  expect(last?.method).toBe("DELETE");
  expect(last?.url).toContain("uploadId=u1");
});

test("a listing follows its pages", async () => {
  await using server = await startFakeS3((request) => {
    const second = request.url.includes("continuation-token=next");
    const rest = second
      ? "<IsTruncated>false</IsTruncated>"
      : "<IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>";
    const key = second ? "wh/b" : "wh/a";
    return reply(
      200,
      { "content-type": "application/xml" },
      `<ListBucketResult>${rest}<Contents><Key>${key}</Key><Size>3</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>`,
    );
  });
  const found = [];
  for await (const entry of createS3Storage(server.settings, server.deps).list("s3://lake/wh")) found.push(entry);
  expect(found).toEqual([
    { location: "s3://lake/wh/a", sizeBytes: 3, lastModifiedMs: Date.UTC(2026, 0, 2, 3, 4, 5) },
    { location: "s3://lake/wh/b", sizeBytes: 3, lastModifiedMs: Date.UTC(2026, 0, 2, 3, 4, 5) },
  ]);
  expect(new URL(server.requests[0]?.url ?? "", "http://x").searchParams.get("prefix")).toBe("wh/");
});

test("without a region anywhere it is said at once what to set, and no store is blamed", async () => {
  await using server = await startFakeS3(() => reset);
  vi.stubEnv("AWS_REGION", undefined);
  vi.stubEnv("AWS_CONFIG_FILE", "/nowhere");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere");
  const { accessKeyId, secretAccessKey } = server.settings;
  const settings = { accessKeyId, secretAccessKey };
  const failure = await failureOf(createS3Storage(settings, server.deps).read(location)).finally(() =>
    vi.unstubAllEnvs(),
  );
  expect(failure).toMatchObject({ kind: "config", code: "S3_NO_REGION", hint: expect.stringContaining("AWS_REGION") });
});

test("a body that is not what was put is asked for again", async () => {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32("what was put"));
  const headers = { "x-amz-checksum-crc32": checksum.toString("base64"), etag: '"e"' };
  let asked = 0;
  await using server = await startFakeS3(() => reply(200, headers, asked++ === 0 ? "what was pot" : "what was put"));
  const read = await createS3Storage(server.settings, server.deps).read(location);
  expect(Buffer.from(read).toString()).toBe("what was put");
  expect(asked).toBe(2);
});
