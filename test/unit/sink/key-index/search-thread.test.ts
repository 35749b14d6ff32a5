import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../../../../src/sink/key-index/blocks.ts";
import { nextPart, searchParts } from "../../../../src/sink/key-index/search-parts.ts";
import { SearchThread } from "../../../../src/sink/key-index/search-thread.ts";
import type { SharedSearch } from "../../../../src/sink/key-index/search-worker.ts";
import type { Sidecar } from "../../../../src/sink/key-index/sidecar.ts";
import { SidecarBuilder } from "../../../../src/sink/key-index/sidecar-builder.ts";
import { mergeSidecars } from "../../../../src/sink/key-index/sidecar-merge.ts";
import { searchSidecar } from "../../../../src/sink/key-index/sidecar-search.ts";
import { sortEntries } from "../../../../src/sink/key-index/sort-entries.ts";
import { storedEntries } from "../../../../src/sink/key-index/stored-keys.ts";
import { KEY_WORDS } from "../../../../src/sink/keys/key-words.ts";

const KEYS = 60_000;
/** Every third key is none of the sidecar. */
const ASKED = 20_000;
const SEED = 5;
const clock = { monotonicMs: () => 0 };

const folder = mkdtempSync(join(tmpdir(), "frazil-thread-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

function keysOf(count: number, idOf: (index: number) => number): Uint32Array {
  const keys = new Uint32Array(count * KEY_WORDS);
  for (let i = 0; i < count; i++) keys.set([idOf(i), 1], i * KEY_WORDS);
  return keys;
}

/** Row `i` has key `i`, each tenth row one that other rows have, too. */
async function sidecarOfKeys(): Promise<Sidecar> {
  const kind = { seed: SEED, signature: "1", words: 2 } as const;
  const builder = new SidecarBuilder(join(folder, `${++files}.keys`), kind, KEYS);
  await builder.addRows(
    keysOf(KEYS, (i) => (i % 10 === 0 ? i % 100 : i)),
    0,
  );
  return builder.finish([{ path: "f", sizeBytes: 1, rows: KEYS }]);
}

const askedIds = Array.from({ length: ASKED }, (_, i) => (i % 3 === 0 ? KEYS + i : i * 2));

/** The keys that are asked for, as a search wants them. */
function wanted(): Uint32Array {
  const keys = keysOf(ASKED, (i) => askedIds[i] as number);
  const entries = storedEntries(keys, [...askedIds.keys()], 2, SEED);
  return sortEntries(entries, ASKED, 3, 32, new Uint32Array(entries.length));
}

async function search(sidecar: Sidecar, thread: SearchThread | null): Promise<string[]> {
  const found: string[] = [];
  await searchSidecar(sidecar, wanted(), clock, thread, (index, row) => void found.push(`${index} ${row}`));
  return found.sort();
}

/** Takes all that there is, and then fails. */
class LostThread extends SearchThread {
  override async search({ parts }: SharedSearch): Promise<null> {
    let taken = 0;
    while (nextPart(parts) !== null && taken < 3) taken++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    return null;
  }
}

describe("a search that a thread helps with", () => {
  it("finds what one without finds, each row once, time and again", async () => {
    const sidecar = await sidecarOfKeys();
    const alone = await search(sidecar, null);
    const rows = askedIds.flatMap((id, index) => {
      if (id >= KEYS) return [];
      if (id % 10 !== 0) return [`${index} ${id}`];
      if (id >= 100) return [];
      return Array.from({ length: KEYS / 100 }, (_, i) => `${index} ${id + i * 100}`);
    });
    expect(alone).toEqual(rows.sort());
    const thread = new SearchThread(1);
    try {
      for (let round = 0; round < 5; round++) expect(await search(sidecar, thread)).toEqual(alone);
    } finally {
      thread.close();
    }
    expect(await search(sidecar, thread)).toEqual(alone);
  });

  it("is the thread's alone, where the other has no time for it", async () => {
    const sidecar = await sidecarOfKeys();
    const { path, fence, words, entries } = sidecar;
    const thread = new SearchThread(1);
    try {
      const hits = await thread.search({ path, fence, words, entries, wanted: wanted(), parts: searchParts(ASKED) });
      const found = Array.from({ length: (hits?.length ?? 0) / 2 }, (_, i) => `${hits?.[i * 2]} ${hits?.[i * 2 + 1]}`);
      expect(found.sort()).toEqual(await search(sidecar, null));
    } finally {
      thread.close();
    }
  });

  it("loses nothing with the thread", async () => {
    const sidecar = await sidecarOfKeys();
    expect(await search(sidecar, new LostThread(1))).toEqual(await search(sidecar, null));
  });

  it("does not take a block for another that lies in its place", async () => {
    const sidecar = await sidecarOfKeys();
    const bytes = readFileSync(sidecar.path);
    bytes.copyWithin(BLOCK_BYTES * 300, BLOCK_BYTES * 200, BLOCK_BYTES * 201);
    writeFileSync(sidecar.path, bytes);
    await expect(search(sidecar, null)).rejects.toMatchObject({
      message: expect.stringContaining("block 300 is damaged"),
    });
    const kind = { seed: SEED, signature: "1", words: 2 } as const;
    const merged = mergeSidecars(join(folder, `${++files}.keys`), kind, [sidecar], () => true);
    await expect(merged).rejects.toThrow("block 300 is damaged");
  });

  it("says what is wrong with a damaged file, whichever finds it", async () => {
    const sidecar = await sidecarOfKeys();
    const bytes = readFileSync(sidecar.path);
    bytes[BLOCK_BYTES * 300 + 500] = (bytes[BLOCK_BYTES * 300 + 500] as number) ^ 16;
    writeFileSync(sidecar.path, bytes);
    const thread = new SearchThread(1);
    try {
      for (const helper of [null, thread, thread]) {
        await expect(search(sidecar, helper)).rejects.toMatchObject({
          code: "KEY_SIDECAR",
          message: expect.stringContaining("block 300 is damaged"),
        });
      }
    } finally {
      thread.close();
    }
  });
});
