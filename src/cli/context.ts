import type { Log, Runtime } from "../core/runtime.ts";
import { createLog } from "../observe/log.ts";
import type { Globals } from "./globals.ts";
import { type Output, processOutput } from "./output.ts";
import { createRuntime, systemClock } from "./runtime.ts";

/** What every verb gets. */
export interface CliContext {
  readonly globals: Globals;
  readonly output: Output;
  readonly runtime: Runtime;
}

/** The context of a verb that runs in this process. */
export function createContext(globals: Globals): CliContext {
  const log = processLog(globals);
  return {
    globals,
    output: processOutput(globals, log),
    runtime: createRuntime(log, globals.env["FRAZIL_CRASH_AT"]),
  };
}

/** The log of this process, on standard error. */
export function processLog({ logLevel, logFormat, color }: Globals): Log {
  return createLog({
    level: logLevel,
    format: logFormat,
    color,
    nowMs: systemClock.nowMs,
    write: (line) => process.stderr.write(line),
  });
}
