import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Damage = "delete" | "truncate" | "flip";

/** Damages one file of a folder of keys, mostly one that holds keys. @returns its path; null when there is none. */
export function damageFile(folder: string, how: Damage, random: { uint32(): number }): string | null {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const sidecars = files.filter((path) => path.endsWith(".keys"));
  const among = sidecars.length > 0 && random.uint32() % 4 > 0 ? sidecars : files;
  const path = among[random.uint32() % Math.max(1, among.length)];
  if (path === undefined) return null;
  const { size } = statSync(path);
  if (how === "delete") rmSync(path);
  else if (how === "truncate") truncateSync(path, size >> 1);
  else if (size > 0) {
    const bytes = readFileSync(path);
    bytes[random.uint32() % size]! ^= 1 << (random.uint32() % 8);
    writeFileSync(path, bytes);
  }
  return path;
}
