import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Clock, Log, Random, Runtime } from "../core/runtime.ts";

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(durationMs, signal) {
    try {
      await setTimeout(durationMs, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  },
};

/** The machine's own random numbers. */
export const systemRandom: Random = { uint32: () => randomBytes(4).readUInt32LE() };

/**
 * The real world for the engine.
 *
 * @param crashAt `FRAZIL_CRASH_AT`, for tests and the demo: `commit.sent:3` kills this process, as `kill -9` would, when the step
 * `commit.sent` is passed for the third time.
 */
export function createRuntime(log: Log, crashAt: string | undefined): Runtime {
  return { clock: systemClock, random: systemRandom, log, step: crashStep(crashAt) };
}

function crashStep(crashAt: string | undefined): (name: string) => void {
  const match = /^(.+):(\d+)$/.exec(crashAt ?? "");
  if (!match) return () => undefined;
  let left = Number(match[2]);
  return (name) => {
    if (name !== match[1] || --left > 0) return;
    process.kill(process.pid, "SIGKILL");
    // The signal ends the process at once; should it take a moment, nothing may happen in it.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
}
