import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, it } from "vitest";
import { KeyBudget } from "../../../../src/sink/key-index/key-budget.ts";
import { openSidecarFolder } from "../../../../src/sink/key-index/sidecar-folder.ts";
import { SidecarResolver } from "../../../../src/sink/key-index/sidecar-resolver.ts";
import type { KeyResolver, ResolvedTable } from "../../../../src/sink/key-resolver.ts";
import { KEY_WORDS } from "../../../../src/sink/key-words.ts";
import { memoryResolver } from "../../../../src/sink/memory-resolver.ts";
import { KeyedTable } from "../../../support/keyed-table.ts";
import { virtualRuntime } from "../../../support/virtual-runtime.ts";

/** More keys than the first table holds, so that it grows and meets removed slots. */
const KEYS = 2_000;

type Create = (table: ResolvedTable) => KeyResolver | Promise<KeyResolver>;
const folder = mkdtempSync(join(tmpdir(), "frazil-keys-"));
afterAll(() => rmSync(folder, { recursive: true }));
let folders = 0;

/** Keys in sidecars from the first few hundred on. */
async function spilling(table: ResolvedTable, words: 2 | 4, limitBytes: number): Promise<SidecarResolver> {
  const { random, log } = virtualRuntime(++folders);
  const opened = await openSidecarFolder(join(folder, String(folders)), "1", words, random);
  return new SidecarResolver(table, opened, new KeyBudget(limitBytes), log);
}

const RESOLVERS: Readonly<Record<string, Create>> = {
  memory: memoryResolver,
  "sidecars alone": (table) => spilling(table, 4, 0),
  "memory, then sidecars": (table) => spilling(table, 4, 60_000),
};

const span = fc.record({ first: fc.nat(KEYS - 1), count: fc.integer({ min: 1, max: 900 }) });
const commands = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: span.map((of) => ({ kind: "place" as const, ...of })) },
    { weight: 4, arbitrary: span.map((of) => ({ kind: "forget" as const, ...of })) },
    { weight: 2, arbitrary: span.map((of) => ({ kind: "foreign" as const, ...of })) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("rewrite" as const), pick: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("undelete" as const), pick: fc.nat() }) },
    { weight: 1, arbitrary: fc.constant({ kind: "clear" as const }) },
  ),
  { maxLength: 40 },
);

it.each(Object.entries(RESOLVERS))("%s: finds what a map of all keys finds", async (_name, create) => {
  await fc.assert(
    fc.asyncProperty(commands, async (run) => {
      const table = new KeyedTable(words);
      const resolver = await create(table.resolved);
      for (const command of run) {
        if (command.kind === "clear") {
          resolver.clear();
          table.clear();
          continue;
        }
        if (command.kind === "rewrite" || command.kind === "undelete") {
          if (command.kind === "rewrite") table.rewrite(command.pick);
          else table.undelete(command.pick);
          await resolver.cover();
          continue;
        }
        const ids = Array.from({ length: command.count }, (_, index) => (command.first + index) % KEYS);
        if (command.kind === "forget") {
          table.delete(ids);
          resolver.forget(words(ids));
        } else if (command.kind === "foreign") {
          table.add(ids);
          await resolver.cover();
        } else {
          await resolver.reserve(ids.length);
          const number = table.add(ids);
          const positions = Uint32Array.from(ids, (_, position) => position);
          resolver.place(words(ids), number, positions);
        }
      }
      const all = Array.from({ length: KEYS }, (_, id) => id);
      const { files, positions, extra } = await resolver.resolve(words(all));
      const found = all.map((id) => (files[id] === -1 ? null : [files[id], positions[id]]));
      expect(found).toEqual(all.map((id) => table.rowOf(id)));
      expect(extra).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

/** Keys that differ in one word only, in each of the four by turns: all of them count. */
function words(ids: readonly number[]): Uint32Array {
  const keys = new Uint32Array(ids.length * KEY_WORDS);
  for (const [index, id] of ids.entries()) keys[index * KEY_WORDS + (id % KEY_WORDS)] = id + 1;
  return keys;
}
