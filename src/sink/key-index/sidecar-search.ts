import { type FileHandle, open } from "node:fs/promises";
import type { Clock } from "../../core/runtime.ts";
import { BlockSearch } from "./block-search.ts";
import { entryWords } from "./blocks.ts";
import { nextPart, searchParts, type SearchParts, setStreamed } from "./search-parts.ts";
import { Hits } from "./hits.ts";
import type { SearchThread } from "./search-thread.ts";
import { lost, type Sidecar } from "./sidecar.ts";

type Found = (index: number, row: number) => void;

/**
 * Looks up wanted keys in a sidecar. Of a file that turns out not to be in the page cache the rest is read from end to end if that is faster, after which
 * it is.
 *
 * @param wanted entries in ascending order, each with a number. @param thread takes part where it is worth it; null: there is none.
 * @param found is told the number of a wanted key and a row of the sidecar that has it, for every such row, in the order of the rows.
 * @throws whatever is wrong with the file: each block that is looked into is checked before.
 */
export async function searchSidecar(
  sidecar: Sidecar,
  wanted: Uint32Array,
  clock: Pick<Clock, "monotonicMs">,
  thread: SearchThread | null,
  found: Found,
): Promise<void> {
  const { path, fence, words, entries } = sidecar;
  const keys = wanted.length / entryWords(words);
  const parts = searchParts(keys);
  const handle = await open(path, "r");
  const helps = thread?.helpsWith(keys) === true;
  const help = helps ? thread.search({ path, fence, words, entries, wanted, parts }) : Promise.resolve(null);
  try {
    const hits = new Hits();
    const look = lookUp.bind(null, sidecar, handle, wanted, clock, hits);
    const own = await look(parts, new Set());
    const helped = await help;
    for (let i = 0; helped !== null && i < helped.length; i += 2)
      hits.add(helped[i] as number, helped[i + 1] as number);
    // What the thread has taken and cannot tell about.
    if (helps && helped === null) await look(searchParts(keys), own);
    hits.visit(found);
  } catch (error) {
    throw lost(path, error instanceof Error ? error.message : String(error));
  } finally {
    await help;
    await handle.close();
  }
}

/** Takes parts until none is left. @param done parts that have been looked up, by their first key. @returns those that were looked up now. */
async function lookUp(
  sidecar: Sidecar,
  handle: FileHandle,
  wanted: Uint32Array,
  clock: Pick<Clock, "monotonicMs">,
  hits: Hits,
  parts: SearchParts,
  done: ReadonlySet<number>,
): Promise<Set<number>> {
  const search = new BlockSearch(sidecar, handle.fd, wanted, hits.add.bind(hits));
  const own = new Set<number>();
  for (let part = nextPart(parts); part !== null; part = nextPart(parts)) {
    if (done.has(part.from)) continue;
    own.add(part.from);
    search.begin(part.from, part.end);
    let since = clock.monotonicMs();
    while (search.step()) {
      search.adapt(clock.monotonicMs() - since);
      if (search.streams) setStreamed(parts);
      await others(handle);
      since = clock.monotonicMs();
    }
  }
  return own;
}

/** Gives way to whatever else waits; a file operation is the plain way to do so. */
async function others(handle: FileHandle): Promise<void> {
  await handle.stat();
}
