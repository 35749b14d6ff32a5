import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { type Progress, progressOnStderr } from "./progress.ts";
import { type RunningS3, s3Access, s3Env, withBucket } from "./s3-server.ts";
import { installSeaweedfs } from "./seaweedfs.ts";
import { serverFolder, type StartOptions, startServer } from "./server.ts";

/** A store with a REST catalog in it. */
export type RunningStoreCatalog = RunningS3 & {
  /** The catalog's address. */
  readonly uri: string;
  /** Its bucket, which takes tables alone; `bucket` takes anything. */
  readonly warehouse: string;
  /** For OAuth2 client credentials. */
  readonly credential: string;
};

const TABLE_BUCKET = "analytics";

/** Starts SeaweedFS with its S3, its REST catalog and the buckets `lake` and `analytics`; it also takes port 9101. */
export async function startSeaweedfsRest(
  options: StartOptions & { readonly progress?: Progress } = {},
): Promise<RunningStoreCatalog> {
  const binary = await installSeaweedfs(options.progress ?? progressOnStderr);
  const folder = await serverFolder("seaweedfs-rest", options);
  const data = join(folder.path, "data");
  mkdirSync(data, { recursive: true });
  const port = options.port ?? (await freePort());
  const [rest, master, volume, filer] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const address = `127.0.0.1:${port}`;
  const endpoint = `http://${address}`;
  const uri = `http://127.0.0.1:${rest}`;
  const server = await startServer({
    name: "seaweedfs-rest",
    address,
    env: s3Env(endpoint),
    folder,
    command: [
      binary,
      "mini",
      "-ip=127.0.0.1",
      "-ip.bind=127.0.0.1",
      `-dir=${data}`,
      `-master.port=${master}`,
      `-volume.port=${volume}`,
      `-filer.port=${filer}`,
      `-s3.port=${port}`,
      `-s3.port.iceberg=${rest}`,
      "-webdav=false",
      "-admin.ui=false",
      `-tableBucket=${TABLE_BUCKET}`,
    ],
    processEnv: {
      PATH: process.env["PATH"],
      HOME: folder.path,
      AWS_ACCESS_KEY_ID: s3Access.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3Access.secretAccessKey,
    },
    answers: () => hasTableBucket(uri),
  });
  const credential = `${s3Access.accessKeyId}:${s3Access.secretAccessKey}`;
  return Object.assign(await withBucket(server, endpoint), { uri, warehouse: `s3://${TABLE_BUCKET}`, credential });
}

/** Its bucket is made last, and who asks for it too early may be told for a while that it is not there. */
async function hasTableBucket(uri: string): Promise<boolean> {
  const { accessKeyId, secretAccessKey } = s3Access;
  const form = { grant_type: "client_credentials", client_id: accessKeyId, client_secret: secretAccessKey };
  const answer = await fetch(`${uri}/v1/oauth/tokens`, { method: "POST", body: new URLSearchParams(form) });
  const { access_token: token } = (await answer.json()) as { readonly access_token?: string };
  const headers = { Authorization: `Bearer ${token}` };
  return (await fetch(`${uri}/v1/${TABLE_BUCKET}/namespaces`, { headers })).ok;
}
