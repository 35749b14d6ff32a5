import { pythonWith } from "../readers/install.ts";
import { freePort } from "./ports.ts";
import { type Progress, progressOnStderr } from "./progress.ts";
import { answersOk, type RunningS3, s3Env, withBucket } from "./s3-server.ts";
import { serverFolder, type StartOptions, startServer } from "./server.ts";

/** The Python interpreter that has moto's server; installed on first use. */
export function installMoto(progress: Progress): Promise<string> {
  return pythonWith("moto", "moto", "../services/moto-requirements.txt", progress);
}

/** Starts moto's imitation of S3, which keeps everything in memory, with the bucket `lake`. */
export async function startMoto(options: StartOptions & { readonly progress?: Progress } = {}): Promise<RunningS3> {
  const python = await installMoto(options.progress ?? progressOnStderr);
  const folder = await serverFolder("moto", options);
  const port = options.port ?? (await freePort());
  const address = `127.0.0.1:${port}`;
  const endpoint = `http://${address}`;
  const server = await startServer({
    name: "moto",
    address,
    env: s3Env(endpoint),
    folder,
    command: [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)],
    processEnv: { PATH: process.env["PATH"], HOME: folder.path },
    answers: () => answersOk(`${endpoint}/moto-api/`),
  });
  return withBucket(server, endpoint);
}
