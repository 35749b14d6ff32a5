import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Clock, Random } from "./core/runtime.ts";

// What the outermost layers hand in: the command line and the library are started on a real machine.

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

/** The environment that `AWS_*` is read from. */
export const systemEnvironment: Readonly<Record<string, string | undefined>> = process.env;
