import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FileIO } from "../../table-format/index.ts";
import { PROBE_LIST_PAGE, S3_PART_BYTES } from "../../src/core/limits.ts";
import { systemRuntimeParts } from "../unit/storage/runtime-parts.ts";
import { createS3Storage } from "../../src/storage/s3.ts";
import { probeAtStart } from "../../src/storage/start-probe.ts";
import { storageSuite } from "../conformance/storage-suite.ts";
import { requireServers, withReason } from "../require.ts";
import { startHttpFaults } from "../torture/http-faults.ts";
import { startMinio } from "../services/minio.ts";
import type { RunningS3 } from "../services/s3-server.ts";
import { startVersitygw } from "../services/versitygw.ts";

const starts = { minio: startMinio, versitygw: startVersitygw } as const;

for (const [name, start] of Object.entries(starts)) {
  const missing = await requireServers(name as keyof typeof starts);
  describe.skipIf(missing !== null)(withReason(`s3 storage on ${name}`, missing), () => {
    let server: RunningS3;
    let io: FileIO;

    const storageOf = (bad: { secretAccessKey?: string; listPage?: number; endpoint?: string } = {}): FileIO => {
      const { endpoint, region, accessKeyId, secretAccessKey } = server;
      return createS3Storage({ endpoint, region, accessKeyId, secretAccessKey, ...bad }, systemRuntimeParts());
    };

    beforeAll(async () => {
      server = await start();
      io = storageOf();
    });
    afterAll(() => server?.stop());

    storageSuite(name, async () => ({ io: storageOf(), folder: `s3://${server.bucket}/conformance` }));

    test("passes what each start tries, and nothing is left behind", async () => {
      const use = { conditionalWrites: true, lists: true, remote: true };
      const pages = storageOf({ listPage: PROBE_LIST_PAGE });
      await probeAtStart(io, pages, `s3://${server.bucket}/probed/`, systemRuntimeParts().random, use);
      const left = [];
      for await (const entry of io.list(`s3://${server.bucket}/probed`)) left.push(entry.location);
      expect(left).toEqual([]);
    });

    test("uploads in parts, whatever the chunks", async () => {
      const bytes = Buffer.alloc(2 * S3_PART_BYTES + 12_345);
      for (let i = 0; i < bytes.length; i += 997) bytes.writeUInt8(i % 251, i);
      for (const chunk of [999_983, S3_PART_BYTES, bytes.length]) {
        const location = `s3://${server.bucket}/parts/${chunk}`;
        const stream = await io.openWrite(location);
        for (let at = 0; at < bytes.length; at += chunk) {
          // The caller may use its buffer again once the next call has returned.
          const copy = Buffer.from(bytes.subarray(at, at + chunk));
          await stream.write(copy);
          await stream.write(new Uint8Array(0));
          copy.fill(0xee);
        }
        expect(await stream.close()).toEqual({ sizeBytes: bytes.length });
        expect(Buffer.compare(await io.read(location), bytes), `chunks of ${chunk}`).toBe(0);
      }
      await io.write(`s3://${server.bucket}/parts/whole`, bytes);
      expect((await io.stat(`s3://${server.bucket}/parts/whole`))?.sizeBytes).toBe(bytes.length);
    });

    test.each(["200 with an error", "500 after", "503 before", "answer lost"])(
      "uploads in parts, of which the last request meets a proxy's fault: %s",
      async (name) => {
        const parts = 3;
        // Begun, its parts, its end.
        const last = 1 + parts + 1;
        let asked = 0;
        await using proxy = await startHttpFaults(
          server.endpoint,
          {
            uint32: () => 0,
            below: (limit) => (++asked === last ? 0 : limit - 1),
            pick: (faults) => faults.find((fault) => Array.isArray(fault) && fault[0] === name) ?? expect.unreachable(),
          },
          0,
        );
        proxy.storm(0.5);
        const location = `s3://${server.bucket}/faulty/${name.replaceAll(" ", "-")}`;
        const bytes = Buffer.alloc((parts - 1) * S3_PART_BYTES + 1, 7);
        await storageOf({ endpoint: proxy.endpoint }).write(location, bytes);
        expect([...proxy.counts]).toEqual([[name, 1]]);
        expect(Buffer.compare(await io.read(location), bytes)).toBe(0);
      },
    );

    test("a listing of more than one page is whole", async () => {
      const names = Array.from(
        { length: 1_050 },
        (_, k) => `s3://${server.bucket}/pages/${String(k).padStart(5, "0")}`,
      );
      for (let at = 0; at < names.length; at += 50) {
        await Promise.all(names.slice(at, at + 50).map((location) => io.write(location, new Uint8Array(1))));
      }
      const found: string[] = [];
      for await (const entry of io.list(`s3://${server.bucket}/pages`)) found.push(entry.location);
      expect(found.sort()).toEqual(names);
    });

    test("says what is wrong: no such bucket, wrong secret", async () => {
      await expect(io.read("s3://no-such-bucket/x")).rejects.toMatchObject({ code: "S3_NO_SUCH_BUCKET" });
      const denied = storageOf({ secretAccessKey: "wrong-secret" });
      await expect(denied.read(`s3://${server.bucket}/x`)).rejects.toMatchObject({ kind: "permission" });
    });

    test("a server that is away is unavailable, and is used again when it is back", async () => {
      const location = `s3://${server.bucket}/away/x`;
      expect((await io.create(location, Buffer.from("before"))).outcome).toBe("created");
      await server.kill();
      await expect(io.create(`${location}2`, Buffer.from("x"))).rejects.toMatchObject({ kind: "unavailable" });
      await expect(io.read(location)).rejects.toMatchObject({ kind: "unavailable" });
      // A read under way when the server returns needs no help from its caller.
      const reading = io.read(location);
      await server.restart();
      expect(Buffer.from(await reading).toString()).toBe("before");
    });
  });
}
