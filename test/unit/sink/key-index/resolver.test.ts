import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { KeyBudget } from "../../../../src/sink/key-index/key-budget.ts";
import { written } from "../../../../src/sink/key-index/sidecar.ts";
import { openSidecarFolder } from "../../../../src/sink/key-index/sidecar-folder.ts";
import { SidecarResolver } from "../../../../src/sink/key-index/sidecar-resolver.ts";
import type { KeyResolver } from "../../../../src/sink/keys/key-resolver.ts";
import { Forwards } from "../../../../src/sink/keys/forwards.ts";
import { RecentKeys } from "../../../../src/sink/keys/recent-keys.ts";
import { KEY_WORDS } from "../../../../src/sink/keys/key-words.ts";
import { memoryResolver } from "../../../../src/sink/keys/memory-resolver.ts";
import { KeyedTable } from "../../../support/keyed-table.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";

/** More keys than the first table in memory holds, so that it grows and meets removed slots. */
const KEYS = 2_000;

const folder = mkdtempSync(join(tmpdir(), "frazil-keys-"));
afterAll(() => rmSync(folder, { recursive: true }));
let folders = 0;

/** A table of one kind of keys, and how its resolver starts, the first time and again. */
interface Kind {
  readonly words: (ids: readonly number[]) => Uint32Array;
  /** Where sidecars are, if there are any. @param path a folder of the test's own. */
  readonly start: (table: KeyedTable, path: string) => KeyResolver | Promise<KeyResolver>;
}

function sidecars(words: 2 | 4, limitBytes: number): Kind["start"] {
  return async (table, path) => {
    const runtime = virtualRuntime(++folders);
    const opened = await openSidecarFolder(path, "1", words, { warehouse: "w", table: "t" }, runtime.random);
    return new SidecarResolver(table.resolved, opened, new KeyBudget(limitBytes), runtime);
  };
}

const KINDS: Readonly<Record<string, Kind>> = {
  memory: { words: fingerprints, start: (table) => memoryResolver(table.resolved) },
  "sidecars alone": { words: fingerprints, start: sidecars(4, 0) },
  "sidecars alone, exact keys": { words: exact, start: sidecars(2, 0) },
  "memory, then sidecars": { words: fingerprints, start: sidecars(4, 60_000) },
};

const span = { first: fc.nat(KEYS - 1), count: fc.integer({ min: 1, max: 900 }) };
const commands = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("place" as const), ...span }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("forget" as const), ...span }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("foreign" as const), ...span }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("rewrite" as const), pick: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("undelete" as const), pick: fc.nat() }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("compact" as const),
        picks: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
        // What else is in the table that the resolver has not seen, and whether it is told before it follows.
        unseen: fc.boolean(),
        late: fc.boolean(),
        ...span,
      }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: "look" as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("damage" as const), pick: fc.nat(), at: fc.nat() }) },
    { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
  ),
  { maxLength: 40 },
);

/** Runs commands on a table and its resolver side by side. */
class Trial {
  readonly #kind: Kind;
  readonly #path = join(folder, String(++folders));
  readonly #table: KeyedTable;
  #resolver: KeyResolver;

  private constructor(kind: Kind, table: KeyedTable, resolver: KeyResolver) {
    this.#kind = kind;
    this.#table = table;
    this.#resolver = resolver;
  }

  static async start(kind: Kind): Promise<Trial> {
    const table = new KeyedTable(kind.words);
    const trial = new Trial(kind, table, memoryResolver(table.resolved));
    await trial.restart();
    return trial;
  }

  async restart(): Promise<void> {
    this.#resolver = await this.#kind.start(this.#table, this.#path);
    await this.#resolver.cover();
  }

