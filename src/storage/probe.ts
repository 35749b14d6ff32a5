import type { FileIO } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { type Random, randomUuid } from "../core/runtime.ts";

/** Writers that race in each test: enough that a store which checks and writes in two steps lets several win. */
const WRITERS = 8;

/**
 * AWS may turn away all of several racing writers (409), and a proxy in between may repeat the winner's request or make up its answer, so that it
 * hears of a conflict with itself: then the race is run again. Two winners are never explained away.
 */
const RACES = 3;

/**
 * Tries a store's conditional writes under `<root>/_frazil/probe/<uuid>` and removes what it wrote. The object-store catalog rests on
 * them: a store that ignores a condition, as several releases and emulators do silently, loses commits.
 * @throws FrazilError kind `config`, code `STORE_CONDITIONAL_WRITES`, naming the test that failed
 */
export async function probeConditionalWrites(io: FileIO, root: string, random: Random): Promise<void> {
  const folder = probeFolder(root, random);
  const missing = `${folder}/missing`;
  const used = [missing];
  try {
    await probeReplace(io, await probeCreate(io, folder, used));
    await probeMissing(io, missing);
  } catch (error) {
    // A store that cannot be reached is not to be asked for more, each request with its own retries.
    if (error instanceof FrazilError && error.kind === "unavailable") throw error;
    await remove(io, ...used);
    throw error;
  }
  await remove(io, ...used);
}

/** Bytes that repeat only after 64 KiB, so that a range shows where it was taken. */
export function patternBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
}

/** Where a probe may write: a folder of its own below the warehouse that nothing else reads. */
export function probeFolder(root: string, random: Random): string {
  return `${root.replace(/\/+$/, "")}/_frazil/probe/${randomUuid(random)}`;
}

async function remove(io: FileIO, ...locations: readonly string[]): Promise<void> {
  await Promise.allSettled(locations.map((location) => io.delete(location)));
}

/** @param used takes the names of what it writes */
async function probeCreate(io: FileIO, folder: string, used: string[]): Promise<string> {
  const test = `${WRITERS} writers create one object (If-None-Match: *)`;
  for (let round = 1; ; round++) {
    const location = `${folder}/target-${round}`;
    used.push(location);
    const winners = await race(WRITERS, (writer) => io.create(location, contentOf("create", writer)));
    const winner = onlyWinner(test, winners, round);
    if (winner === null) continue;
    await expectContent(io, location, test, contentOf("create", winner));
    return location;
  }
}

async function probeReplace(io: FileIO, location: string): Promise<void> {
  const current = `${WRITERS} writers replace one object (If-Match with its tag)`;
  let content: Uint8Array | null = null;
  let etag = "";
  for (let round = 1; content === null; round++) {
    etag = await tagOf(io, location);
    // Other bytes in each round: a write that was told to have lost may be there, and the same bytes would leave its tag as it is.
    const contentBy = (writer: number): Uint8Array => contentOf(`replace-${round}`, writer);
    const winners = await race(WRITERS, (writer) => io.replace(location, contentBy(writer), etag));
    const winner = onlyWinner(current, winners, round);
    if (winner !== null) content = contentBy(winner);
  }
  await expectContent(io, location, current, content);

  const stale = "a writer replaces an object (If-Match with a stale tag)";
  expectNoWinner(stale, await race(1, (writer) => io.replace(location, contentOf("stale", writer), etag)));
  await expectContent(io, location, stale, content);
}

async function probeMissing(io: FileIO, location: string): Promise<void> {
  const test = "a writer replaces a missing object (If-Match)";
  const etag = '"00000000000000000000000000000000"';
  expectNoWinner(test, await race(1, (writer) => io.replace(location, contentOf("missing", writer), etag)));
  if ((await io.stat(location)) !== null) throw refused(test, "no object", "one");
}

async function tagOf(io: FileIO, location: string): Promise<string> {
  const found = await io.stat(location);
  if (found === null) throw refused("a created object is there", "the object", "nothing");
  return found.etag;
}

/** The writers that won. A 409 (two at once, nothing done) is no win. */
async function race(
  writers: number,
  write: (writer: number) => Promise<{ outcome: string }>,
): Promise<readonly number[]> {
  const ends = await Promise.allSettled(Array.from({ length: writers }, (_, writer) => write(writer)));
  const winners: number[] = [];
  for (const [writer, end] of ends.entries()) {
    if (end.status === "rejected") {
      if (!isLostRace(end.reason)) throw end.reason;
    } else if (end.value.outcome === "created" || end.value.outcome === "replaced") {
      winners.push(writer);
    }
  }
  return winners;
}

function isLostRace(error: unknown): boolean {
  return error instanceof FrazilError && error.code === "S3_CONDITIONAL_RACE";
}

/** Null where nobody has won and the race is to be run again. */
function onlyWinner(test: string, winners: readonly number[], round: number): number | null {
  const [winner] = winners;
  if (winner !== undefined && winners.length === 1) return winner;
  if (winner === undefined && round < RACES) return null;
  throw refused(test, "exactly 1 winner", String(winners.length));
}

function expectNoWinner(test: string, winners: readonly number[]): void {
  if (winners.length !== 0) throw refused(test, "no winner", String(winners.length));
}

async function expectContent(io: FileIO, location: string, test: string, content: Uint8Array): Promise<void> {
  const found = await io.readTagged(location);
  if (found !== null && Buffer.compare(found.bytes, content) === 0) return;
  const text = found === null ? "nothing" : Buffer.from(found.bytes).toString("latin1");
  throw refused(test, `the winner's bytes (${Buffer.from(content).toString("latin1")})`, text);
}

function refused(test: string, expected: string, found: string): FrazilError {
  return new FrazilError(
    "config",
    "STORE_CONDITIONAL_WRITES",
    `this store's conditional writes do not work, so commits could be lost. ${test}: expected ${expected}, found ${found}`,
    {
      hint: "use a store that honours If-Match and If-None-Match (Amazon S3, MinIO from 2025-09, versitygw), or another catalog type",
    },
  );
}

function contentOf(test: string, writer: number): Uint8Array {
  return new TextEncoder().encode(`${test} by writer ${writer}`);
}
