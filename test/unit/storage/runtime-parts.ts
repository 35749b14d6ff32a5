import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Runtime } from "../../../src/core/runtime.ts";

/** The real clock, real random numbers and a silent log, for storage that talks to real servers. */
export function systemRuntimeParts(): Pick<Runtime, "clock" | "random" | "log"> {
  const silent = () => {};
  return {
    clock: {
      nowMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      sleep: (durationMs, signal) => sleep(durationMs, undefined, signal === undefined ? {} : { signal }).catch(silent),
    },
    random: { uint32: () => randomBytes(4).readUInt32LE() },
    log: { debug: silent, info: silent, warn: silent, error: silent },
  };
}
