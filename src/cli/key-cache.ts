import { homedir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../config/interpolate.ts";

/** Where the keys of jobs are kept that name no folder: `$XDG_CACHE_HOME` (XDG Base Directory Specification), else `~/.cache`. */
export function keyCachePath(env: Environment): string {
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "frazil", "keys");
}
