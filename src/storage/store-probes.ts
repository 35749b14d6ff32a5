import { type FileEntry, type FileIO, mapConcurrently } from "../../table-format/index.ts";
import { FrazilError } from "../core/errors.ts";
import { PROBE_CLOCK_MS, PROBE_OBJECTS, PROBE_REQUESTS_IN_FLIGHT, S3_PART_BYTES } from "../core/limits.ts";
import type { Runtime } from "../core/runtime.ts";
import { patternBytes, probeConditionalWrites, probeFolder } from "./probe.ts";

/** A store to try, in a folder of its own below `root`. */
export interface ProbedStore {
  readonly io: FileIO;
  readonly root: string;
  readonly runtime: Pick<Runtime, "clock" | "random">;
}

/** One thing that tables rest on. */
export interface StoreProbe {
  readonly name: string;
  /** What the store promises. */
  readonly promise: string;
  /** Sensible only where a server may get it wrong: on a local folder it would cost much and tell nothing. */
  readonly remoteOnly: boolean;
  /** @returns what was found. @throws FrazilError naming what was expected, and what the store cannot be asked. */
  run(store: ProbedStore): Promise<string>;
}

/** Rounds of the probes that look for races and for stale answers: what goes wrong now and then shows within a few. */
const ROUNDS = 10;

/** Everything that a store is tried for, in order. Each cleans up behind itself. */
export const STORE_PROBES: readonly StoreProbe[] = [
  {
    name: "conditional-writes",
    promise: "of several writers with If-None-Match or If-Match one wins, with a stale tag or a missing object none",
    remoteOnly: false,
    async run({ io, root, runtime }) {
      // A store that looks and then writes lets two win only now and then: a start tries once, this often enough to see it.
      for (let round = 0; round < ROUNDS; round++) await probeConditionalWrites(io, root, runtime.random);
      return `${ROUNDS} times 8 racing writers: exactly one wins; with a stale tag or a missing object none does`;
    },
  },
  inFolder("read-after-write", "what was written, replaced or deleted is what is read next", readAfterWrite),
  inFolder("list-after-write", "a list names what was written, and no longer what was deleted", listAfterWrite),
  inFolder("ranges", "a range of an object is exactly that", ranges),
  inFolder("names", "partition values may hold spaces, signs and letters of any script", names),
  inFolder("delete", "an object that is not there can be deleted", deleteMissing),
  inFolder("clock", "the store's clock is near this machine's", clock),
  { ...inFolder("list-pages", "a list of more than a page is whole", listPages), remoteOnly: true },
  {
    ...inFolder("multipart", "an object in several parts is whole, and none that was given up appears", multipart),
    remoteOnly: true,
  },
];

type Attempt = (store: ProbedStore, folder: string) => Promise<string>;

function inFolder(name: string, promise: string, attempt: Attempt): StoreProbe {
  return {
    name,
    promise,
    remoteOnly: false,
    async run(store) {
      const folder = probeFolder(store.root, store.runtime.random);
      try {
        return await attempt(store, folder);
      } finally {
        await clear(store.io, folder);
      }
    },
  };
}

/** Best effort: a store that fails a probe may fail here, too. */
async function clear(io: FileIO, folder: string): Promise<void> {
  try {
    const found = await listed(io, folder);
    await mapConcurrently(found, PROBE_REQUESTS_IN_FLIGHT, async ({ location }) => {
      await io.delete(location).catch(() => undefined);
    });
  } catch {
    // What is left is under _frazil/probe, which nothing reads.
  }
}

