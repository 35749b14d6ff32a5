import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openScratchFolder } from "../../../src/storage/local-scratch.ts";

const MODULE = fileURLToPath(new URL("../../../src/storage/local-scratch.ts", import.meta.url));

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "frazil-scratch-"))));
afterAll(() => rmSync(folder, { recursive: true }));

/** Opens a folder in a process of its own that ends without closing it; gives what is left. */
function left(end: string): string[] {
  const script = `import { openScratchFolder } from ${JSON.stringify(MODULE)};
    await openScratchFolder();
    ${end}`;
  const args = ["--input-type=module-typescript", "-e", script];
  spawnSync(process.execPath, args, { env: { TMPDIR: folder } });
  return readdirSync(folder);
}

it("goes with close", async () => {
  const { path, close } = await openScratchFolder();
  expect(existsSync(path)).toBe(true);
  await close();
  expect(existsSync(path)).toBe(false);
});

it("goes with its process, or with the next one after a kill, and what belongs to the living stays", () => {
  expect(left("process.exit(3)")).toEqual([]);
  expect(left("throw new Error()")).toEqual([]);
  const [abandoned] = left("process.kill(process.pid, 'SIGKILL')");
  expect(abandoned).toMatch(/^frazil-query-[0-9a-f]{8}-\d+-/);
  const others = [`${(abandoned as string).replace(/-\d+-.*/, "")}-${process.pid}-x`, "frazil-query-00000000-1-x"];
  for (const name of others) spawnSync("mkdir", [join(folder, name)]);
  expect(left("process.exit()").toSorted()).toEqual(others.toSorted());
});
