import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { createRuntime, systemClock, systemRandom } from "../../../src/cli/runtime.ts";
import type { Log } from "../../../src/core/runtime.ts";

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

it("dies as by kill -9 at the named step, at the named time", () => {
  const script = `
    const { createRuntime } = await import(${JSON.stringify(new URL("../../../src/cli/runtime.ts", import.meta.url).href)});
    const { step } = createRuntime({}, process.env.FRAZIL_CRASH_AT);
    process.on("exit", () => console.log("exit handlers run"));
    for (let i = 1; i <= 4; i++) { step("put.data"); step("commit.sent"); console.log(i); }`;
  const run = (crashAt: string) => {
    const env = { ...process.env, FRAZIL_CRASH_AT: crashAt };
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", env });
    return [child.signal, child.stdout];
  };
  expect(run("commit.sent:3")).toEqual(["SIGKILL", "1\n2\n"]);
  expect(run("put.data:1")).toEqual(["SIGKILL", ""]);
  expect(run("commit.sent:9")).toEqual([null, "1\n2\n3\n4\nexit handlers run\n"]);
  expect(run("")).toEqual([null, "1\n2\n3\n4\nexit handlers run\n"]);
});

it("sleeps no longer than its signal allows, and never rejects", async () => {
  const { clock } = createRuntime(silent, undefined);
  const start = clock.monotonicMs();
  await clock.sleep(5);
  expect(clock.monotonicMs() - start).toBeGreaterThanOrEqual(4);
  await systemClock.sleep(60_000, AbortSignal.abort());
  const controller = new AbortController();
  const sleeping = systemClock.sleep(60_000, controller.signal);
  controller.abort();
  await sleeping;
});

it("gives 32 random bits", () => {
  const numbers = Array.from({ length: 64 }, () => systemRandom.uint32());
  expect(numbers.every((number) => Number.isInteger(number) && number >= 0 && number < 2 ** 32)).toBe(true);
  expect(new Set(numbers).size).toBeGreaterThan(60);
  expect(numbers.some((number) => number >= 2 ** 31)).toBe(true);
});
