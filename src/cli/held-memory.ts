/** From this budget on a process is started as it is: its objects may take what V8 lets them have. */
const AMPLE_BYTES = 512 * 1024 * 1024;

/**
 * What new objects may take of the budget, three times: V8 has two halves of it and large objects beside them. Of an ample budget it is what
 * V8 takes by itself.
 */
const SEMI_SPACE_SHARE = 1 / 16;

const FLAG = "--max-semi-space-size";

/**
 * Old objects are collected when they are by so much more than what was left the last time. V8 lets them grow to several times that: tables'
 * metadata, which a commit reads and writes as text, held 160 MiB for a job that used 55.
 */
const OLD_OBJECTS_GROW = "--heap-growing-percent=50";

/** Buffers from this size on are given back to the system when they are free, instead of being kept by the C library (glibc's `mallopt`). */
const RETURNED_BYTES = 256 * 1024;

const RETURNED_VARIABLE = "MALLOC_MMAP_THRESHOLD_";

/**
 * Starts this process anew (the same process id, arguments and streams) in a way in which Node itself takes no more than suits a small
 * memory budget. To be called before anything else is done. It returns when nothing has to be changed: the budget is ample, somebody has
 * chosen V8's limit himself, or the process cannot be replaced.
 *
 * V8 reads the limit once, before any script: without it up to 96 MiB of objects that nobody needs lie about.
 */
export function holdMemory(memoryBytes: number): void {
  const { env, execArgv, execPath, argv } = process;
  if (memoryBytes >= AMPLE_BYTES || process.execve === undefined || process.platform === "win32") return;
  // The channel to a parent that forked it would not survive.
  if (process.connected) return;
  const chosen = [...execArgv, env["NODE_OPTIONS"] ?? ""].some((text) => text.replaceAll("_", "-").includes(FLAG));
  if (chosen) return;
  const flag = `${FLAG}=${semiSpaceMib(memoryBytes)}`;
  const held = { ...env, [RETURNED_VARIABLE]: env[RETURNED_VARIABLE] ?? String(RETURNED_BYTES) };
  try {
    process.execve(execPath, [process.argv0, flag, OLD_OBJECTS_GROW, ...execArgv, ...argv.slice(1)], held);
  } catch {
    // Node was told not to start anything (--permission).
  }
}

/** V8 rounds up to a power of two. */
function semiSpaceMib(memoryBytes: number): number {
  return 2 ** Math.floor(Math.log2((memoryBytes * SEMI_SPACE_SHARE) / 2 ** 20));
}
