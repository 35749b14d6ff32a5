import type { FileIO } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { PROBE_LIST_PAGE } from "../core/limits.ts";
import type { Random } from "../core/runtime.ts";
import { patternBytes, probeConditionalWrites, probeFolder } from "./probe.ts";

/** What a catalog asks of the store that its tables lie in. */
export interface StoreUse {
  /** Its commits, or the ledger beside it, are conditional writes. */
  readonly conditionalWrites: boolean;
  /** It finds its tables by listing the store: one that is left out would not be fenced. */
  readonly lists: boolean;
  /** A server, which may answer from a cache, read ranges or spell names in its own way. Folders of this machine do not. */
  readonly remote: boolean;
}

/**
 * Tries what exactly-once rests on in a store, with a few small requests in a folder of its own that it empties again: conditional writes, whole
 * lists where the catalog finds its tables by them, and that objects, ranges of them and names are those that were written. What only costs time
 * or disk where it fails (deleting what is not there, clocks) is for `frazil check`.
 *
 * @param pages the same store, with `PROBE_LIST_PAGE` entries to a page of a list; asked only where `use.lists`
 * @throws FrazilError kind `config` and a code by promise: `STORE_CONDITIONAL_WRITES`, `STORE_READ_AFTER_WRITE`, `STORE_LIST_AFTER_WRITE`,
 *   `STORE_RANGES`, `STORE_NAMES`; kind `unavailable` where the store cannot be asked
 */
export async function probeAtStart(
  io: FileIO,
  pages: FileIO,
  root: string,
  random: Random,
  use: StoreUse,
): Promise<void> {
  const probes: Promise<void>[] = [];
  if (use.conditionalWrites) probes.push(probeConditionalWrites(io, root, random));
  if (use.remote) probes.push(probeObjects(io, use.lists ? pages : io, root, random, use));
  // One that fails does not leave the other one's objects behind.
  const ends = await Promise.allSettled(probes);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

/** As partition values may be: signs that URLs use, a space, letters beyond ASCII. */
const ODD_NAME = "region=a b+c%25&é漢/object";

/** Objects of a list that takes more than two pages. */
const LISTED = 2 * PROBE_LIST_PAGE + 1;

/**
 * Neither ranges nor lists have a checksum: a byte that has changed on the way looks like a promise that was broken. A store that breaks one does
 * so with other objects, too.
 */
const ATTEMPTS = 3;

async function probeObjects(io: FileIO, listing: FileIO, root: string, random: Random, use: StoreUse): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await probeObjectsOnce(io, listing, `${probeFolder(root, random)}/listed`, use);
    } catch (error) {
      if (attempt === ATTEMPTS || isAway(error)) throw error;
    }
  }
}

async function probeObjectsOnce(io: FileIO, listing: FileIO, folder: string, use: StoreUse): Promise<void> {
  const odd = `${folder}/${ODD_NAME}`;
  const bytes = patternBytes(4096);
  const more = use.lists ? Array.from({ length: LISTED - 1 }, (_, index) => `${folder}/object-${index}`) : [];
  const written = [odd, ...more];
  try {
    await Promise.all(written.map((location) => io.write(location, bytes)));
    await probeBytes(io, odd, bytes);
    await probeRanges(io, odd, bytes);
    await probeList(listing, folder, written, use);
  } catch (error) {
    // As with conditional writes: nothing more is asked of a store that is away.
    if (!isAway(error)) await remove(io, written);
    throw error;
  }
  await remove(io, written);
}

function isAway(error: unknown): boolean {
  return error instanceof FrazilError && error.kind === "unavailable";
}

async function remove(io: FileIO, locations: readonly string[]): Promise<void> {
  await Promise.allSettled(locations.map((location) => io.delete(location)));
}

async function probeBytes(io: FileIO, location: string, bytes: Uint8Array): Promise<void> {
  const found = await io.readTagged(location);
  if (found !== null && Buffer.compare(found.bytes, bytes) === 0) return;
  throw refused(
    "STORE_READ_AFTER_WRITE",
    "an object to be read as it was written",
    found === null ? "none" : "another",
  );
}

async function probeRanges(io: FileIO, location: string, bytes: Uint8Array): Promise<void> {
  const [offset, length] = [1_000, 2_000];
  const found = await rangeOf(io, location, offset, length);
  if (found === null || Buffer.compare(found, bytes.subarray(offset, offset + length)) !== 0) {
    const what = found === null ? "more or fewer of them" : "others";
    throw refused(
      "STORE_RANGES",
      `bytes ${offset} to ${offset + length - 1} of an object, as they were asked for`,
      what,
    );
  }
  const beyond = await rangeOf(io, location, bytes.length - 1, 2);
  if (beyond !== null) throw refused("STORE_RANGES", "an error behind an object's end", `${beyond.length} bytes`);
}

/** Null where there are more or fewer bytes than were asked for. */
async function rangeOf(io: FileIO, location: string, offset: number, length: number): Promise<Uint8Array | null> {
  try {
    return await io.readRange(location, offset, length);
  } catch (error) {
    if (isAway(error)) throw error;
    return null;
  }
}

/** Everything that is listed was written so: under another name a file would count as one that no table reaches, and be deleted. */
async function probeList(io: FileIO, folder: string, written: readonly string[], { lists }: StoreUse): Promise<void> {
  const listed: string[] = [];
  for await (const { location } of io.list(folder)) {
    listed.push(location);
    if (listed.length > written.length) break;
  }
  const unknown = listed.find((location) => !written.includes(location));
  if (unknown !== undefined) throw refused("STORE_NAMES", "a list of the names that were written", unknown);
  if (!lists) return;
  const missing = written.filter((location) => !listed.includes(location));
  if (missing.length === 0 && listed.length === written.length) return;
  const found = `${listed.length}, without ${missing.length} of them`;
  throw refused("STORE_LIST_AFTER_WRITE", `a list of the ${written.length} objects that were written, in pages`, found);
}

function refused(code: string, expected: string, found: string): FrazilError {
  return new FrazilError(
    "config",
    code,
    `this store does not do what exactly-once rests on: expected ${expected}, found ${found}`,
    { hint: "use another store (docs/stores.md); frazil check <job> tries everything" },
  );
}
