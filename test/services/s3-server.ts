import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { freePort } from "./ports.ts";
import { type Progress, progressOnStderr } from "./progress.ts";
import { type RunningServer, serverFolder, type StartOptions, startServer } from "./server.ts";

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

export type S3Options = StartOptions & { readonly progress?: Progress };

/** Where a store runs. */
export interface S3Place {
  readonly port: number;
  /** `127.0.0.1:port` */
  readonly address: string;
  /** Of the server: for its settings. */
  readonly folder: string;
  /** Below that, for objects. */
  readonly data: string;
}

type Command = readonly [program: string, ...words: string[]];

/** What tells one store from another. */
export interface S3Program {
  readonly name: string;
  /** The path of its program, installed on first use. */
  install(progress: Progress): Promise<string>;
  command(program: string, place: S3Place): Command | Promise<Command>;
  readonly processEnv?: Readonly<Record<string, string>>;
  answers(endpoint: string): Promise<boolean>;
}

/** Starts a store with the bucket `lake`. */
export async function startS3(store: S3Program, options: S3Options): Promise<RunningS3> {
  const { name } = store;
  const program = await store.install(options.progress ?? progressOnStderr);
  const folder = await serverFolder(name, options);
  const data = join(folder.path, "data");
  mkdirSync(data, { recursive: true });
  const port = options.port ?? (await freePort());
  const address = `127.0.0.1:${port}`;
  const endpoint = `http://${address}`;
  const server = await startServer({
    name,
    address,
    env: s3Env(endpoint),
    folder,
    command: await store.command(program, { port, address, folder: folder.path, data }),
    // Its certificates and configuration belong to this run, not to the user.
    processEnv: { PATH: process.env["PATH"], HOME: folder.path, ...store.processEnv },
    answers: () => store.answers(endpoint),
  });
  return withBucket(server, endpoint);
}

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
