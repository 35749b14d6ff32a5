import { installGoCommand } from "./go-install.ts";
import type { Progress } from "./progress.ts";
import { answersOk, type RunningS3, s3Access, type S3Options, type S3Program, startS3 } from "./s3-server.ts";

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
export function startMinio(options: S3Options = {}): Promise<RunningS3> {
  const minio: S3Program = {
    name: "minio",
    install: installMinio,
    command: (binary, { address, data }) => [binary, "server", "--quiet", "--address", address, data],
    processEnv: {
      MINIO_ROOT_USER: s3Access.accessKeyId,
      MINIO_ROOT_PASSWORD: s3Access.secretAccessKey,
      MINIO_BROWSER: "off",
      MINIO_UPDATE: "off",
    },
    answers: (endpoint) => answersOk(`${endpoint}/minio/health/ready`),
  };
  return startS3(minio, options);
}
