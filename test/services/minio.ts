import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { installGoCommand } from "./go-install.ts";
import { freePort } from "./ports.ts";
import { type Progress, progressOnStderr } from "./progress.ts";
import { answersOk, type RunningS3, s3Access, s3Env, withBucket } from "./s3-server.ts";
import { serverFolder, type StartOptions, startServer } from "./server.ts";

/** The path of the MinIO server, built on first use. The module proxy refuses MinIO's release tags; this names the same code. */
export function installMinio(progress: Progress): Promise<string> {
  return installGoCommand(
    {
      name: "minio",
      importPath: "github.com/minio/minio",
      version: "v0.0.0-20260212201848-7aac2a2c5b7c",
      coldBuild: "once, 2 to 5 minutes on two cores",
    },
    progress,
  );
}

/** Starts MinIO with the bucket `lake`. Data written before a kill and acknowledged is there after the restart. */
export async function startMinio(options: StartOptions & { readonly progress?: Progress } = {}): Promise<RunningS3> {
  const binary = await installMinio(options.progress ?? progressOnStderr);
  const folder = await serverFolder("minio", options);
  const data = join(folder.path, "data");
  mkdirSync(data, { recursive: true });
  const address = `127.0.0.1:${options.port ?? (await freePort())}`;
  const endpoint = `http://${address}`;
  const server = await startServer({
    name: "minio",
    address,
    env: s3Env(endpoint),
    folder,
    command: [binary, "server", "--quiet", "--address", address, data],
    processEnv: {
      PATH: process.env["PATH"],
      // Its certificates and configuration belong to this run, not to the user.
      HOME: folder.path,
      MINIO_ROOT_USER: s3Access.accessKeyId,
      MINIO_ROOT_PASSWORD: s3Access.secretAccessKey,
      MINIO_BROWSER: "off",
      MINIO_UPDATE: "off",
    },
    answers: () => answersOk(`${endpoint}/minio/health/ready`),
  });
  return withBucket(server, endpoint);
}
