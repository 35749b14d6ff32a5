/** The process that `held-memory.test.ts` looks into: `node held-memory-process.ts <bytes> …`. */
import { getHeapSpaceStatistics } from "node:v8";
import { holdMemory } from "../../../src/cli/held-memory.ts";

/** More than any limit of V8's, so that the space grows as far as it may. */
const KEPT_OBJECTS = 300_000;
const MADE_OBJECTS = 4_000_000;

holdMemory(Number(process.argv[2]));
const kept: unknown[] = [];
for (let i = 0; i < MADE_OBJECTS; i++) kept[i % KEPT_OBJECTS] = { i, of: [i] };
const newSpace = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
console.log(
  JSON.stringify({
    pid: process.pid,
    arguments: process.argv.slice(2),
    flags: process.execArgv,
    threshold: process.env["MALLOC_MMAP_THRESHOLD_"] ?? null,
    newSpaceMib: (newSpace?.space_size ?? 0) / 2 ** 20,
  }),
);
