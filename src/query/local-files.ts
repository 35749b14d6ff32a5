import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { FileIO } from "../../table-format/index.ts";
import type { QueryWarehouse } from "./query-warehouse.ts";
import { QUERY_FETCHES_IN_FLIGHT, QUERY_FETCH_BYTES } from "../core/limits.ts";

/** A file of a table, as DuckDB needs it: it opens paths of this machine and nothing else. */
export interface FileToRead {
  readonly location: string;
  readonly sizeBytes: bigint;
}

/** What of a warehouse leads to its files. */
export type FileAccess = Pick<QueryWarehouse, "io" | "localPath" | "scratch">;

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

export async function openLocalFiles({ io, localPath, scratch }: FileAccess): Promise<LocalFiles> {
  const { path: folder, close } = await scratch();
  const fetched = new Map<string, Promise<string>>();
  const fetchOnce = (file: FileToRead): Promise<string> => {
    let path = fetched.get(file.location);
    if (path === undefined) {
      const named = join(folder, `${createHash("sha256").update(file.location).digest("hex")}.parquet`);
      path = fetchFile(io, file, named);
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
    close,
  };
}

async function fetchFile(io: FileIO, file: FileToRead, path: string): Promise<string> {
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
