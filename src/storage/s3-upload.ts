import type { CompletedPart } from "@aws-sdk/client-s3";
import type { OutputStream } from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import { S3_MAX_PARTS, S3_PART_BYTES, S3_PARTS_IN_FLIGHT } from "../core/limits.ts";
import type { S3Sender } from "./s3-client.ts";
import { isMissing, s3Error } from "./s3-errors.ts";
import { putObject, type S3Address } from "./s3-requests.ts";

/** The first size of a part's buffer; it doubles up to `S3_PART_BYTES`, so that many small files stay small. */
const FIRST_BUFFER_BYTES = 256 * 1024;

/**
 * A streaming put: one PutObject when everything fits into one part, else a multipart upload. Bytes are copied out of the caller's
 * chunks, because parts are sent while the next one fills.
 */
export function openS3Upload(sender: S3Sender, address: S3Address): OutputStream {
  let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  let buffered = 0;
  let sizeBytes = 0;
  let uploadId: string | null = null;
  let begun = 0;
  const parts: CompletedPart[] = [];
  const inFlight = new Set<Promise<void>>();
  let failure: unknown = null;
  let ended = false;

  async function begin(): Promise<string> {
    return sender.repeated("start an upload of", address.location, async ({ sdk, client }) => {
      const answer = await client.send(
        new sdk.CreateMultipartUploadCommand({ Bucket: address.bucket, Key: address.key, ChecksumAlgorithm: "CRC32" }),
      );
      return must(answer.UploadId, "CreateMultipartUpload gave no upload id");
    });
  }

  async function sendPart(bytes: Uint8Array, number: number, upload: string): Promise<void> {
    const answer = await sender.repeated("upload a part of", address.location, ({ sdk, client }) =>
      client.send(
        new sdk.UploadPartCommand({
          Bucket: address.bucket,
          Key: address.key,
          UploadId: upload,
          PartNumber: number,
          Body: bytes,
          ChecksumAlgorithm: "CRC32",
        }),
      ),
    );
    const { ETag, ChecksumCRC32 } = answer;
    parts.push({
      PartNumber: number,
      ...(ETag === undefined ? {} : { ETag }),
      ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }),
    });
  }

  /** Hands the buffer over to a request of its own. */
  async function flush(): Promise<void> {
    const bytes = buffer.subarray(0, buffered);
    buffer = new Uint8Array(buffered);
    buffered = 0;
    uploadId ??= await begin();
    const number = ++begun;
    if (number > S3_MAX_PARTS) {
      throw new FrazilError("io", "S3_TOO_LARGE", `${address.location} outgrows ${S3_MAX_PARTS} parts`, {
        hint: "lower the target file size",
      });
    }
    const sending = sendPart(bytes, number, uploadId)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => inFlight.delete(sending));
    inFlight.add(sending);
    while (inFlight.size >= S3_PARTS_IN_FLIGHT) await Promise.race(inFlight);
    if (failure !== null) throw failure;
  }

  async function complete(upload: string): Promise<void> {
    let unanswered = false;
    parts.sort((a, b) => (a.PartNumber as number) - (b.PartNumber as number));
    await sender.repeated("complete the upload of", address.location, async ({ sdk, client }) => {
      try {
        const answer = await client.send(
          new sdk.CompleteMultipartUploadCommand({
            Bucket: address.bucket,
            Key: address.key,
            UploadId: upload,
            MultipartUpload: { Parts: parts },
          }),
        );
        // The head (200) is sent before the work is done, so the body decides: without a tag it was no success.
        if (answer.ETag === undefined) {
          throw new FrazilError("unavailable", "S3_UNAVAILABLE", `no result in the answer for ${address.location}`);
        }
      } catch (error) {
        // An attempt whose answer was lost may have landed, and then its upload is gone; the object tells.
        if (!(unanswered && isMissing(error))) {
          unanswered ||= s3Error(error, "complete", address.location).kind === "unavailable";
          throw error;
        }
      }
      if (unanswered) await checkSize();
    });
  }

  async function checkSize(): Promise<void> {
    const found = await sender.repeated("check", address.location, ({ sdk, client }) =>
      client.send(new sdk.HeadObjectCommand({ Bucket: address.bucket, Key: address.key })),
    );
    if (found.ContentLength !== sizeBytes) {
      throw new FrazilError(
        "corrupt",
        "S3_TORN_UPLOAD",
        `expected ${address.location} to have ${sizeBytes} bytes after its upload, found ${found.ContentLength}`,
      );
    }
  }

  async function abort(): Promise<void> {
    if (ended) return;
    ended = true;
    buffer = new Uint8Array(0);
    await Promise.allSettled(inFlight);
    const upload = uploadId;
    if (upload === null) return;
    try {
      await sender.once(({ sdk, client }) =>
        client.send(
          new sdk.AbortMultipartUploadCommand({ Bucket: address.bucket, Key: address.key, UploadId: upload }),
        ),
      );
    } catch {
      // Nothing refers to the parts: a store that cannot be reached now drops them by its lifecycle rule.
    }
  }

  return {
    async write(chunk) {
      for (let at = 0; at < chunk.length;) {
        if (buffered === buffer.length && buffered < S3_PART_BYTES) buffer = grown(buffer, buffered);
        const taken = Math.min(chunk.length - at, buffer.length - buffered);
        buffer.set(chunk.subarray(at, at + taken), buffered);
        buffered += taken;
        at += taken;
        sizeBytes += taken;
        if (buffered === S3_PART_BYTES) await flush();
      }
    },
    async close() {
      try {
        if (uploadId === null) {
          await putObject(sender, address, buffer.subarray(0, buffered));
        } else {
          if (buffered > 0) await flush();
          await Promise.all(inFlight);
          if (failure !== null) throw failure;
          await complete(uploadId);
        }
        ended = true;
        return { sizeBytes };
      } catch (error) {
        await abort();
        throw error;
      }
    },
    abort,
  };
}

function grown(buffer: Uint8Array<ArrayBuffer>, used: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.min(Math.max(used * 2, FIRST_BUFFER_BYTES), S3_PART_BYTES));
  larger.set(buffer.subarray(0, used));
  return larger;
}