  async run(command: Exclude<Commands, { kind: "restart" | "look" }>): Promise<void> {
    const resolver = this.#resolver;
    const table = this.#table;
    switch (command.kind) {
      case "clear":
        resolver.clear();
        table.clear();
        return;
      case "damage":
        this.#damage(command.pick, command.at);
        return;
      case "rewrite":
      case "undelete":
        if (command.kind === "rewrite") table.rewrite(command.pick);
        else table.undelete(command.pick);
        await resolver.cover();
        return;
      default:
    }
    const ids = Array.from({ length: command.count }, (_, index) => (command.first + index) % KEYS);
    switch (command.kind) {
      case "forget":
        this.#forget(ids);
        return;
      case "foreign":
        table.add(ids);
        await resolver.cover();
        return;
      case "compact":
        if (command.unseen) table.add(ids.slice(ids.length / 2));
        let tell = (): void => {};
        table.compact(
          command.picks,
          () => this.#forget(ids.slice(0, ids.length / 2)),
          (moved) => {
            if (command.late) tell = () => resolver.forward(moved);
            else resolver.forward(moved);
          },
        );
        await resolver.cover();
        tell();
        return;
      case "place":
        await resolver.reserve(ids.length);
        resolver.place(
          this.#kind.words(ids),
          table.add(ids),
          Uint32Array.from(ids, (_, position) => position),
        );
        return;
      default:
    }
  }

