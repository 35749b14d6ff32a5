import { pythonWith } from "../readers/install.ts";
import type { Progress } from "./progress.ts";
import { answersOk, type RunningS3, type S3Options, type S3Program, startS3 } from "./s3-server.ts";

/** The Python interpreter that has moto's server; installed on first use. */
export function installMoto(progress: Progress): Promise<string> {
  return pythonWith("moto", "moto", "../services/moto-requirements.txt", progress);
}

/** Starts moto's imitation of S3, which keeps everything in memory, with the bucket `lake`. */
export function startMoto(options: S3Options = {}): Promise<RunningS3> {
  const moto: S3Program = {
    name: "moto",
    install: installMoto,
    command: (python, { port }) => [python, "-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)],
    answers: (endpoint) => answersOk(`${endpoint}/moto-api/`),
  };
  return startS3(moto, options);
}
