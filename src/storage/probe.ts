import type { FileIO } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { type Random, randomUuid } from "../core/runtime.ts";

/** Writers that race in each test: enough that a store which checks and writes in two steps lets several win. */
const WRITERS = 8;

/** AWS may turn away all of several racing writers (409); then the race is run again. */
const RACES = 3;

/**
 * Tries a store's conditional writes under `<root>/_frazil/probe/<uuid>` and removes what it wrote. The object-store catalog rests on
 * them: a store that ignores a condition, as several releases and emulators do silently, loses commits.
 * @throws FrazilError kind `config`, code `STORE_CONDITIONAL_WRITES`, naming the test that failed
 */
export async function probeConditionalWrites(io: FileIO, root: string, random: Random): Promise<void> {
  const folder = `${root.replace(/\/+$/, "")}/_frazil/probe/${randomUuid(random)}`;
  const target = `${folder}/target`;
  const missing = `${folder}/missing`;
  try {
    await probeCreate(io, target);
    await probeReplace(io, target);
    await probeMissing(io, missing);
  } catch (error) {
    // A store that cannot be reached is not to be asked for more, each request with its own retries.
    if (error instanceof FrazilError && error.kind === "unavailable") throw error;
    await remove(io, target, missing);
    throw error;
  }
  await remove(io, target, missing);
}

async function remove(io: FileIO, ...locations: readonly string[]): Promise<void> {
  await Promise.allSettled(locations.map((location) => io.delete(location)));
}

async function probeCreate(io: FileIO, location: string): Promise<void> {
  const test = `${WRITERS} writers create one object (If-None-Match: *)`;
  const winner = await onlyWinner(test, (writer) => io.create(location, contentOf("create", writer)));
  await expectContent(io, location, test, contentOf("create", winner));
}

async function probeReplace(io: FileIO, location: string): Promise<void> {
  const before = await io.stat(location);
  if (before === null) throw refused("a created object is there", "the object", "nothing");
  const current = `${WRITERS} writers replace one object (If-Match with its tag)`;
  const winner = await onlyWinner(current, (writer) => io.replace(location, contentOf("replace", writer), before.etag));
  await expectContent(io, location, current, contentOf("replace", winner));

  const stale = `${WRITERS} writers replace one object (If-Match with a stale tag)`;
  expectNoWinner(stale, await race((writer) => io.replace(location, contentOf("stale", writer), before.etag)));
  await expectContent(io, location, stale, contentOf("replace", winner));
}

async function probeMissing(io: FileIO, location: string): Promise<void> {
  const test = `${WRITERS} writers replace a missing object (If-Match)`;
  const etag = '"00000000000000000000000000000000"';
  expectNoWinner(test, await race((writer) => io.replace(location, contentOf("missing", writer), etag)));
  if ((await io.stat(location)) !== null) throw refused(test, "no object", "one");
}

/** The writers that won. A 409 (two at once, nothing done) is no win. */
async function race(write: (writer: number) => Promise<{ outcome: string }>): Promise<number[]> {
  const ends = await Promise.allSettled(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
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

async function onlyWinner(test: string, write: (writer: number) => Promise<{ outcome: string }>): Promise<number> {
  let winners: readonly number[] = [];
  for (let round = 0; round < RACES && winners.length === 0; round++) winners = await race(write);
  const [winner] = winners;
  if (winner === undefined || winners.length !== 1) throw refused(test, "exactly 1 winner", String(winners.length));
  return winner;
}

function expectNoWinner(test: string, winners: readonly number[]): void {
  if (winners.length !== 0) throw refused(test, "no winner", String(winners.length));
}

async function expectContent(io: FileIO, location: string, test: string, content: Uint8Array): Promise<void> {
  const found = await io.read(location);
  if (Buffer.compare(found, content) !== 0) {
    throw refused(
      test,
      `the winner's bytes (${Buffer.from(content).toString("latin1")})`,
      Buffer.from(found).toString("latin1"),
    );
  }
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
