import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalStorage } from "../../src/storage/local.ts";
import { createMemoryStorage } from "../../src/storage/memory.ts";
import { storageSuite } from "./storage-suite.ts";

storageSuite("memory", async () => ({ io: createMemoryStorage(() => Date.now()), folder: "memory://store/folder" }));

for (const scheme of ["", "file://"]) {
  storageSuite(`local ${scheme}`.trim(), async () => {
    const folder = await mkdtemp(join(tmpdir(), "frazil-storage-"));
    return {
      io: createLocalStorage(),
      folder: `${scheme}${folder}`,
      close: () => rm(folder, { recursive: true }),
    };
  });
}
