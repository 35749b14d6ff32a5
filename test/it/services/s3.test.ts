import { existsSync } from "node:fs";
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireServers, withReason } from "../../require.ts";
import { startMinio } from "../../services/minio.ts";
import type { RunningS3 } from "../../services/s3-server.ts";
import { startVersitygw } from "../../services/versitygw.ts";

const starts = { minio: startMinio, versitygw: startVersitygw } as const;

for (const name of ["minio", "versitygw"] as const) {
  const missing = await requireServers(name);

  describe.skipIf(missing !== null)(withReason(`the ${name} server of the tests`, missing), () => {
    let server: RunningS3;
    let client: S3Client;
    beforeAll(async () => {
      server = await starts[name]();
      const { endpoint, region, accessKeyId, secretAccessKey } = server;
      const credentials = { accessKeyId, secretAccessKey };
      client = new S3Client({ endpoint, region, credentials, forcePathStyle: true, maxAttempts: 1 });
    });
    afterAll(async () => {
      client?.destroy();
      await server?.stop();
      if (server !== undefined) expect(existsSync(server.folder)).toBe(false);
    });

    const put = (Key: string, Body: string, condition: { IfMatch?: string; IfNoneMatch?: string } = {}) =>
      client.send(new PutObjectCommand({ Bucket: server.bucket, Key, Body, ...condition })).then(
        (answer) => ({ status: 200, etag: answer.ETag ?? "" }),
        (error) => ({ status: error.$metadata?.httpStatusCode as number, etag: "" }),
      );
    const get = async (Key: string) => {
      const answer = await client.send(new GetObjectCommand({ Bucket: server.bucket, Key }));
      return answer.Body?.transformToString();
    };

    it("lets one of eight concurrent creators win", async () => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, i) => put("created", `writer ${i}`, { IfNoneMatch: "*" })),
      );
      expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([
        200, 412, 412, 412, 412, 412, 412, 412,
      ]);
      const winner = answers.findIndex((answer) => answer.status === 200);
      expect(await get("created")).toBe(`writer ${winner}`);
    });

    it("lets one of eight concurrent replacers win, and none with a stale tag", async () => {
      const { etag } = await put("replaced", "first");
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, i) => put("replaced", `writer ${i}`, { IfMatch: etag })),
      );
      expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([
        200, 412, 412, 412, 412, 412, 412, 412,
      ]);
      expect((await put("replaced", "late", { IfMatch: etag })).status).toBe(412);
      expect((await put("never written", "x", { IfMatch: etag })).status).toBe(404);
    });

    it("completes a multipart upload only if the object is absent", async () => {
      const complete = async (body: string) => {
        const place = { Bucket: server.bucket, Key: "multipart" };
        const ChecksumAlgorithm = "CRC32" as const;
        const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...place, ChecksumAlgorithm }));
        const part = { ...place, UploadId, PartNumber: 1, Body: body, ChecksumAlgorithm };
        const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand(part));
        const MultipartUpload = { Parts: [{ PartNumber: 1, ETag, ChecksumCRC32 }] };
        await client.send(
          new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload, IfNoneMatch: "*" }),
        );
      };
      await complete("first");
      await expect(complete("second")).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } });
      expect(await get("multipart")).toBe("first");
    });

    it("keeps an acknowledged object over a kill, on the same port", async () => {
      await put("kept", "before the kill");
      const { endpoint } = server;
      await server.kill();
      await expect(get("kept")).rejects.toThrow();
      await server.restart();
      expect(server.endpoint).toBe(endpoint);
      expect(await get("kept")).toBe("before the kill");
    });

    it("goes silent while suspended, and answers when resumed", async () => {
      server.suspend();
      try {
        await expect(fetch(server.endpoint, { signal: AbortSignal.timeout(300) })).rejects.toThrow("timeout");
      } finally {
        server.resume();
      }
      expect((await put("after", "resumed")).status).toBe(200);
    });
  });
}
