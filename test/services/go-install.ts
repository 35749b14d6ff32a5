import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { cached, type CacheEntry } from "./cache.ts";
import { type Progress, withHeartbeat } from "./progress.ts";
import { requireTool, runTool } from "./tools.ts";

/** A command built from its Go module at a pinned version. */
export type GoCommand = {
  /** The binary's name. */
  readonly name: string;
  /** Its folder in the cache. Default: `name`. */
  readonly folder?: string;
  /** The import path of the command's package. */
  readonly importPath: string;
  readonly version: string;
  /** What to expect of a first build, for the progress line. */
  readonly coldBuild: string;
};

/** The path of the command's binary, built on first use. */
export async function installGoCommand(command: GoCommand, progress: Progress): Promise<string> {
  const binary = join(await cached(cacheEntry(command), progress), command.name);
  return process.platform === "win32" ? `${binary}.exe` : binary;
}

function cacheEntry(command: GoCommand): CacheEntry {
  return {
    name: command.folder ?? command.name,
    version: command.version,
    async build(folder, report) {
      const install = "install Go 1.24 or newer (https://go.dev/doc/install)";
      const go = requireTool("go", `building ${command.folder ?? command.name}`, install);
      const what = `${command.folder ?? command.name}: building from its Go module, ${command.coldBuild}`;
      mkdirSync(folder, { recursive: true });
      await withHeartbeat(report, what, () =>
        runTool(go, ["install", "-trimpath", `${command.importPath}@${command.version}`], {
          // A folder of its own as the working folder, so that no go.mod or go.work around us has a say.
          cwd: folder,
          env: { ...process.env, GOBIN: folder, GO111MODULE: "on", GOWORK: "off", CGO_ENABLED: "0" },
        }),
      );
    },
  };
}
