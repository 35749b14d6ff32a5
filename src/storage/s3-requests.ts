import { FrazilError } from "../core/errors.ts";
import type { S3Sender } from "./s3-client.ts";

/** An object: `s3://bucket/key`. */
export interface S3Address {
  readonly location: string;
  readonly bucket: string;
  /** Empty for the bucket itself. */
  readonly key: string;
}

/** Takes `s3://bucket/key` apart; `s3a` and `s3n` are Hadoop's names of the same thing. Keys are used as they stand. */
export function parseS3Location(location: string): S3Address {
  const match = /^s3[an]?:\/\/([^/]+)(?:\/(.*))?$/s.exec(location);
  if (match === null) {
    throw new FrazilError("config", "S3_LOCATION", `expected a location such as s3://bucket/folder, found ${location}`);
  }
  return { location, bucket: match[1] as string, key: match[2] ?? "" };
}

/** An unconditional put, repeated until it is answered: the bytes are the same each time. */
export async function putObject(sender: S3Sender, address: S3Address, bytes: Uint8Array): Promise<void> {
  await sender.repeated("write", address.location, ({ sdk, client }) =>
    client.send(
      new sdk.PutObjectCommand({ Bucket: address.bucket, Key: address.key, Body: bytes, ChecksumAlgorithm: "CRC32" }),
    ),
  );
}