async function listed(io: FileIO, folder: string): Promise<FileEntry[]> {
  const entries: FileEntry[] = [];
  for await (const entry of io.list(folder)) entries.push(entry);
  return entries;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function readAfterWrite({ io }: ProbedStore, folder: string): Promise<string> {
  for (let round = 0; round < ROUNDS; round++) {
    const target = `${folder}/object-${round}`;
    expect("STORE_READ_AFTER_WRITE", "no object before it is written", await io.stat(target), null);
    const created = await io.create(target, bytesOf("first"));
    if (created.outcome !== "created") throw failed("STORE_READ_AFTER_WRITE", "a new object", "one that is there");
    await expectBytes(io, target, "first");
    const replaced = await io.replace(target, bytesOf("second one"), created.etag);
    if (replaced.outcome !== "replaced") throw failed("STORE_READ_AFTER_WRITE", "a replaced object", "a conflict");
    await expectBytes(io, target, "second one");
    const stat = await io.stat(target);
    expect("STORE_READ_AFTER_WRITE", "the size of what was written last", stat?.sizeBytes, 10);
    expect("STORE_READ_AFTER_WRITE", "the tag of what was written last", stat?.etag, replaced.etag);
    await io.delete(target);
    expect("STORE_READ_AFTER_WRITE", "no object once it is deleted", await io.stat(target), null);
  }
  return `${ROUNDS} rounds of create, replace and delete, each seen at once`;
}

async function expectBytes(io: FileIO, location: string, text: string): Promise<void> {
  const found = Buffer.from(await io.read(location)).toString("utf8");
  expect("STORE_READ_AFTER_WRITE", "what was written last", found, text);
}

async function listAfterWrite({ io }: ProbedStore, folder: string): Promise<string> {
  const namesNow = async (): Promise<string> =>
    (await listed(io, folder))
      .map(({ location }) => location.slice(folder.length + 1))
      .sort()
      .join(" ");
  const written: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await io.write(`${folder}/sub/object-${round}`, bytesOf(String(round)));
    written.push(`sub/object-${round}`);
    expect("STORE_LIST_AFTER_WRITE", "a list of all that was written", await namesNow(), written.join(" "));
  }
  // A folder of a longer name is another one.
  await io.write(`${folder}-more/object`, bytesOf("other"));
  try {
    expect("STORE_LIST_AFTER_WRITE", "a list of this folder alone", await namesNow(), written.join(" "));
  } finally {
    await io.delete(`${folder}-more/object`);
  }
  await io.delete(`${folder}/sub/object-0`);
  expect("STORE_LIST_AFTER_WRITE", "a list without what was deleted", await namesNow(), written.slice(1).join(" "));
  return `${ROUNDS} writes and a delete, each listed at once`;
}

async function ranges({ io }: ProbedStore, folder: string): Promise<string> {
  const target = `${folder}/object`;
  const bytes = patternBytes(100_000);
  await io.write(target, bytes);
  for (const [offset, length] of [
    [0, 1],
    [0, 100_000],
    [4_321, 50_000],
    [99_999, 1],
  ] as const) {
    const found = await io.readRange(target, offset, length);
    const wanted = bytes.subarray(offset, offset + length);
    if (Buffer.compare(found, wanted) === 0) continue;
    throw failed("STORE_RANGES", `bytes ${offset} to ${offset + length - 1}`, `${found.length} bytes, others`);
  }
  const beyond = await io.readRange(target, 99_999, 2).then(
    ({ length }) => `${length} bytes`,
    () => null,
  );
  expect("STORE_RANGES", "an error behind the object's end", beyond, null);
  return "the first, the last and those between, and none behind the end";
}

const ODD_NAMES = [
  "region=a b",
  "region=100%25",
  "region=a+b&c=d",
  "region=é漢字",
  "region=(x)'!*",
  "region=a:b;c,d@e$",
];

async function names({ io }: ProbedStore, folder: string): Promise<string> {
  for (const name of ODD_NAMES) {
    const location = `${folder}/${name}/object`;
    await io.write(location, bytesOf(name));
    const found = Buffer.from(await io.read(location)).toString("utf8");
    expect("STORE_NAMES", `an object under ${name}`, found, name);
  }
  const found = (await listed(io, folder)).map(({ location }) => location.slice(folder.length + 1)).sort();
  const wanted = ODD_NAMES.map((name) => `${name}/object`).sort();
  expect("STORE_NAMES", "these names in a list", found.join(" | "), wanted.join(" | "));
  return `${ODD_NAMES.length} odd names, as they were given`;
}

