import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { SidecarBuilder } from "../../../../src/sink/key-index/sidecar-builder.ts";
import { KEY_WORDS } from "../../../../src/sink/keys/key-words.ts";

/** More than are held in memory. */
const KEYS = 1_500_000;

const folder = mkdtempSync(join(tmpdir(), "frazil-builder-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The builder's file without a name, by way of the system's list of what a process has open. */
function openAside(): number {
  const path = readdirSync("/proc/self/fd")
    .map((fd) => `/proc/self/fd/${fd}`)
    .find((link) => {
      try {
        return readlinkSync(link).startsWith(folder) && readlinkSync(link).includes(".unsorted");
      } catch {
        // Closed since it was listed.
        return false;
      }
    });
  return openSync(path ?? "none is open", "r+");
}

it.skipIf(process.platform !== "linux").each([2, 4] as const)(
  "keys of %i words that were put aside and damaged are not taken for keys",
  async (words) => {
    const path = join(folder, `${words}.keys`);
    const builder = new SidecarBuilder(path, { seed: 5, signature: "1", words }, KEYS);
    try {
      const keys = new Uint32Array(KEYS * KEY_WORDS);
      for (let i = 0; i < KEYS; i++) keys[i * KEY_WORDS] = i;
      await builder.addRows(keys, 0);
      const aside = openAside();
      // A page that never came to the disk.
      writeSync(aside, new Uint8Array(4096), 0, 4096, 1 << 20);
      closeSync(aside);
      const finished = builder.finish([{ path: "f", sizeBytes: 1, rows: KEYS }]);
      await expect(finished).rejects.toMatchObject({ kind: "unavailable", code: "KEY_CACHE" });
    } finally {
      await builder.close();
    }
    expect(readdirSync(folder)).toEqual([]);
  },
);
