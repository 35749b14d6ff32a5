/** The thread that helps to look keys up: takes parts of searches until there are none left, and answers with what it has found. */
import { closeSync, openSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { BlockSearch, type SearchedBlocks } from "./block-search.ts";
import { isStreamed, nextPart, type SearchParts } from "./search-parts.ts";

/** What is asked of the thread. */
export interface SharedSearch extends SearchedBlocks {
  readonly path: string;
  readonly wanted: Uint32Array;
  readonly parts: SearchParts;
}

/** What it has found: by turns the number of a wanted key and a row of the sidecar. Null: the file cannot be read, or is damaged. */
export type SharedAnswer = Uint32Array<ArrayBuffer> | null;

function answerTo({ path, wanted, parts, ...blocks }: SharedSearch): SharedAnswer {
  const fd = openSync(path, "r");
  try {
    let hits = new Uint32Array(1 << 12);
    let end = 0;
    const search = new BlockSearch(blocks, fd, wanted, (index, row) => {
      if (end === hits.length) {
        const larger = new Uint32Array(end * 2);
        larger.set(hits);
        hits = larger;
      }
      hits[end++] = index;
      hits[end++] = row;
    });
    for (let part = nextPart(parts); part !== null; part = nextPart(parts)) {
      search.begin(part.from, part.end);
      do if (isStreamed(parts)) search.stream();
      while (search.step());
    }
    return hits.slice(0, end);
  } finally {
    closeSync(fd);
  }
}

parentPort?.on("message", (search: SharedSearch) => {
  let answer: SharedAnswer = null;
  try {
    answer = answerTo(search);
  } catch {
    // Whoever asked looks at all parts himself, and at what is wrong.
  }
  parentPort?.postMessage(answer, answer === null ? [] : [answer.buffer]);
});
