import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { written } from "../../../../src/sink/key-index/sidecar.ts";
import { openSidecarFolder } from "../../../../src/sink/key-index/sidecar-folder.ts";
import { seededRandom } from "../../../support/virtual-runtime.ts";

const folder = mkdtempSync(join(tmpdir(), "frazil-folder-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A job that waits for it would wait for nothing. */
const HOPELESS = { kind: "config", code: "KEY_CACHE_FOLDER" };

it("a file where the folder should be is an error of the job's settings, not an outage", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  const open = openSidecarFolder(join(file, "t"), "1", 4, { warehouse: "w", table: "t" }, seededRandom(1));
  await expect(open).rejects.toMatchObject(HOPELESS);
});

it.each([
  ["EACCES", HOPELESS],
  ["EROFS", HOPELESS],
  ["EIO", { kind: "unavailable", code: "KEY_CACHE" }],
  ["ENOSPC", { kind: "io", code: "KEY_CACHE_FULL" }],
])("writing that fails with %s", async (code, error) => {
  const act = async (): Promise<never> => {
    throw Object.assign(new Error(code), { code });
  };
  await expect(written(act)).rejects.toMatchObject(error);
});
