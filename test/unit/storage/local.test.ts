import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createLocalStorage } from "../../../src/storage/local.ts";
import { localError } from "../../../src/storage/local-errors.ts";
import { localPath } from "../../../src/storage/local-path.ts";

let folder: string;
const io = createLocalStorage();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "frazil-local-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

it("loses no update between processes", async () => {
  const counter = join(folder, "hint");
  await io.create(counter, new TextEncoder().encode("0"));
  const program = fileURLToPath(new URL("replace-counter.ts", import.meta.url));
  const run = promisify(execFile);
  await Promise.all(
    [1, 2, 3].map(() => run(process.execPath, ["--disable-warning=ExperimentalWarning", program, counter, "20"])),
  );
  expect(await readFile(counter, "utf8")).toBe("60");
  expect((await readdir(folder)).sort()).toEqual([".hint.lock", "hint"]);
});

it("takes paths and file URLs, nothing else, and nothing that leaves its folder", () => {
  expect(localPath("/a/b")).toBe("/a/b");
  expect(localPath("file:///a/b%20c")).toBe("/a/b%20c");
  expect(localPath("file:/a/b")).toBe("/a/b");
  const bad = ["a/b", "", "s3://bucket/key", "file://host/a", "/a/../b", "/a/./b", "file:///..", "/a\0b"];
  for (const location of bad) {
    expect(() => localPath(location), location).toThrow(expect.objectContaining({ kind: "config" }));
  }
});

it("says what the disk said", async () => {
  await writeFile(join(folder, "file"), "x");
  await expect(io.read(join(folder, "file", "below"))).rejects.toMatchObject({ kind: "not-found" });
  await expect(io.read(folder)).rejects.toMatchObject({ kind: "io", code: "EISDIR" });
});

it.each([
  ["EACCES", "permission"],
  ["EPERM", "permission"],
  ["ENOSPC", "io"],
  ["EROFS", "io"],
  ["EIO", "io"],
  ["ENOENT", "not-found"],
])("maps %s to %s", (code, kind) => {
  const error = localError(Object.assign(new Error(`${code}: it failed`), { code }), "/a/b");
  expect(error).toMatchObject({ kind, message: expect.stringContaining("/a/b") });
});

it("says what is not permitted, and what to do, without the name of a temporary file", () => {
  const cause = Object.assign(new Error("EACCES: permission denied, open '/a/.b.tmp'"), { code: "EACCES" });
  const { message, hint } = localError(cause, "/a/b");
  expect([message, hint]).toEqual(["/a/b: permission denied, open", expect.stringContaining("warehouse's folder")]);
});

it("leaves no unfinished file behind when the name cannot be taken", async () => {
  await mkdir(join(folder, "taken"));
  await expect(io.write(join(folder, "taken"), new Uint8Array(1))).rejects.toMatchObject({ kind: "io" });
  const stream = await io.openWrite(join(folder, "taken"));
  await stream.write(new Uint8Array(1));
  await expect(stream.close()).rejects.toMatchObject({ kind: "io" });
  expect(await readdir(folder)).toEqual(["taken"]);
});

it("removes what a dead process left a day ago, and keeps what is being written", async () => {
  const old = join(folder, ".a.parquet.0000.tmp");
  const young = join(folder, ".b.parquet.0000.tmp");
  await writeFile(old, "x");
  await writeFile(young, "x");
  await utimes(old, 1, 1);
  await createLocalStorage().write(join(folder, "c"), new Uint8Array(1));
  expect((await readdir(folder)).sort()).toEqual([".b.parquet.0000.tmp", "c"]);
});
