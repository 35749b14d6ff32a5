import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { installGoCommand } from "./go-install.ts";
import { freePort } from "./ports.ts";
import { type Progress, progressOnStderr } from "./progress.ts";
import { answersOk, type RunningS3, s3Access, s3Env, withBucket } from "./s3-server.ts";
import { serverFolder, type StartOptions, startServer } from "./server.ts";

/** The path of the Versity S3 gateway, built on first use. */
export function installVersitygw(progress: Progress): Promise<string> {
  return installGoCommand(
    {
      name: "versitygw",
      importPath: "github.com/versity/versitygw/cmd/versitygw",
      version: "v1.8.0",
      coldBuild: "once, about a minute",
    },
    progress,
  );
}

/** Starts the Versity gateway over a local folder, with the bucket `lake`: a second implementation of S3, unrelated to MinIO. */
export async function startVersitygw(
  options: StartOptions & { readonly progress?: Progress } = {},
): Promise<RunningS3> {
  const binary = await installVersitygw(options.progress ?? progressOnStderr);
  const folder = await serverFolder("versitygw", options);
  const data = join(folder.path, "data");
  mkdirSync(data, { recursive: true });
  const address = `127.0.0.1:${options.port ?? (await freePort())}`;
  const endpoint = `http://${address}`;
  const server = await startServer({
    name: "versitygw",
    address,
    env: s3Env(endpoint),
    folder,
    command: [binary, "--quiet", "--port", address, "--health", "/health", "posix", data],
    processEnv: {
      PATH: process.env["PATH"],
      HOME: folder.path,
      ROOT_ACCESS_KEY: s3Access.accessKeyId,
      ROOT_SECRET_KEY: s3Access.secretAccessKey,
    },
    answers: () => answersOk(`${endpoint}/health`),
  });
  return withBucket(server, endpoint);
}
