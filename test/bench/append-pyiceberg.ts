import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { installReaders } from "../readers/install.ts";
import { progressOnStderr } from "../services/progress.ts";

/** A catalog of PyIceberg's in a SQLite file, and where its tables lie. */
export interface PythonCatalog {
  readonly uri: string;
  readonly warehouse: string;
  readonly s3?: {
    readonly endpoint: string;
    readonly region: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
  };
}

/** Has PyIceberg append the rows of each Parquet file to a new table, a commit a file. @returns milliseconds of each, without reading the file */
export async function appendWithPyIceberg(catalog: PythonCatalog, files: readonly string[]): Promise<number[]> {
  const python = await installReaders(progressOnStderr);
  const script = fileURLToPath(new URL("../readers/append_pyiceberg.py", import.meta.url));
  const { stdout } = await promisify(execFile)(python, [script, JSON.stringify({ ...catalog, files })], {
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", PYICEBERG_HOME: "/nonexistent" },
  });
  return JSON.parse(stdout) as number[];
}
