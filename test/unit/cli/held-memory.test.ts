import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { BARE_ENV } from "../../support/bare-env.ts";

const HELD = fileURLToPath(new URL("held-memory-process.ts", import.meta.url));
const MIB = 2 ** 20;
const GROWTH = "--heap-growing-percent=50";

interface Held {
  readonly pid: number;
  readonly arguments: readonly string[];
  readonly flags: readonly string[];
  readonly threshold: string | null;
  /** Memory for new objects after many were made and kept. */
  readonly newSpaceMib: number;
}

function held(memoryBytes: number, flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  const { pid, stdout, stderr } = spawnSync(process.execPath, [...flags, HELD, String(memoryBytes), "two words"], {
    encoding: "utf8",
    env: { ...BARE_ENV, ...env },
  });
  expect(stderr).toBe("");
  return { pid, found: JSON.parse(stdout) as Held };
}

it("of a small budget new objects take little, in the same process with the same arguments", () => {
  const { pid, found } = held(64 * MIB, ["--no-warnings"]);
  expect(found).toEqual({
    pid,
    arguments: [String(64 * MIB), "two words"],
    flags: ["--max-semi-space-size=4", GROWTH, "--no-warnings"],
    threshold: "262144",
    newSpaceMib: 8,
  });
});

it("grows with the budget", () => {
  expect(held(100 * MIB).found.flags).toEqual(["--max-semi-space-size=4", GROWTH]);
  expect(held(511 * MIB).found.flags).toEqual(["--max-semi-space-size=16", GROWTH]);
});

it("leaves an ample budget to V8, and a limit that somebody has chosen as it is", () => {
  const { pid, found } = held(512 * MIB);
  expect(found).toMatchObject({ pid, flags: [], threshold: null });
  expect(found.newSpaceMib).toBeGreaterThan(8);
  expect(held(64 * MIB, ["--max-semi-space-size=2"]).found.flags).toEqual(["--max-semi-space-size=2"]);
  const variable = { NODE_OPTIONS: "--max_semi_space_size=2" };
  expect(held(64 * MIB, [], variable).found).toMatchObject({ flags: [], newSpaceMib: 4 });
});
