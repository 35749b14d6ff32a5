import { type Dirent } from "node:fs";
import { link, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { type FileEntry, type FileIO, FrazilError, type OutputStream } from "../../table-format/index.ts";
import { contentTag } from "./content-tag.ts";
import { isOwnName, lockPath, openTemporary, removeAbandoned, syncFolder, writeTemporary } from "./local-durable.ts";
import { localError, systemCode } from "./local-errors.ts";
import { withFileLock } from "./local-lock.ts";
import { localPath } from "./local-path.ts";

/** Objects up to this size are tagged by content; larger ones, which nobody replaces, by inode and time. */
const MAX_CONTENT_TAG_BYTES = 1 << 20;

/**
 * Folders of this machine as a store. Objects become visible whole and durable: written beside their name, synced, renamed (or, for
 * `create`, linked: a rename would overwrite silently), and the folder synced.
 *
 * `replace` compares and renames under a lock that all processes of the machine share. An object that is replaced must not be
 * deleted meanwhile. Network file systems are not supported as far as their locks and hard links are not.
 */
export function createLocalStorage(): FileIO {
  return new LocalStorage();
}

class LocalStorage implements FileIO {
  /** Folders where what a dead process left has been removed. */
  private readonly swept = new Set<string>();

  async read(location: string): Promise<Uint8Array> {
    const path = localPath(location);
    return guarded(location, () => readFile(path));
  }

  async readRange(location: string, offset: number, length: number): Promise<Uint8Array> {
    const path = localPath(location);
    return guarded(location, async () => {
      const handle = await open(path, "r");
      try {
        const bytes = new Uint8Array(length);
        let read = 0;
        while (read < length) {
          const { bytesRead } = await handle.read(bytes, read, length - read, offset + read);
          if (bytesRead === 0) {
            throw new FrazilError(
              "corrupt",
              "OBJECT_TOO_SHORT",
              `${location}: expected ${length} bytes at ${offset}, found ${read}`,
            );
          }
          read += bytesRead;
        }
        return bytes;
      } finally {
        await handle.close();
      }
    });
  }

  async stat(location: string): Promise<{ sizeBytes: number; etag: string } | null> {
    const path = localPath(location);
    return orNull(location, async () => {
      const found = await stat(path, { bigint: true });
      if (found.isDirectory()) return null;
      const sizeBytes = Number(found.size);
      if (sizeBytes > MAX_CONTENT_TAG_BYTES) return { sizeBytes, etag: inodeTag(found) };
      // Size and tag must belong together, so both come from what is read now.
      const bytes = await readFile(path);
      return { sizeBytes: bytes.length, etag: contentTag(bytes) };
    });
  }

  async readTagged(location: string): Promise<{ bytes: Uint8Array; etag: string } | null> {
    const path = localPath(location);
    return orNull(location, async () => {
      const handle = await open(path, "r");
      try {
        const bytes = await handle.readFile();
        if (bytes.length <= MAX_CONTENT_TAG_BYTES) return { bytes, etag: contentTag(bytes) };
        // Names move from file to file, but a file once visible never changes: the open one still is the one that was read.
        return { bytes, etag: inodeTag(await handle.stat({ bigint: true })) };
      } finally {
        await handle.close();
      }
    });
  }

  async write(location: string, bytes: Uint8Array): Promise<void> {
    const path = localPath(location);
    await guardedWrite(location, async () => {
      await this.sweep(path);
      const temporary = await writeTemporary(path, bytes);
      try {
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      await syncFolder(dirname(path));
    });
  }

  async openWrite(location: string): Promise<OutputStream> {
    const path = localPath(location);
    return guardedWrite(location, async () => {
      await this.sweep(path);
      const { handle, temporary } = await openTemporary(path);
      return outputStream(location, path, handle, temporary);
    });
  }

  async create(
    location: string,
    bytes: Uint8Array,
  ): Promise<{ outcome: "created"; etag: string } | { outcome: "exists" }> {
    const path = localPath(location);
    return guardedWrite(location, async () => {
      const temporary = await writeTemporary(path, bytes);
      try {
        await link(temporary, path);
      } catch (error) {
        if (systemCode(error) === "EEXIST") return { outcome: "exists" };
        throw linkError(error, location);
      } finally {
        await rm(temporary, { force: true });
      }
      await syncFolder(dirname(path));
      return { outcome: "created", etag: (await tagOf(path, bytes)) ?? contentTag(bytes) };
    });
  }

  async replace(
    location: string,
    bytes: Uint8Array,
    etag: string,
  ): Promise<{ outcome: "replaced"; etag: string } | { outcome: "conflict" }> {
    const path = localPath(location);
    return guardedWrite(location, async () => {
      // Also keeps a lock file from appearing in a folder where there is nothing to replace.
      if ((await this.stat(location)) === null) return { outcome: "conflict" };
      const temporary = await writeTemporary(path, bytes);
      try {
        return await withFileLock(lockPath(path), async () => {
          if ((await this.stat(location))?.etag !== etag) return { outcome: "conflict" };
          await rename(temporary, path);
          await syncFolder(dirname(path));
          return { outcome: "replaced", etag: (await tagOf(path, bytes)) ?? contentTag(bytes) };
        });
      } finally {
        await rm(temporary, { force: true });
      }
    });
  }

  async *list(prefix: string): AsyncIterable<FileEntry> {
    const folders = [{ path: localPath(prefix), location: prefix }];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for (const entry of await entriesOf(folder.path, folder.location)) {
        const path = `${folder.path}/${entry.name}`;
        const location = `${folder.location}/${entry.name}`;
        if (entry.isDirectory()) {
          folders.push({ path, location });
        } else if (!isOwnName(entry.name)) {
          // Null when it has gone since: then it is not there.
          const found = await orNull(location, () => stat(path));
          if (found !== null) yield { location, sizeBytes: found.size, lastModifiedMs: Math.floor(found.mtimeMs) };
        }
      }
    }
  }

  async delete(location: string): Promise<void> {
    const path = localPath(location);
    await guarded(location, () => rm(path, { force: true }));
  }

  private async sweep(path: string): Promise<void> {
    const folder = dirname(path);
    if (this.swept.has(folder)) return;
    this.swept.add(folder);
    await removeAbandoned(folder, Date.now());
  }
}

function outputStream(
  location: string,
  path: string,
  handle: Awaited<ReturnType<typeof open>>,
  temporary: string,
): OutputStream {
  let sizeBytes = 0;
  let isOpen = true;
  const assertOpen = (verb: string): void => {
    if (!isOpen) throw new FrazilError("internal", "STREAM_ENDED", `${location}: ${verb} after close or abort`);
  };
  const drop = async (): Promise<void> => {
    isOpen = false;
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true });
  };
  return {
    write: async (chunk) => {
      assertOpen("write");
      await guarded(location, () => handle.writeFile(chunk));
      sizeBytes += chunk.length;
    },
    close: async () => {
      assertOpen("close");
      return guarded(location, async () => {
        try {
          await handle.sync();
          await handle.close();
          isOpen = false;
          await rename(temporary, path);
        } catch (error) {
          await drop();
          throw error;
        }
        await syncFolder(dirname(path));
        return { sizeBytes };
      });
    },
    abort: async () => {
      if (isOpen) await guarded(location, drop);
    },
  };
}