async function deleteMissing({ io }: ProbedStore, folder: string): Promise<string> {
  await io.delete(`${folder}/never-there`);
  await io.write(`${folder}/object`, bytesOf("x"));
  await io.delete(`${folder}/object`);
  await io.delete(`${folder}/object`);
  return "twice, and one that never was";
}

async function clock({ io, runtime }: ProbedStore, folder: string): Promise<string> {
  const beforeMs = runtime.clock.nowMs();
  await io.write(`${folder}/object`, bytesOf("x"));
  const afterMs = runtime.clock.nowMs();
  const [entry] = await listed(io, folder);
  if (entry === undefined) throw failed("STORE_CLOCK", "an object in the list", "none");
  // Stores tell whole seconds, rounded down.
  const { lastModifiedMs } = entry;
  const skewMs = lastModifiedMs < beforeMs - 1_000 ? lastModifiedMs - beforeMs : Math.max(0, lastModifiedMs - afterMs);
  const text = `${(skewMs / 1000).toFixed(1)} s ${skewMs < 0 ? "behind" : "ahead of"} this machine's clock`;
  if (Math.abs(skewMs) > PROBE_CLOCK_MS) {
    throw failed(
      "STORE_CLOCK",
      `the store's clock within ${PROBE_CLOCK_MS / 60_000} minutes of this machine's`,
      text,
      "set the clock: NTP",
    );
  }
  return skewMs === 0 ? "no difference that shows" : text;
}

async function listPages({ io }: ProbedStore, folder: string): Promise<string> {
  const wanted = Array.from({ length: PROBE_OBJECTS }, (_, index) => `${folder}/${String(index).padStart(5, "0")}`);
  await mapConcurrently(wanted, PROBE_REQUESTS_IN_FLIGHT, (location) => io.write(location, new Uint8Array(0)));
  const found = (await listed(io, folder)).map(({ location }) => location);
  expect("STORE_LIST_PAGES", `${PROBE_OBJECTS} objects in a list`, found.length, PROBE_OBJECTS);
  expect("STORE_LIST_PAGES", "each of them once", found.sort().join() === wanted.join(), true);
  return `${PROBE_OBJECTS} objects, each once`;
}

async function multipart({ io }: ProbedStore, folder: string): Promise<string> {
  const chunk = patternBytes(1 << 20);
  const chunks = Math.ceil((S3_PART_BYTES * 2) / chunk.length) + 1;
  const target = `${folder}/object`;
  const output = await io.openWrite(target);
  for (let index = 0; index < chunks; index++) await output.write(chunk);
  expect("STORE_MULTIPART", "no object before its last part", await io.stat(target), null);
  const { sizeBytes } = await output.close();
  const found = await io.read(target);
  expect("STORE_MULTIPART", `an object of ${sizeBytes} bytes`, found.length, sizeBytes);
  for (let index = 0; index < chunks; index++) {
    const part = found.subarray(index * chunk.length, (index + 1) * chunk.length);
    if (Buffer.compare(part, chunk) !== 0) throw failed("STORE_MULTIPART", `the bytes of MiB ${index}`, "others");
  }
  const abandoned = await io.openWrite(`${folder}/abandoned`);
  for (let index = 0; index < chunks; index++) await abandoned.write(chunk);
  await abandoned.abort();
  expect("STORE_MULTIPART", "no object that was given up", await io.stat(`${folder}/abandoned`), null);
  return `${chunks} MiB in parts, whole; one that was given up is not there`;
}

function expect<T>(code: string, what: string, found: T, wanted: T): void {
  if (found === wanted) return;
  throw failed(code, what, found === null ? "none" : typeof found === "object" ? "one" : String(found).slice(0, 300));
}

function failed(code: string, expected: string, found: string, hint?: string): FrazilError {
  return new FrazilError("config", code, `expected ${expected}, found ${found}`, {
    hint: hint ?? "tables on this store could be read or written wrong: use another one (docs/stores.md)",
  });
}
