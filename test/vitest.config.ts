import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { CountsReporter } from "./counts-reporter.ts";
import { AWAY, CAMPAIGNS, QUICK } from "./projects.ts";

/** Of tests that run beside others, with what those leave of the cores: long enough for ever so little. */
const BESIDE_MS = 3_600_000;

/** Tests that only compute. */
const computing = {
  setupFiles: ["test/property-seed.ts", "test/low-priority.ts"],
  testTimeout: BESIDE_MS,
  hookTimeout: BESIDE_MS,
  sequence: { groupOrder: 0 },
};

const SERVERS = { testTimeout: 180_000, hookTimeout: 180_000 };

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    reporters: ["default", new CountsReporter()],
    // Child processes, not threads: the servers of test/services are bound to the life of the process that
    // starts them, and a thread's end would not end them.
    pool: "forks",
    setupFiles: ["test/property-seed.ts"],
    // By default one core is left to others, which is half of a small machine.
    maxWorkers: "100%",
    // A verb that a test runs as a process starts in half the time when Node need not strip and compile its modules anew.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), "frazil-compile-cache") },
    projects: [
      ...QUICK.map((name) => ({
        extends: true as const,
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          exclude: [...CAMPAIGNS],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      })),
      { extends: true, test: { name: "campaigns", include: [...CAMPAIGNS], ...computing } },
      { extends: true, test: { name: "sim", include: ["test/sim/**/*.test.ts"], ...computing } },
      {
        extends: true,
        test: {
          name: "away",
          include: [...AWAY],
          // Of its own, so that a server that is away finds its port free when it comes back.
          env: { FRAZIL_TEST_PORTS: "upper" },
          ...SERVERS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "it",
          include: ["test/it/**/*.test.ts"],
          exclude: [...AWAY],
          // One file at a time: two brokers and two stores on a small machine only slow one another down.
          fileParallelism: false,
          ...SERVERS,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
