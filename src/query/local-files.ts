import { createHash } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileIO } from "../../table-format/index.ts";
import { QUERY_FETCHES_IN_FLIGHT, QUERY_FETCH_BYTES } from "../core/limits.ts";

/** A file of a table, as DuckDB needs it: it opens paths of this machine and nothing else. */
export interface FileToRead {
  readonly location: string;
  readonly sizeBytes: bigint;
}

/**
 * Files of a warehouse as paths. Those of a local warehouse are where they are; others are copied into a folder of this call, which
 * `close` removes.
 */
export interface LocalFiles {
  /** A folder for whatever is temporary. */
  readonly folder: string;
  /** The paths, beside the files. */
  paths(files: readonly FileToRead[]): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * @param localPath The path behind a location; null where locations have none.
 */
export async function openLocalFiles(
  io: FileIO,
  localPath: ((location: string) => string) | null,
): Promise<LocalFiles> {
  const folder = await mkdtemp(join(tmpdir(), "frazil-query-"));
  const fetched = new Map<string, Promise<string>>();
  const fetchOnce = (file: FileToRead): Promise<string> => {
    let path = fetched.get(file.location);
    if (path === undefined) {
      path = fetchFile(io, file, folder);
      fetched.set(file.location, path);
    }
    return path;
  };
  return {
    folder,
    async paths(files) {
      if (localPath !== null) return files.map((file) => localPath(file.location));
      const paths = Array.from(files, () => "");
      let next = 0;
      const worker = async (): Promise<void> => {
        for (let index = next++; index < files.length; index = next++) {
          paths[index] = await fetchOnce(files[index] as FileToRead);
        }
      };
      await Promise.all(Array.from({ length: QUERY_FETCHES_IN_FLIGHT }, worker));
      return paths;
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

async function fetchFile(io: FileIO, file: FileToRead, folder: string): Promise<string> {
  const path = join(folder, `${createHash("sha256").update(file.location).digest("hex")}.parquet`);
  const handle = await open(path, "wx");
  try {
    const sizeBytes = Number(file.sizeBytes);
    for (let offset = 0; offset < sizeBytes; offset += QUERY_FETCH_BYTES) {
      const length = Math.min(QUERY_FETCH_BYTES, sizeBytes - offset);
      await handle.writeFile(await io.readRange(file.location, offset, length));
    }
  } finally {
    await handle.close();
  }
  return path;
}