/** Some file systems have no hard links, and answer as if a right were missing. */
function linkError(error: unknown, location: string): unknown {
  const code = systemCode(error) ?? "";
  if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes(code)) return error;
  return new FrazilError("config", "NO_HARD_LINKS", `${location}: the file system has no hard links (${code})`, {
    hint: "put the warehouse on a local file system such as ext4, xfs or btrfs",
    cause: error,
  });
}

/** The tag that `stat` will give an object just written with these bytes; null when it has gone already. */
async function tagOf(path: string, bytes: Uint8Array): Promise<string | null> {
  if (bytes.length <= MAX_CONTENT_TAG_BYTES) return contentTag(bytes);
  return orNull(path, async () => inodeTag(await stat(path, { bigint: true })));
}

function inodeTag(found: { ino: bigint; mtimeNs: bigint; size: bigint }): string {
  return `${found.ino}-${found.mtimeNs}-${found.size}`;
}

async function entriesOf(path: string, location: string): Promise<Dirent[]> {
  return (await orNull(location, () => readdir(path, { withFileTypes: true }))) ?? [];
}

/** Runs system calls on an object, their errors in the words of `FileIO`. */
async function guarded<T>(location: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw localError(error, location);
  }
}

/** As `guarded`; a folder that cannot be made answers as if something were missing, and is no missing object. */
async function guardedWrite<T>(location: string, action: () => Promise<T>): Promise<T> {
  return guarded(location, async () => {
    try {
      return await action();
    } catch (error) {
      const code = systemCode(error);
      if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EEXIST") throw error;
      throw new FrazilError("io", code, `${location} cannot be written: ${(error as Error).message}`, {
        hint: "check that warehouse.location is a folder, on a file system that is not mounted read-only",
        cause: error,
      });
    }
  });
}

/** As `guarded`, but null when the object is absent. */
async function orNull<T>(location: string, action: () => Promise<T>): Promise<T | null> {
  try {
    return await action();
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw localError(error, location);
  }
}
