import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached } from "../services/cache.ts";
import { type Progress, withHeartbeat } from "../services/progress.ts";
import { requireTool, runTool } from "../services/tools.ts";
import { Unavailable } from "../services/unavailable.ts";

const oldestPython = [3, 10] as const;

/** The Python interpreter that has PyIceberg, PyArrow and DuckDB with its extensions; installed on first use, about 500 MB. */
export function installReaders(progress: Progress): Promise<string> {
  return pythonWith("readers", "PyIceberg and DuckDB", "requirements.txt", progress);
}

/** A Python interpreter with the packages of a requirements file beside this one, in an environment of its own. */
export async function pythonWith(name: string, what: string, file: string, progress: Progress): Promise<string> {
  const requirements = fileURLToPath(new URL(file, import.meta.url));
  const python = requirePython(what);
  const pinned = createHash("sha256")
    .update(readFileSync(requirements))
    .update(python.version)
    .digest("hex")
    .slice(0, 12);
  const folder = await cached(
    {
      name,
      version: pinned,
      build: (venv, report) =>
        withHeartbeat(report, `readers: installing ${what} into a Python environment`, async () => {
          await runTool(python.path, ["-m", "venv", venv]);
          const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements];
          await runTool(join(venv, "bin", "python"), pip);
        }),
    },
    progress,
  );
  return join(folder, "bin", "python");
}

function requirePython(what: string): { path: string; version: string } {
  const install = `install Python ${oldestPython.join(".")} or newer with its venv module, for example \`apt-get install python3-venv\``;
  const path = requireTool("python3", `reading tables with ${what}`, install);
  const script = "import sys, ensurepip, venv; print('%d.%d.%d' % sys.version_info[:3])";
  const { stdout, stderr, status } = spawnSync(path, ["-c", script], { encoding: "utf8" });
  if (status !== 0) {
    throw new Unavailable(`Python's venv module does not work: ${stderr.trim().split("\n").at(-1)}`, install);
  }
  const version = stdout.trim();
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < oldestPython[0] || (major === oldestPython[0] && minor < oldestPython[1])) {
    throw new Unavailable(`the readers need Python ${oldestPython.join(".")}, found ${version}`, install);
  }
  return { path, version };
}
