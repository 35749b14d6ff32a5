import { createRequire, syncBuiltinESMExports } from "node:module";
import type { DISK_ACTS } from "./crash-points.ts";
import { never, type SimProcess } from "./process.ts";
import type { Draw } from "./scheduler.ts";

/** Paths below it lie on a simulated disk; the name behind it is that of the process that uses the path. */
const MOUNTS = "/simulated-disk/";

type Act = (typeof DISK_ACTS)[number];

interface StoredFile {
  bytes: Uint8Array;
  readonly changedMs: number;
}

/** How a disk fails. */
interface DiskFaults {
  /** An error of the system for one act, or null. */
  next(act: Act): "EIO" | "ENOSPC" | "EMFILE" | null;
}

/** The local disk of a machine: what processes have written stays when they die. */
export class Disk {
  readonly files = new Map<string, StoredFile>();
  readonly folders = new Set<string>();
  /** Whoever holds the lock of a file, as SQLite takes it. */
  readonly locks = new Map<string, SimProcess>();
  readonly faults: DiskFaults;

  constructor(faults: DiskFaults) {
    this.faults = faults;
  }

  /** Lets a process use the disk. @returns the path of its root, as the process sees it */
  mount(process: SimProcess): string {
    install();
    mounts.set(process.name, { disk: this, process });
    return `${MOUNTS}${process.name}`;
  }

  /**
   * What a failing disk, a cleaner of caches or a power cut does: one file ends early, has a wrong bit or is gone, or all are.
   * @returns what was done, null where there is nothing to be damaged
   */
  damage(draw: Draw): string | null {
    const kept = [...this.files.keys()].filter((path) => path.endsWith(".keys")).toSorted();
    if (kept.length === 0) return null;
    const path = draw.pick(kept);
    const file = this.files.get(path) as StoredFile;
    const kind = draw.pick(["bit", "end", "gone", "all"] as const);
    if (kind === "bit") {
      const at = draw.below(file.bytes.length);
      // Another array: whoever has the file open reads what is there now.
      file.bytes = file.bytes.slice();
      file.bytes[at] = (file.bytes[at] as number) ^ (1 << draw.below(8));
    } else if (kind === "end") file.bytes = file.bytes.slice(0, draw.below(file.bytes.length));
    else if (kind === "gone") this.files.delete(path);
    else this.files.clear();
    return kind;
  }
}

interface Mount {
  readonly disk: Disk;
  readonly process: SimProcess;
}

const mounts = new Map<string, Mount>();

/** Empty disks of as many machines. Those of a run before are gone. */
export function newDisks(count: number, faults: DiskFaults): readonly Disk[] {
  mounts.clear();
  opened.clear();
  return Array.from({ length: count }, () => new Disk(faults));
}

/** What stands behind the number of an open file. */
const opened = new Map<number, StoredFile>();
/** No system gives out such numbers. */
const FIRST_NUMBER = 1_000_000_000;
let nextNumber = FIRST_NUMBER;

function mountOf(path: unknown): { readonly mount: Mount; readonly name: string } | null {
  if (typeof path !== "string" || !path.startsWith(MOUNTS)) return null;
  const [process = "", ...rest] = path.slice(MOUNTS.length).split("/");
  const mount = mounts.get(process);
  if (mount === undefined) throw failure("ENOENT", "mount", path);
  return { mount, name: rest.join("/") };
}

