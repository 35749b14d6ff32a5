import { type FileEntry, type FileIO, unlessGone } from "../../table-format/index.ts";
import { FrazilError, must } from "../core/errors.ts";
import { S3_SINGLE_PUT_BYTES } from "../core/limits.ts";
import { createS3Sender, type S3Deps, type S3Sender, type S3Settings } from "./s3-client.ts";
import { isConditionalRace, isMissing, isPreconditionFailed, s3Error } from "./s3-errors.ts";
import { parseS3Location, putObject } from "./s3-requests.ts";
import { openS3Upload } from "./s3-upload.ts";

export type { S3Credentials, S3Deps, S3Settings } from "./s3-client.ts";

/**
 * Amazon S3 and stores that speak its protocol (MinIO, versitygw, SeaweedFS). Reads and unconditional writes are repeated with growing
 * pauses; conditional writes are sent exactly once. Entity tags are kept as the store gives them, quotes and all. The object-store
 * catalog asks for a store whose conditions work: see `probe.ts`.
 */
export function createS3Storage(settings: S3Settings, deps: S3Deps): FileIO {
  const sender = createS3Sender(settings, deps);
  return {
    read: async (location) => (await getObject(sender, location)).bytes,
    readRange: (location, offset, length) => readRange(sender, location, offset, length),
    stat: (location) => stat(sender, location),
    readTagged: (location) => unlessGone(() => getObject(sender, location)),
    async write(location, bytes) {
      if (bytes.length <= S3_SINGLE_PUT_BYTES) return putObject(sender, parseS3Location(location), bytes);
      const upload = openS3Upload(sender, parseS3Location(location));
      try {
        await upload.write(bytes);
      } catch (error) {
        await upload.abort();
        throw error;
      }
      await upload.close();
    },
    openWrite: async (location) => openS3Upload(sender, parseS3Location(location)),
    create: (location, bytes) => create(sender, location, bytes),
    replace: (location, bytes, etag) => replace(sender, location, bytes, etag),
    list: (prefix) => list(sender, prefix, settings.listPage),
    async delete(location) {
      const { bucket, key } = parseS3Location(location);
      await sender.repeated("delete", location, ({ sdk, client }) =>
        client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: key })).catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        }),
      );
    },
  };
}

async function getObject(sender: S3Sender, location: string): Promise<{ bytes: Uint8Array; etag: string }> {
  const { bucket, key } = parseS3Location(location);
  // The body is read inside the attempt: a connection lost in mid-body is one more reason to try again.
  return sender.repeated("read", location, async ({ sdk, client }) => {
    // A body that is not what was put counts as no answer: the store sends the checksum that came with the put.
    const request = new sdk.GetObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: "ENABLED" });
    const answer = await client.send(request);
    const bytes = await must(answer.Body, "GetObject gave no body").transformToByteArray();
    return { bytes, etag: tagOf(answer.ETag, location) };
  });
}

async function readRange(sender: S3Sender, location: string, offset: number, length: number): Promise<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  const { bucket, key } = parseS3Location(location);
  const bytes = await sender.repeated("read", location, async ({ sdk, client }) => {
    const range = `bytes=${offset}-${offset + length - 1}`;
    const answer = await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: key, Range: range }));
    return must(answer.Body, "GetObject gave no body").transformToByteArray();
  });
  if (bytes.length === length) return bytes;
  throw new FrazilError(
    "corrupt",
    "OBJECT_TOO_SHORT",
    `expected ${length} bytes at ${offset} of ${location}, found ${bytes.length}`,
  );
}

async function stat(sender: S3Sender, location: string): Promise<{ sizeBytes: number; etag: string } | null> {
  const { bucket, key } = parseS3Location(location);
  return unlessGone(() =>
    sender.repeated("look at", location, async ({ sdk, client }) => {
      const answer = await client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key }));
      return {
        sizeBytes: must(answer.ContentLength, "HeadObject gave no size"),
        etag: tagOf(answer.ETag, location),
      };
    }),
  );
}

async function create(
  sender: S3Sender,
  location: string,
  bytes: Uint8Array,
): Promise<{ outcome: "created"; etag: string } | { outcome: "exists" }> {
  try {
    return { outcome: "created", etag: await putIf(sender, location, bytes, { IfNoneMatch: "*" }) };
  } catch (error) {
    if (isPreconditionFailed(error)) return { outcome: "exists" };
    if (isConditionalRace(error)) {
      // Nobody need have won: whether the object exists is for the caller to look up, as after a lost answer.
      throw new FrazilError("unavailable", "S3_CONDITIONAL_RACE", `another write of ${location} was under way`, {
        cause: error,
      });
    }
    throw s3Error(error, "create", location);
  }
}

async function replace(
  sender: S3Sender,
  location: string,
  bytes: Uint8Array,
  etag: string,
): Promise<{ outcome: "replaced"; etag: string } | { outcome: "conflict" }> {
  try {
    return { outcome: "replaced", etag: await putIf(sender, location, bytes, { IfMatch: etag }) };
  } catch (error) {
    // Stores differ on an object that is gone: most answer 404, some 412.
    if (isPreconditionFailed(error) || isConditionalRace(error) || isMissing(error)) return { outcome: "conflict" };
    throw s3Error(error, "replace", location);
  }
}

/** The commit point of the object-store catalog. Exactly one request. */
async function putIf(
  sender: S3Sender,
  location: string,
  bytes: Uint8Array,
  condition: { IfNoneMatch: string } | { IfMatch: string },
): Promise<string> {
  const { bucket, key } = parseS3Location(location);
  const answer = await sender.once(({ sdk, client }) =>
    client.send(
      new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, ChecksumAlgorithm: "CRC32", ...condition }),
    ),
  );
  return tagOf(answer.ETag, location);
}

async function* list(sender: S3Sender, prefix: string, pageSize: number | undefined): AsyncGenerator<FileEntry> {
  const { bucket, key } = parseS3Location(prefix);
  const root = prefix.slice(0, prefix.length - key.length).replace(/\/*$/, "/");
  let token: string | undefined;
  do {
    const page = await sender.repeated("list", prefix, ({ sdk, client }) =>
      client.send(
        new sdk.ListObjectsV2Command({
          Bucket: bucket,
          Prefix: key === "" ? "" : `${key}/`,
          ...(pageSize === undefined ? {} : { MaxKeys: pageSize }),
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      ),
    );
    for (const object of page.Contents ?? []) {
      yield {
        location: root + must(object.Key, "ListObjectsV2 gave an object without a key"),
        sizeBytes: must(object.Size, "ListObjectsV2 gave an object without a size"),
        lastModifiedMs: must(object.LastModified, "ListObjectsV2 gave an object without a time").getTime(),
      };
    }
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

/** A store that answers a write without a tag leaves its outcome unknown: nothing could be replaced later. */
function tagOf(etag: string | undefined, location: string): string {
  if (etag !== undefined) return etag;
  throw new FrazilError(
    "unavailable",
    "S3_NO_ETAG",
    `expected an entity tag in the answer for ${location}, found none`,
  );
}
