import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder, tryLock } from "./cache.ts";
import type { ServerName } from "./registry.ts";

/** What `npm run services` knows of a server that runs in the background. */
export type Supervised = {
  readonly name: ServerName;
  /** The process that owns the server; SIGTERM to it stops both. */
  readonly supervisorPid: number;
  readonly address: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
};

/** The files about one server in the background. */
export async function supervisionFiles(name: ServerName): Promise<{ state: string; lock: string; log: string }> {
  const folder = join(cacheFolder(), "services");
  await mkdir(folder, { recursive: true });
  const file = (extension: string) => join(folder, `${name}.${extension}`);
  return { state: file("json"), lock: file("lock"), log: file("log") };
}

/** The server's state, or null when none runs. */
export async function readSupervised(name: ServerName): Promise<Supervised | null> {
  const files = await supervisionFiles(name);
  // The lock is tried only once there is an announcement, so that asking never keeps a supervisor from taking it.
  if (!existsSync(files.state)) return null;
  using lock = tryLock(files.lock);
  if (lock === null) return JSON.parse(readFileSync(files.state, "utf8")) as Supervised;
  // Its supervisor was killed.
  await removeSupervised(name);
  return null;
}

/** Announces a started server. */
export async function writeSupervised(state: Supervised): Promise<void> {
  const { state: file } = await supervisionFiles(state.name);
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

/** Takes the announcement back. */
export async function removeSupervised(name: ServerName): Promise<void> {
  rmSync((await supervisionFiles(name)).state, { force: true });
}