function failure(code: string, act: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${act} '${path}'`), { code });
}

/** Does something on a disk, which takes time: then it happens, if the process is still there. */
function on<T>({ disk, process }: Mount, act: Act, path: string, effect: () => T): Promise<T> {
  if (process.reach(`cache ${act}`)) return never();
  const fault = disk.faults.next(act);
  return new Promise((resolve, reject) => {
    process.scheduler.at(process.draw.below(40) / 20, process, () => {
      try {
        if (fault !== null) throw failure(fault, act, path);
        resolve(effect());
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** The part of `FileHandle` that caches of keys use. */
class SimHandle {
  readonly fd = nextNumber++;
  readonly #mount: Mount;
  readonly #path: string;
  readonly #file: StoredFile;

  constructor(mount: Mount, path: string, file: StoredFile) {
    this.#mount = mount;
    this.#path = path;
    this.#file = file;
    opened.set(this.fd, file);
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }> {
    return on(this.#mount, "read", this.#path, () => ({
      bytesRead: copy(this.#file, buffer, offset, length, position),
    }));
  }

  stat(): Promise<{ size: number; mtimeMs: number }> {
    const { bytes, changedMs } = this.#file;
    return on(this.#mount, "read", this.#path, () => ({ size: bytes.length, mtimeMs: changedMs }));
  }

  writeFile(bytes: Uint8Array): Promise<void> {
    const file = this.#file;
    const own = Uint8Array.from(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return on(this.#mount, "write", this.#path, () => {
      file.bytes = Buffer.concat([file.bytes, own]);
    });
  }

  close(): Promise<void> {
    opened.delete(this.fd);
    return Promise.resolve();
  }
}

function copy({ bytes }: StoredFile, into: Uint8Array, offset: number, length: number, position: number): number {
  const found = bytes.subarray(position, position + length);
  into.set(found, offset);
  return found.length;
}

/** `node:fs/promises` for paths on simulated disks. */
const simulated = {
  open(path: string, flags: string) {
    const { mount, name } = mustMount(path);
    return on(mount, "open", path, () => {
      const { files } = mount.disk;
      const there = files.get(name);
      if (flags === "r") {
        if (there === undefined) throw failure("ENOENT", "open", path);
        return new SimHandle(mount, path, there);
      }
      if (there !== undefined) throw failure("EEXIST", "open", path);
      checkParent(mount, name, path);
      const file = { bytes: new Uint8Array(0), changedMs: mount.process.scheduler.nowMs };
      files.set(name, file);
      return new SimHandle(mount, path, file);
    });
  },
  mkdir(path: string) {
    const { mount, name } = mustMount(path);
    return on(mount, "write", path, () => makeFolder(mount, name));
  },
  readdir(path: string) {
    const { mount, name } = mustMount(path);
    return on(mount, "read", path, () => {
      const { disk } = mount;
      if (name !== "" && !disk.folders.has(name)) throw failure("ENOENT", "scandir", path);
      const prefix = name === "" ? "" : `${name}/`;
      const below = [...disk.files.keys(), ...disk.folders].filter((each) => each !== name && each.startsWith(prefix));
      return [...new Set(below.map((each) => each.slice(prefix.length).split("/")[0] as string))].toSorted();
    });
  },
  rm(path: string) {
    const { mount, name } = mustMount(path);
    return on(mount, "remove", path, () => {
      const { files, folders } = mount.disk;
      for (const all of [files, folders]) {
        for (const each of all.keys()) if (each === name || each.startsWith(`${name}/`)) all.delete(each);
      }
    });
  },
  stat(path: string) {
    const { mount, name } = mustMount(path);
    return on(mount, "read", path, () => {
      const file = fileAt(mount, name, path);
      return { size: file.bytes.length, mtimeMs: file.changedMs };
    });
  },
  readFile(path: string) {
    const { mount, name } = mustMount(path);
    return on(mount, "read", path, () => Buffer.from(fileAt(mount, name, path).bytes).toString());
  },
  writeFile(path: string, text: string) {
    const { mount, name } = mustMount(path);
    return on(mount, "write", path, () => {
      checkParent(mount, name, path);
      mount.disk.files.set(name, { bytes: Buffer.from(text), changedMs: mount.process.scheduler.nowMs });
    });
  },
  rename(path: string, to: string) {
    const { mount, name } = mustMount(path);
    const target = mustMount(to).name;
    return on(mount, "rename", path, () => {
      const { files } = mount.disk;
      files.set(target, fileAt(mount, name, path));
      files.delete(name);
    });
  },
};

function mustMount(path: string): { readonly mount: Mount; readonly name: string } {
  return mountOf(path) as { readonly mount: Mount; readonly name: string };
}

function fileAt({ disk }: Mount, name: string, path: string): StoredFile {
  const file = disk.files.get(name);
  if (file === undefined) throw failure("ENOENT", "open", path);
  return file;
}

function makeFolder({ disk }: Mount, name: string): void {
  const parts = name.split("/");
  for (const index of parts.keys()) disk.folders.add(parts.slice(0, index + 1).join("/"));
}

function checkParent({ disk }: Mount, name: string, path: string): void {
  const folder = name.slice(0, Math.max(0, name.lastIndexOf("/")));
  if (folder !== "" && !disk.folders.has(folder)) throw failure("ENOENT", "open", path);
}

/** The lock that SQLite takes on a file of a simulated disk; it ends with the process. */
function simLock(path: string): { exec(sql: string): void; close(): void } {
  const { mount, name } = mustMount(path);
  const { disk, process } = mount;
  let held = false;
  return {
    exec() {
      if (disk.locks.get(name)?.dead === false) throw Object.assign(new Error("database is locked"), { errcode: 5 });
      disk.locks.set(name, process);
      held = true;
    },
    close() {
      if (held) disk.locks.delete(name);
    },
  };
}

let installed = false;

/**
 * From now on the file system is asked for everything but what lies on simulated disks. The engine reads and writes its cache of keys by Node's
 * own functions, on this thread: whose exports are live, so that it need not know.
 */
function install(): void {
  if (installed) return;
  installed = true;
  const require = createRequire(import.meta.url);
  const promises = require("node:fs/promises") as Record<string, (...given: unknown[]) => unknown>;
  for (const [name, act] of Object.entries(simulated) as [string, (...given: unknown[]) => unknown][]) {
    const real = promises[name] as (...given: unknown[]) => unknown;
    promises[name] = (...given) => (mountOf(given[0]) === null ? real.apply(promises, given) : act(...given));
  }
  const fs = require("node:fs") as Record<string, (...given: unknown[]) => unknown>;
  const readSync = fs["readSync"] as (...given: unknown[]) => unknown;
  fs["readSync"] = (...given) => {
    const file = opened.get(given[0] as number);
    if (file === undefined) return readSync(...given);
    const [, buffer, offset, length, position] = given as [number, Uint8Array, number, number, number];
    return copy(file, buffer, offset, length, position);
  };
  const sqlite = require("node:sqlite") as { DatabaseSync: new (path: string, options?: object) => object };
  const Real = sqlite.DatabaseSync;
  sqlite.DatabaseSync = new Proxy(Real, {
    construct: (target, [path, ...others]: [string, ...object[]], newTarget) =>
      typeof path === "string" && path.startsWith(MOUNTS)
        ? simLock(path)
        : (Reflect.construct(target, [path, ...others], newTarget) as object),
  });
  syncBuiltinESMExports();
}