  async look(): Promise<void> {
    const all = Array.from({ length: KEYS }, (_, id) => id);
    const { files, positions, extra } = await this.#resolver.resolve(this.#kind.words(all));
    const found = all.map((id) => (files[id] === -1 ? null : [files[id], positions[id]]));
    expect(found).toEqual(all.map((id) => this.#table.rowOf(id)));
    expect(extra).toEqual([]);
  }

  #forget(ids: readonly number[]): void {
    this.#table.delete(ids);
    this.#resolver.forget(this.#kind.words(ids));
  }

  #damage(pick: number, at: number): void {
    const names = namesIn(this.#path);
    const name = names[pick % names.length];
    if (name === undefined) return;
    const bytes = readFileSync(join(this.#path, name));
    if (at % 3 === 0) rmSync(join(this.#path, name));
    else {
      bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ 8;
      writeFileSync(join(this.#path, name), bytes);
    }
  }
}

type Commands = typeof commands extends fc.Arbitrary<(infer Command)[]> ? Command : never;

it.each(Object.entries(KINDS))("%s: finds what a map of all keys finds", async (_name, kind) => {
  await fc.assert(
    fc.asyncProperty(commands, async (run) => {
      const trial = await Trial.start(kind);
      for (const command of run) {
        if (command.kind === "restart") await trial.restart();
        else if (command.kind === "look") await trial.look();
        else await trial.run(command);
      }
      await trial.look();
    }),
    { numRuns: 80 },
  );
});

describe.each(Object.entries(KINDS))("%s: a compaction of its own", (_name, kind) => {
  const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

  async function withFiles(): Promise<{ table: KeyedTable; resolver: KeyResolver; add: (rows: number[]) => void }> {
    const table = new KeyedTable(kind.words);
    const resolver = await kind.start(table, join(folder, String(++folders)));
    const add = (rows: number[]): void =>
      resolver.place(
        kind.words(rows),
        table.add(rows),
        Uint32Array.from(rows, (_, position) => position),
      );
    for (let file = 0; file < 4; file++) {
      await resolver.reserve(500);
      add(ids(file * 400, file * 400 + 500));
    }
    return { table, resolver, add };
  }

  async function expectFound({ table, resolver }: { table: KeyedTable; resolver: KeyResolver }): Promise<void> {
    const all = ids(0, KEYS);
    const { files, positions, extra } = await resolver.resolve(kind.words(all));
    const found = all.map((id) => (files[id] === -1 ? null : [files[id], positions[id]]));
    expect(found).toEqual(all.map((id) => table.rowOf(id)));
    expect(extra).toEqual([]);
  }

  it("is followed without reading its output, and a second one of the outputs", async () => {
    const trial = await withFiles();
    const { table, resolver, add } = trial;
    const forward = resolver.forward.bind(resolver);
    table.compact([0, 1], () => {}, forward);
    await resolver.cover();
    await expectFound(trial);
    await resolver.reserve(50);
    add(ids(100, 150));
    table.compact([0, 0, 2], () => {}, forward);
    await resolver.cover();
    table.compact([0, 1, 2, 3], () => {}, forward);
    await resolver.cover();
    await expectFound(trial);
    expect(table.reads).toEqual([]);
  });

  it("of a file that nobody has indexed is read", async () => {
    const trial = await withFiles();
    const { table, resolver } = trial;
    table.add(ids(0, 50));
    table.compact([0, 1, 2, 3, 4], () => {}, resolver.forward.bind(resolver));
    await resolver.cover();
    expect(table.reads).toHaveLength(1);
    await expectFound(trial);
  });

  it("over keys that were on disk when some had been deleted, and lives on after a rollback", async () => {
    const trial = await withFiles();
    const { table, resolver } = trial;
    table.delete(ids(420, 470));
    resolver.forget(kind.words(ids(420, 470)));
    // More than fits: it goes to disk, without the keys that were deleted.
    await resolver.reserve(10_000);
    table.compact([1, 2], () => {}, resolver.forward.bind(resolver));
    await resolver.cover();
    table.delete(ids(600, 700));
    resolver.forget(kind.words(ids(600, 700)));
    await resolver.reserve(10_000);
    for (let pick = 0; pick < 3; pick++) table.undelete(pick);
    await resolver.cover();
    await expectFound(trial);
  });

  it("that is told when its output has been read already, and rows of it live again", async () => {
    const trial = await withFiles();
    const { table, resolver } = trial;
    let tell = (): void => {};
    table.compact(
      [0, 1],
      () => {},
      (moved) => (tell = () => resolver.forward(moved)),
    );
    await resolver.cover();
    tell();
    // Somebody updates rows, which is followed, and taken back.
    table.add(ids(100, 150));
    await resolver.cover();
    table.delete(ids(100, 150));
    for (let pick = 0; pick < 3; pick++) table.undelete(pick);
    await resolver.cover();
    await expectFound(trial);
  });

  it("whose output somebody replaced hides no row that came after", async () => {
    const trial = await withFiles();
    const { table, resolver } = trial;
    table.compact([0, 1], () => {}, resolver.forward.bind(resolver));
    await resolver.cover();
    for (let pick = 0; pick < 3; pick++) table.rewrite(pick);
    await resolver.cover();
    await expectFound(trial);
  });
});

/** A job that ran for a day kept the metrics of each file that it had written and the way of each that had been compacted: 89 MiB too much. */
it("what is kept of compacted files does not grow with their number", async () => {
  const table = new KeyedTable(fingerprints);
  const forwards = new Forwards(table.resolved.files);
  const keys = new RecentKeys(table.resolved, forwards);
  const known = { onDisk: () => false, inMemory: (path: string) => keys.knows(path) };
  const kept: [files: number, bytes: number][] = [];
  for (let round = 0; round < 200; round++) {
    const rows = Array.from({ length: 20 }, (_, i) => (round * 7 + i) % KEYS);
    keys.place(
      fingerprints(rows),
      table.add(rows),
      Uint32Array.from(rows, (_, position) => position),
    );
    if (round % 4 === 3) {
      const all = [...table.resolved.files].map((_, at) => at);
      table.compact(
        all,
        () => {},
        (moved) => forwards.add(moved),
      );
      for (const [number, { live, deleted }] of table.resolved.files) {
        if (keys.covers(number)) continue;
        const isDead = (position: number): boolean => deleted?.has(position) === true;
        expect(forwards.inherited(live.file.filePath, number, isDead, known)).toBe("memory");
        keys.adopt(number, true);
      }
    }
    keys.settle();
    forwards.prune(keys.paths());
    kept.push([[...keys.paths()].length, forwards.sizeBytes]);
  }
  expect(Math.max(...kept.map(([files]) => files))).toBeLessThan(20);
  expect(Math.max(...kept.map(([, bytes]) => bytes))).toBeLessThan(40_000);
  const all = Array.from({ length: KEYS }, (_, id) => id);
  const { files, positions } = keys.find(fingerprints(all));
  expect(all.map((id) => (files[id] === -1 ? null : [files[id], positions[id]]))).toEqual(
    all.map((id) => table.rowOf(id)),
  );
});

it("a compacted file is read when a sidecar is lost that it rested on, and the rest in memory does not do", async () => {
  const path = join(folder, String(++folders));
  const table = new KeyedTable(fingerprints);
  const resolver = await sidecars(4, 0)(table, path);
  table.add([0, 1]);
  await resolver.cover();
  await resolver.reserve(1);
  resolver.place(fingerprints([0]), table.add([0]), Uint32Array.of(0));
  table.compact([0, 1], () => {}, resolver.forward.bind(resolver));
  await resolver.cover();
  for (const name of namesIn(path)) rmSync(join(path, name));
  const { files, positions } = await resolver.resolve(fingerprints([0, 1]));
  expect([0, 1].map((id) => [files[id], positions[id]])).toEqual([0, 1].map((id) => table.rowOf(id)));
});

it("the keys of a lost sidecar are asked of the table until it answers", async () => {
  const path = join(folder, String(++folders));
  const table = new KeyedTable(fingerprints);
  let answers = true;
  const { resolved } = table;
  const read: typeof resolved.read = async function* (entry) {
    if (!answers) throw new Error("no answer");
    yield* resolved.read(entry);
  };
  const resolver = await sidecars(4, 0)(Object.assign(table, { resolved: { ...resolved, read } }), path);
  table.add([0, 1]);
  await resolver.cover();
  for (const name of namesIn(path)) rmSync(join(path, name));
  answers = false;
  const keys = fingerprints([0, 1]);
  // What counts as nowhere after the first failure would be written a second time.
  await expect(resolver.resolve(keys)).rejects.toThrow("no answer");
  await expect(resolver.resolve(keys)).rejects.toThrow("no answer");
  answers = true;
  expect([...(await resolver.resolve(keys)).files]).toEqual([0, 1].map((id) => table.rowOf(id)?.[0]));
});

describe("a full disk", () => {
  const ids = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

  async function onFullDisk(limitBytes: number) {
    const table = new KeyedTable(fingerprints);
    const warnings: string[] = [];
    const runtime = virtualRuntime(++folders);
    const log = { ...runtime.log, warn: (message: string) => void warnings.push(message) };
    const path = join(folder, String(++folders));
    const opened = await openSidecarFolder(path, "1", 4, { warehouse: "w", table: "t" }, runtime.random);
    const newPath = () =>
      written<string>(async () => {
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      });
    const budget = new KeyBudget(limitBytes);
    const resolver = new SidecarResolver(table.resolved, { ...opened, newPath }, budget, { ...runtime, log });
    const place = async (rows: number[]): Promise<void> => {
      await resolver.reserve(rows.length);
      resolver.place(
        fingerprints(rows),
        table.add(rows),
        Uint32Array.from(rows, (_, position) => position),
      );
    };
    return { table, resolver, place, warnings };
  }

  it("leaves keys in memory while they take less than twice their share", async () => {
    const { table, resolver, place, warnings } = await onFullDisk(60_000);
    await place(ids(0, 1_000));
    await place(ids(1_000, 1_500));
    expect(warnings).toEqual(["the disk of the cache of keys is full"]);
    const { files } = await resolver.resolve(fingerprints(ids(0, KEYS)));
    expect([...files]).toEqual(ids(0, KEYS).map((id) => table.rowOf(id)?.[0] ?? -1));
  });

  it("stops the job beyond that, with what to do about it", async () => {
    const { place } = await onFullDisk(60_000);
    await place(ids(0, 1_000));
    await expect(place(ids(0, 20_000))).rejects.toMatchObject({
      kind: "io",
      code: "KEY_CACHE_FULL",
      message: expect.stringContaining("ENOSPC"),
      hint: expect.stringContaining("cache:"),
    });
  });
});

function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
      .filter((name) => name.endsWith(".keys"))
      .toSorted();
  } catch {
    return [];
  }
}

/** Keys that differ in one word only, in each of the four by turns: all of them count. */
function fingerprints(ids: readonly number[]): Uint32Array {
  const keys = new Uint32Array(ids.length * KEY_WORDS);
  for (const [index, id] of ids.entries()) keys[index * KEY_WORDS + (id % KEY_WORDS)] = id + 1;
  return keys;
}

/** Keys of two words. */
function exact(ids: readonly number[]): Uint32Array {
  const keys = new Uint32Array(ids.length * KEY_WORDS);
  for (const [index, id] of ids.entries()) keys[index * KEY_WORDS + (id % 2)] = id + 1;
  return keys;
}
