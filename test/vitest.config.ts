import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { CountsReporter } from "./counts-reporter.ts";

/** Projects without servers: they share the machine's cores and run first. */
const quick = ["unit", "golden", "conformance", "model", "sim"] as const;

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    reporters: ["default", new CountsReporter()],
    // Child processes, not threads: the servers of test/services are bound to the life of the process that
    // starts them, and a thread's end would not end them.
    pool: "forks",
    // By default one core is left to others, which is half of a small machine.
    maxWorkers: "100%",
    // A verb that a test runs as a process starts in half the time when Node need not strip and compile its modules anew.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), "frazil-compile-cache") },
    projects: [
      ...quick.map((name) => ({
        extends: true as const,
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      })),
      {
        extends: true,
        test: {
          name: "it",
          include: ["test/it/**/*.test.ts"],
          // One file at a time: two brokers and two stores on a small machine only slow one another down.
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
