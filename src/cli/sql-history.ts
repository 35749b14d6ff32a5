import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { Environment } from "../config/interpolate.ts";

/** Lines that are kept. */
export const HISTORY_LINES = 1_000;

/** Where the prompt's history is: `FRAZIL_HISTORY`, else in the folder that XDG has for such. */
export function historyPath(env: Environment): string {
  const state = env["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  return env["FRAZIL_HISTORY"] || join(state, "frazil", "sql_history");
}

/** The lines, the last one first; none when there is no such file. */
export function readHistory(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean).reverse().slice(0, HISTORY_LINES);
  } catch {
    return [];
  }
}

/** Writes the lines (the last one first) for this user alone: statements may hold what others must not see. @returns whether it could. */
export function writeHistory(path: string, lines: readonly string[]): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(
      path,
      lines
        .slice(0, HISTORY_LINES)
        .toReversed()
        .map((line) => `${line}\n`)
        .join(""),
      { mode: 0o600 },
    );
    return true;
  } catch {
    return false;
  }
}
