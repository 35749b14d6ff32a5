import type { Log, Runtime } from "../core/runtime.ts";
import { systemClock, systemRandom } from "../system.ts";

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** The real world, for a program that uses the library. Says nothing unless a log is given. */
export function machineRuntime(log: Log | undefined): Runtime {
  return { clock: systemClock, random: systemRandom, log: log ?? SILENT, step() {} };
}
