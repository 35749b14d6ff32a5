import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { RunningServer } from "./server.ts";

/** A store that speaks S3, with the bucket `bucket` in it. */
export type RunningS3 = RunningServer & {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly bucket: string;
};

/** The credentials of every store that this folder starts, and the bucket that each one starts with. */
export const s3Access = {
  region: "us-east-1",
  accessKeyId: "frazil",
  secretAccessKey: "frazil-secret",
  bucket: "lake",
} as const;

/** The environment that a job file, the AWS SDKs and the `aws` command understand. */
export function s3Env(endpoint: string): Record<string, string> {
  return {
    S3_ENDPOINT: endpoint,
    S3_BUCKET: s3Access.bucket,
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: s3Access.region,
    AWS_ACCESS_KEY_ID: s3Access.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3Access.secretAccessKey,
  };
}

/** Makes the bucket on a started server, and gives the server with what a client needs to reach it. */
export async function withBucket(server: RunningServer, endpoint: string): Promise<RunningS3> {
  const { region, bucket, ...credentials } = s3Access;
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  } catch (error) {
    // Data kept from an earlier run has it already.
    if ((error as Error).name !== "BucketAlreadyOwnedByYou") {
      await server.stop();
      throw error;
    }
  } finally {
    client.destroy();
  }
  return Object.assign(server, { endpoint, ...s3Access });
}

/** True when `GET url` answers 200. */
export async function answersOk(url: string): Promise<boolean> {
  const response = await fetch(url);
  await response.arrayBuffer();
  return response.ok;
}
