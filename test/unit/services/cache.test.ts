import { fork } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { cached, type CacheEntry, tryLock } from "../../services/cache.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "frazil-cache-"));
  vi.stubEnv("FRAZIL_CACHE", folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function entry(build: CacheEntry["build"]): CacheEntry {
  return { name: "thing", version: "1", build };
}

it("builds once, also when asked several times at once", async () => {
  const build = vi.fn(async (staging: string) => writeFileSync(join(staging, "file"), "built"));
  const paths = await Promise.all([1, 2, 3].map(() => cached(entry(build), () => {})));
  expect(build).toHaveBeenCalledTimes(1);
  expect(new Set(paths).size).toBe(1);
  expect(readFileSync(join(paths[0] ?? "", "file"), "utf8")).toBe("built");
});

it("leaves nothing under the final name when a build fails, and builds again", async () => {
  const failing = entry(async (staging) => {
    writeFileSync(join(staging, "half"), "");
    throw new Error("no network");
  });
  await expect(cached(failing, () => {})).rejects.toThrow("no network");
  expect(existsSync(join(folder, "thing", "1"))).toBe(false);
  const path = await cached(
    entry(async (staging) => writeFileSync(join(staging, "whole"), "")),
    () => {},
  );
  expect(existsSync(join(path, "whole"))).toBe(true);
  expect(existsSync(join(path, "half"))).toBe(false);
});

it("takes a lock over from a process that was killed while it held it", async () => {
  const path = join(folder, "lock");
  const holder = join(folder, "holder.mjs");
  const sqlite = `new DatabaseSync(${JSON.stringify(path)})`;
  writeFileSync(
    holder,
    `import { DatabaseSync } from "node:sqlite"; globalThis.lock = ${sqlite}; lock.exec("BEGIN EXCLUSIVE"); setInterval(() => {}, 1_000); process.send("held");`,
  );
  const child = fork(holder, { stdio: "ignore" });
  await new Promise((resolve) => void child.once("message", resolve));
  expect(tryLock(path)).toBeNull();
  child.kill("SIGKILL");
  await new Promise((resolve) => void child.once("exit", resolve));
  using lock = tryLock(path);
  expect(lock).not.toBeNull();
  expect(tryLock(path)).toBeNull();
});
