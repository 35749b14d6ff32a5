import { type Duckdb, openDuckdb } from "./duckdb.ts";
import { type Holds, release } from "./held-table.ts";
import { type FileAccess, type LocalFiles, openLocalFiles } from "./local-files.ts";

/**
 * What `start` begins in a DuckDB of its own, beside the files that it reads and the snapshots that it holds; `close` ends all of them.
 * Should `start` fail, they are closed at once.
 */
export async function openReading<T extends object>(
  access: FileAccess,
  start: (duckdb: Duckdb, files: LocalFiles, holds: Holds) => Promise<T>,
): Promise<T & { close(): Promise<void> }> {
  const files = await openLocalFiles(access);
  const holds: Holds = [];
  let duckdb: Duckdb | null = null;
  const close = async (): Promise<void> => {
    duckdb?.close();
    await release(holds);
    await files.close();
  };
  try {
    duckdb = await openDuckdb(files.folder);
    return { ...(await start(duckdb, files, holds)), close };
  } catch (error) {
    await close();
    throw error;
  }
}
