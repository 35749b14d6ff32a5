import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, closeSync, constants, existsSync, openSync, rmSync } from "node:fs";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import type { Environment } from "../config/interpolate.ts";
import { FrazilError } from "../core/errors.ts";
import { SPARK_ATTEMPTS, SPARK_LOG_TAIL_BYTES } from "../core/limits.ts";
import { ORPHANS_VIEW, type SparkCall, type SparkResult, type SparkRun } from "../maintenance/spark/application.ts";
import { sparkFailure } from "../maintenance/spark/failure.ts";
import { SPARK_SCRIPT } from "../maintenance/spark/script.ts";

/** How Spark is started. */
export interface SparkLaunch {
  /** Spark's `--master`; null: what its own settings say. */
  readonly master: string | null;
  /** Its `spark-submit`; null: that of SPARK_HOME, else of PATH. */
  readonly submit: string | null;
  /** `key=value` each. */
  readonly settings: readonly string[];
  readonly env: Environment;
  /** Shown in Spark's own pages. */
  readonly name: string;
}

/**
 * Runs calls in one Spark application and waits for its end. Everything it is told lies in a folder that only this user can read, which
 * goes with this process; after a failure the log stays. When this process ends, so does Spark's driver.
 *
 * @param conf settings of the session, which reach Spark by the request file and not by a command line that others can see
 * @param note told where the log is
 * @throws FrazilError when Spark was not found or ended before its calls were done.
 */
export async function runSpark(
  launch: SparkLaunch,
  conf: Readonly<Record<string, string>>,
  calls: readonly SparkCall[],
  note: (line: string) => void,
): Promise<SparkRun & { readonly logPath: string; close(failed: boolean): Promise<void> }> {
  const submit = findSubmit(launch);
  const folder = await mkdtemp(join(tmpdir(), "frazil-spark-"));
  const [script, request, results, logPath] = ["frazil_calls.py", "request.json", "results.jsonl", "spark.log"].map(
    (name) => join(folder, name),
  ) as [string, string, string, string];
  await writeFile(script, SPARK_SCRIPT, { mode: 0o600 });
  const asked = { conf, calls, view: ORPHANS_VIEW, attempts: SPARK_ATTEMPTS };
  await writeFile(request, JSON.stringify(asked), { mode: 0o600 });
  const close = async (failed: boolean): Promise<void> => {
    await Promise.all((failed ? [script, request, results] : [folder]).map((path) => rm(path, REMOVE)));
  };
  note(`Spark is at work; its log is ${logPath}`);
  try {
    const ended = await submitted(submit, argumentsOf(launch, script, request, results), launch.env, logPath);
    const run = await readResults(results);
    if (run === null) throw sparkFailure(await tailOf(logPath, ended), logPath);
    return { ...run, logPath, close };
  } catch (error) {
    await close(true);
    throw error;
  }
}

const REMOVE = { recursive: true, force: true };

function argumentsOf(launch: SparkLaunch, script: string, request: string, results: string): string[] {
  return [
    ...(launch.master === null ? [] : ["--master", launch.master]),
    // The catalog is a file of this machine, and the driver is what commits.
    ...["--deploy-mode", "client", "--name", launch.name],
    ...launch.settings.flatMap((setting) => ["--conf", setting]),
    ...[script, request, results],
  ];
}

/** Resolves with how it ended. */
async function submitted(submit: string, args: readonly string[], env: Environment, logPath: string): Promise<string> {
  const log = openSync(logPath, "w", 0o600);
  let child: ChildProcess;
  try {
    child = spawn(submit, args, { stdio: ["ignore", log, log], env: { ...env } });
  } finally {
    closeSync(log);
  }
  const end = (): void => {
    child.kill("SIGTERM");
    rmSync(dirname(logPath), REMOVE);
  };
  process.once("exit", end);
  try {
    return await new Promise<string>((done, fail) => {
      child.once("error", fail);
      child.once("exit", (code, signal) => done(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
  } catch (cause) {
    throw notFound(`${submit} cannot be started: ${(cause as Error).message}`);
  } finally {
    process.off("exit", end);
  }
}

/** Null when Spark ended before its calls were done. */
async function readResults(path: string): Promise<SparkRun | null> {
  if (!existsSync(path)) return null;
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  const [first, ...rest] = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  if (first === undefined || rest.at(-1)?.["done"] !== true) return null;
  return { applicationId: String(first["applicationId"]), results: rest.slice(0, -1) as unknown as SparkResult[] };
}

/** The end of the log, with how the process ended behind it. */
async function tailOf(logPath: string, ended: string): Promise<string> {
  const file = await open(logPath);
  try {
    const { size } = await file.stat();
    const length = Math.min(size, SPARK_LOG_TAIL_BYTES);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return `${buffer.toString("utf8")}\nspark-submit ended with ${ended}`;
  } finally {
    await file.close();
  }
}

function findSubmit({ submit, env }: SparkLaunch): string {
  if (submit !== null) {
    if (isExecutable(submit)) return resolve(submit);
    throw notFound(`${submit} is no program`);
  }
  const home = env["SPARK_HOME"];
  const folders = home === undefined || home === "" ? (env["PATH"] ?? "").split(delimiter) : [join(home, "bin")];
  const found = folders.map((folder) => join(folder, "spark-submit")).find(isExecutable);
  if (found !== undefined) return found;
  throw notFound(home === undefined || home === "" ? "no spark-submit is on PATH" : `SPARK_HOME=${home} has none`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function notFound(why: string): FrazilError {
  return new FrazilError("config", "SPARK_NOT_FOUND", `Spark's spark-submit was not found: ${why}`, {
    hint: "name it with --spark-submit, or set SPARK_HOME",
  });
}
