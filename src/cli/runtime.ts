import type { Log, Runtime } from "../core/runtime.ts";
import { systemClock, systemRandom } from "../system.ts";

export { systemClock, systemRandom } from "../system.ts";

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
