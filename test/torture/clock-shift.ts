import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Unavailable } from "../services/unavailable.ts";

const LIBRARIES = "/usr/lib";

/** The path of the library that gives a process another time of day; Debian's package `faketime` brings it. */
export function findFaketime(): string {
  const folders = existsSync(LIBRARIES) ? readdirSync(LIBRARIES) : [];
  for (const folder of folders) {
    const path = join(LIBRARIES, folder, "faketime", "libfaketime.so.1");
    if (existsSync(path)) return path;
  }
  throw new Unavailable("shifted clocks need libfaketime, which is not there", "apt-get install faketime");
}

/**
 * The environment of a process whose clock is `shiftMs` ahead of ours, or behind it. Time that only measures durations is left alone, so that
 * its timers are right.
 */
export function clockShift(shiftMs: number): Readonly<Record<string, string>> {
  if (shiftMs === 0) return {};
  const seconds = Math.round(shiftMs / 1000);
  return {
    LD_PRELOAD: findFaketime(),
    FAKETIME: `${seconds < 0 ? "" : "+"}${seconds}`,
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    FAKETIME_NO_CACHE: "1",
  };
}
