import { installGoCommand } from "./go-install.ts";
import type { Progress } from "./progress.ts";
import { answersOk, type RunningS3, s3Access, type S3Options, type S3Program, startS3 } from "./s3-server.ts";

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
export function startVersitygw(options: S3Options = {}): Promise<RunningS3> {
  const versitygw: S3Program = {
    name: "versitygw",
    install: installVersitygw,
    command: (binary, { address, data }) => [
      binary,
      "--quiet",
      "--port",
      address,
      "--health",
      "/health",
      "posix",
      data,
    ],
    processEnv: { ROOT_ACCESS_KEY: s3Access.accessKeyId, ROOT_SECRET_KEY: s3Access.secretAccessKey },
    answers: (endpoint) => answersOk(`${endpoint}/health`),
  };
  return startS3(versitygw, options);
}
